"""What all tests share."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from mappings.schema.instruments import Instruments
from mappings.schema.load import Knowledge
from mappings.schema.treatments import Treatments
from tests.support.profiles import register_profiles
from tests.support.shipped import shipped

register_profiles()
# The doors of the Makefile name another.
settings.load_profile("quick")

# No test and no process that a test starts leaves anything in the home folder; those about what is stored name a file.
os.environ["TANDEM_DATABASE"] = "off"
os.environ["TANDEM_REPLAY_STORE"] = "memory"


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


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    return shipped()


@pytest.fixture(scope="session")
def instruments() -> Instruments:
    return shipped().instruments


@pytest.fixture(scope="session")
def treatments() -> Treatments:
    return shipped().treatments
