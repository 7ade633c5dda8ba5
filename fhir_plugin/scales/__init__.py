"""Recognises, scores and extracts questionnaires, one response at a time. Knows the instruments; no other resource, no
history.
"""
