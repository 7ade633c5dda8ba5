"""Antidepressant trials, counted by dose, duration and outcome. May know days, exposures and scores; no criterion."""
