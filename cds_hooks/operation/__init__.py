"""Operation of the service: health, readiness, metrics, canaries."""
