"""A decision presented as cards. May know decisions, offers and checks; no HTTP, no database and no caller."""
