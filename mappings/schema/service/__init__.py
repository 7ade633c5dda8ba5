"""The hook services, the profiles of FHIR servers, the rules for the memory of cards. Knows no clinical rule."""
