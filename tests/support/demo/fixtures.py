"""One real FHIR server with the demo patients for all tests of a session."""

from collections.abc import Iterator
from datetime import date

import pytest

from cds_hooks.demo.server import fhir_server
from cds_hooks.demo.stories import DemoPatient, demo_patients

ANCHOR = date(2026, 11, 21)


@pytest.fixture(scope="session")
def patients() -> dict[str, DemoPatient]:
    """The demo patients by id, as they are on ``ANCHOR``."""
    return {patient.id: patient for patient in demo_patients(ANCHOR)}


@pytest.fixture(scope="session")
def fhir(patients: dict[str, DemoPatient]) -> Iterator[str]:
    """The base URL of a FHIR server that holds them."""
    with fhir_server(patients.values()) as base_url:
        yield base_url
