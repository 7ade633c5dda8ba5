"""Assembly of the application: routes, discovery, middleware. May know every room but the commands; decides nothing
itself.
"""
