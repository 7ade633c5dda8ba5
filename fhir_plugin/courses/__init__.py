"""Symptoms over time with the treatments beside them, in words and drawings."""
