"""Operation of the service: health, readiness, metrics, canaries. May know the memory and the demo patients; no patient
of a call.
"""
