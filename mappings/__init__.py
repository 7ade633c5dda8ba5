"""What we know: reviewed clinical data, and in ``schema`` the code that loads it. Knows no patient and no FHIR."""
