"""The sandbox: a page on which an engineer makes calls as an EHR would. May know the demo patients; sees only what an
EHR sees.
"""
