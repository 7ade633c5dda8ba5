"""Logging: JSON lines without patient data. Knows no settings and no request."""
