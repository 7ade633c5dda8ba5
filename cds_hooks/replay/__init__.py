"""De-identified calls, stored and repeated with another version of the service or of its knowledge."""
