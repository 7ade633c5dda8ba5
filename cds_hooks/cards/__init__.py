"""A decision presented as cards. Pure: knows no HTTP and no database."""
