"""Reads records from prefetch, FHIR servers and files. The only package with I/O."""
