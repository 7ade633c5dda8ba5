"""What the hook services are, what kinds of FHIR server there are, and what the memory of cards obeys."""
