"""The log: JSON lines without patient data."""
