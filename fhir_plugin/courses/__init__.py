"""Symptoms over time with the treatments, in words and drawings. May know facts; no criterion and no network."""
