"""Vital signs, laboratory tests and laboratory numbers, from Observations that are sorted first. Knows no score."""
