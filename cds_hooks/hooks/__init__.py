"""The answer to one call: gather, decide, cards. May know cards and settings; no route, no database and no page."""
