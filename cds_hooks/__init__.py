"""How it is spoken: the CDS Hooks service, the command line and the pages. May know the other two packages; neither
knows this one.
"""
