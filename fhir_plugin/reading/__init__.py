"""Records from prefetch, FHIR servers and Bundles. The only room with network access; knows no clinical fact."""
