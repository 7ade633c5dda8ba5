"""A decision said as cards. Pure: knows no HTTP and no database."""
