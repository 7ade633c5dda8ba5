"""Antidepressant trials, counted by dose, duration and outcome."""
