"""The records of used tokens."""
