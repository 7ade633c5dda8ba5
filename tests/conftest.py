"""What all tests share."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Machines are small and noisy: how long an example takes says nothing about whether it is right.
settings.register_profile("tandem", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fuzz", settings.get_profile("tandem"), max_examples=20_000)
settings.load_profile("tandem")

# No test and no process that a test starts leaves anything in the home folder; those about memory name a file.
os.environ["TANDEM_DATABASE"] = "off"


@pytest.fixture(autouse=True, scope="session")
def _certificates_are_read_once() -> Iterator[None]:
    """Many services are made, and three quarters of the time would go into reading the machine's certificates anew."""
    make = ssl.create_default_context
    context = make()

    def made_before(*args: Any, **kwargs: Any) -> ssl.SSLContext:
        return make(*args, **kwargs) if args or kwargs else context

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", made_before)
        yield
