"""What all tests share."""

from hypothesis import HealthCheck, settings

# Machines are small and noisy: how long an example takes says nothing about whether it is right.
settings.register_profile("tandem", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tandem")
