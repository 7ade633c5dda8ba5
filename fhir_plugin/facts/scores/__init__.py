"""Scores of instruments from responses and Observations."""
