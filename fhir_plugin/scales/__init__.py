"""Questionnaires: recognised, scored, extracted. Knows one response at a time and no history."""
