"""Logging: JSON lines without patient data."""
