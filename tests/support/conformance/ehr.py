"""A client as CDS Hooks allows it to be, with a FHIR server of its own that notes what it is asked."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from httpx2 import Response
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.settings.settings import Settings
from tests.support.hooks.calls import DAY, HOOKS, KETAMINE, ORDER_SIGN, PATIENT_VIEW, body, client, knowledge, order
from tests.support.reading.faults import Faults, faulty_server
from tests.support.reading.material import PATIENT

SESSION = "/cds-services/treatment-session-encounter-start"
SERVICES = {**HOOKS, SESSION: "encounter-start"}
WHO = "two-failures"
Json = dict[str, Any]


def request(url: str = ORDER_SIGN, patient: str = WHO, **changes: Any) -> Json:
    """A whole request for one service, everything prefetched, with a draft order of ketamine where there are drafts."""
    if url == SESSION:
        made = body(PATIENT_VIEW, patient) | {"hook": "encounter-start"}
        made["context"] |= {"encounterId": "e1"}
        return made | changes
    drafts = () if url == PATIENT_VIEW else (order(KETAMINE, patient),)
    return copy.deepcopy(body(url, patient, *drafts)) | changes


def post(url: str, content: Any, **headers: str) -> Response:
    """The answer to any JSON value, or to bytes as they are."""
    if isinstance(content, bytes):
        return client().post(url, content=content, headers=headers)
    return client().post(url, json=content, headers=headers)


def cards_of(answer: Response) -> list[Json]:
    """The cards of an answer, without the identifiers that are new each time."""
    assert answer.status_code == 200, answer.text
    return [without_uuids(card) for card in answer.json()["cards"]]


def without_uuids(value: Any) -> Any:
    """The value without the members that are called ``uuid``, at any depth."""
    if isinstance(value, dict):
        return {key: without_uuids(member) for key, member in value.items() if key != "uuid"}
    return [without_uuids(member) for member in value] if isinstance(value, list) else value


def unread(base: str, patient: str = PATIENT, **changes: Any) -> Json:
    """A patient-view request that brings nothing but a FHIR server."""
    context = {"userId": "Practitioner/1", "patientId": patient}
    return {"hook": "patient-view", "hookInstance": "1", "context": context, "fhirServer": base} | changes


class Ehr:
    """A service that is running, and the FHIR server that its calls name."""

    def __init__(self, faults: Faults, service: TestClient) -> None:
        self.faults = faults
        self.service = service

    def view(self, base: str, **changes: Any) -> Response:
        """The answer to patient-view with that FHIR server and whatever else is given."""
        return self.service.post(PATIENT_VIEW, json=unread(base, **changes))


def running() -> TestClient:
    """A service to be entered: all its calls are then in one event loop, as those of a process are."""
    return TestClient(create_app(Settings(detail="full"), knowledge(), today=lambda: DAY))


@contextmanager
def ehr() -> Iterator[Ehr]:
    """A running service and a FHIR server beside it."""
    app = create_app(Settings(), knowledge(), today=lambda: DAY)
    with fhir_server() as faults, TestClient(app) as service:
        yield Ehr(faults, service)


@contextmanager
def fhir_server() -> Iterator[Faults]:
    """The FHIR server of ``tests.support.reading.faults`` in a thread of its own, for calls from outside its loop."""
    ready, done = threading.Event(), threading.Event()
    running: list[Faults] = []

    async def serve() -> None:
        async with faulty_server() as faults:
            running.append(faults)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait(10)
    try:
        yield running[0]
    finally:
        done.set()
        thread.join(10)
