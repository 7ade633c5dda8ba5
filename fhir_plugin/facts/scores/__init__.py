"""Scores of instruments over time, from responses and Observations. Knows no criterion and no treatment."""
