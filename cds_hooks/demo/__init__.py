"""Twelve synthetic patients, a local FHIR server that holds them, and an EHR to launch from. Knows no real patient, and
no request to the service in operation.
"""
