"""Authentication of callers: the configured clients, their keys, their signed tokens, and what each client may do.
Knows no patient and no card.
"""
