"""Medication resources into what was taken, how much of it and when: pure code, no HTTP, no clock."""
