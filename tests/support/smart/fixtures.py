"""The app beside an EHR whose FHIR server is a real one, for all tests of a session."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx2
import pytest
import uvicorn

from cds_hooks.application.app import create_app
from cds_hooks.demo.server import fhir_server
from cds_hooks.demo.stories import demo_patients
from cds_hooks.settings.settings import Settings
from tests.support.hooks.calls import knowledge
from tests.support.smart.ehr import Ehr, running_ehr
from tests.support.web.fixtures import browser

__all__ = ["browser"]
DAY = date(2026, 11, 21)
PATIENTS = ("two-failures", "partial-response-to-ketamine", "acute-crisis")
ANCESTOR = "https://ehr.example"


@dataclass
class App:
    """The running app, and the EHR that it is set up for."""

    address: str
    ehr: Ehr

    def launch(self, patient: str = "two-failures") -> str:
        """The address that the EHR opens."""
        return f"{self.address}/smart/launch?iss={self.ehr.issuer}&launch={patient}"


@pytest.fixture(scope="session")
def fhir() -> Iterator[str]:
    """A FHIR server that holds some of the demo patients."""
    with fhir_server([each for each in demo_patients(DAY) if each.id in PATIENTS]) as base_url:
        yield base_url


@pytest.fixture
def app(fhir: str) -> Iterator[App]:
    """The app as a public client of the EHR."""
    with running_ehr(fhir) as ehr, running_app(ehr) as running:
        yield running


@pytest.fixture(scope="session")
def shared(fhir: str) -> Iterator[App]:
    """One app for the tests that leave the EHR as it is."""
    with running_ehr(fhir) as ehr, running_app(ehr) as running:
        yield running


@contextmanager
def running_app(ehr: Ehr, **issuer: Any) -> Iterator[App]:
    """The app, set up for that EHR."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        entry = {"name": "test", "title": "Test EHR", "issuer": ehr.issuer, "client_id": "tandem"}
        entry |= {"frame_ancestors": [ANCESTOR]} | issuer
        settings = Settings(public_url=address, smart=(entry,), database="off")  # type: ignore[arg-type]
        made = create_app(settings, knowledge(), today=lambda: DAY)
        server = uvicorn.Server(uvicorn.Config(made, log_level="critical", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield App(address, ehr)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def visitor() -> Iterator[httpx2.Client]:
    """A browser without scripts: it keeps cookies and follows redirects."""
    with httpx2.Client(follow_redirects=True, timeout=30) as client:
        yield client
