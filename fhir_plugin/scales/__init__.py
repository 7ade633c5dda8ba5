"""Recognises, scores and extracts questionnaires, one response at a time and without history."""
