"""The wire protocol: requests, cards, errors, limits. Knows no clinical rule, no settings, and no patient beyond one
call.
"""
