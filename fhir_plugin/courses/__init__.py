"""Symptoms over time together with the treatments, in words and drawings."""
