"""The hook services, the profiles of FHIR servers, and the rules for the memory of cards."""
