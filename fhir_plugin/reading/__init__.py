"""Where a record comes from: prefetch, FHIR server, files. The only room that waits for anything."""
