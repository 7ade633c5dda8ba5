"""Twelve synthetic patients, a local FHIR server that holds them, and the service beside it."""
