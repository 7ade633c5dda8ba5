"""De-identified calls, stored and repeated with another version of the service or of its knowledge. May know the answer
to a call; stores nothing that identifies anybody.
"""
