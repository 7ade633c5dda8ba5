"""Medication resources into exposures: which ingredient, how much of it, and when. Pure: no HTTP, no clock."""
