"""Medication resources into exposures: which ingredient, how much of it, and when. Knows no trial and no clock."""
