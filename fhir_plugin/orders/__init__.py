"""Orders that a clinician can take as drafts: which of them fit a decision, and their FHIR R4 resources. May know
decisions and drafts; no network and no card.
"""
