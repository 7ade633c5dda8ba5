"""What a clinician can take as a draft: which orders fit a decision, and the FHIR R4 resources that they are."""
