"""What operators ask: health, readiness, metrics, canaries."""
