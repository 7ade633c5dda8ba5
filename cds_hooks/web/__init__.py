"""Web pages: rendered on the server, under a strict content security policy, with no content from another origin. Knows
how to show a decision; no launch and no token.
"""
