from __future__ import annotations

import pytest

from mappings.instruments import Instruments, load_instruments
from mappings.treatments import Treatments, load_treatments


@pytest.fixture(scope="session")
def instruments() -> Instruments:
    return load_instruments()


@pytest.fixture(scope="session")
def treatments() -> Treatments:
    return load_treatments()
