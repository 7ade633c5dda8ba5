"""What all tests share."""

import os

from hypothesis import HealthCheck, settings

# Machines are small and noisy: how long an example takes says nothing about whether it is right.
settings.register_profile("tandem", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fuzz", settings.get_profile("tandem"), max_examples=20_000)
settings.load_profile("tandem")

# No test and no process that a test starts leaves anything in the home folder; those about memory name a file.
os.environ["TANDEM_DATABASE"] = "off"
