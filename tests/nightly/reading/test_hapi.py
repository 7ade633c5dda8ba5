"""Against HAPI FHIR on a stock Tomcat, both with their defaults (``make interop``): strict, paged, and with a cache."""

from __future__ import annotations

import asyncio
import http.client
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.demo.calls import patient_view
from cds_hooks.demo.stories import demo_patients
from cds_hooks.settings.settings import Settings
from cds_hooks.smart.filling import PatientContext, build_response, fill_questionnaire
from cds_hooks.smart.saving import save
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.gather import FhirAccess
from fhir_plugin.reading.needs import DataNeeds, data_needs
from fhir_plugin.reading.sources import ServerSource, read_record
from fhir_plugin.record.record import Record
from tests.support.hooks.calls import DAY, PATIENT_VIEW, knowledge

BUILT = Path(__file__).parents[3] / "build" / "interop"
MANY, WHO = 1_050, "two-failures"
SECONDS = 120
INSTRUMENTS = knowledge().instruments
ADDED = (
    {"resourceType": "Practitioner", "id": "dr-1"},
    {"resourceType": "Encounter", "id": "visit-3", "status": "in-progress", "class": {"code": "AMB"},
     "subject": {"reference": f"Patient/{WHO}"}},
    {"resourceType": "Patient", "id": "measured-often", "birthDate": "1980-02-03"},
)  # fmt: skip

pytestmark = pytest.mark.skipif(not (BUILT / "classes").is_dir(), reason="needs Java and Maven: make interop")


def request(base: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """The status and the JSON of one request, whose target is sent as it is."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=SECONDS)
    content = body if isinstance(body, bytes) else json.dumps(body).encode() if body else None
    connection.request(method, f"/fhir{path}", content, {"Content-Type": "application/fhir+json"})
    answer = connection.getresponse()
    read = answer.read()
    connection.close()
    return answer.status, json.loads(read) if read.startswith(b"{") else None


def transaction(resources: Any) -> dict[str, Any]:
    """A Bundle that puts each resource under its own id."""
    entries = [
        {"resource": each, "request": {"method": "PUT", "url": f"{each['resourceType']}/{each['id']}"}}
        for each in resources
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def reading(number: int) -> dict[str, Any]:
    """One blood pressure of the patient who has very many."""
    loinc = {"system": "http://loinc.org"}
    parts = [("8480-6", 120 + number % 9), ("8462-4", 78)]
    return {
        "resourceType": "Observation",
        "id": f"bp-{number}",
        "status": "final",
        "subject": {"reference": "Patient/measured-often"},
        "effectiveDateTime": f"{datetime(2024, 1, 1, 9, tzinfo=UTC) + timedelta(days=number % 1_000):%Y-%m-%d}",
        "code": {"coding": [{**loinc, "code": "85354-9"}]},
        "component": [
            {"code": {"coding": [{**loinc, "code": code}]}, "valueQuantity": {"value": value, "unit": "mm[Hg]"}}
            for code, value in parts
        ],
    }


@pytest.fixture(scope="module")
def hapi() -> Iterator[str]:
    """The server with the demo patients, and one who has more than a thousand Observations."""
    process = subprocess.Popen(
        ["java", "-cp", f"{BUILT}/classes:{BUILT}/lib/*", "FhirServer"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        base = f"http://127.0.0.1:{int(process.stdout.readline())}/fhir"
        loads = [patient.bundle for patient in demo_patients(DAY)]
        loads.append(json.dumps(transaction(ADDED)).encode())
        loads += [
            json.dumps(transaction(map(reading, range(first, first + 350)))).encode() for first in range(0, MANY, 350)
        ]
        assert [request(base, "POST", "", body)[0] for body in loads] == [200] * len(loads)
        yield base
    finally:
        process.stdin.close()
        process.wait(SECONDS)
        process.stdout.close()


def record(base: str, patient: str, *inputs: str) -> Record:
    """The record as the product reads it."""
    needs = data_needs(knowledge())
    needs = replace(needs, inputs=inputs) if inputs else needs
    assert isinstance(needs, DataNeeds)
    return read_record(ServerSource(FhirAccess(base), patient, needs, SECONDS))


def test_it_is_as_strict_as_it_comes(hapi: str) -> None:
    query = "/Observation?patient=uncontrolled-hypertension&code="
    assert request(hapi, "GET", f"{query}http://loinc.org|85354-9")[0] == 400
    assert request(hapi, "GET", f"{query}http%3A%2F%2Floinc.org%7C85354-9")[1]["entry"]


@pytest.mark.parametrize("patient", demo_patients(DAY), ids=lambda patient: patient.id)
def test_a_demo_call_reads_the_whole_record(patient: Any, hapi: str) -> None:
    held = {
        f"{each['resource']['resourceType']}/{each['resource']['id']}" for each in json.loads(patient.bundle)["entry"]
    }
    read = record(hapi, patient.id)
    assert not read.gaps(knowledge().inputs)
    found = {each.reference for name in read.inputs for each in read.input(name).resources}
    wanted = {type(each).__name__ for name in read.inputs for each in read.input(name).resources}
    assert found >= {each for each in held if each.partition("/")[0] in wanted - {"Observation"}}
    with TestClient(create_app(Settings(), knowledge(), today=lambda: DAY)) as service:
        answer = service.post(PATIENT_VIEW, json=patient_view(patient.id, hapi))
    assert answer.status_code == 200
    assert "not retrieved" not in answer.text


def test_more_than_a_thousand_observations_are_read_page_by_page(hapi: str) -> None:
    read = record(hapi, "measured-often", "patient", "observations")
    assert read.input("observations").whole
    assert len(read.input("observations").resources) == MANY


def test_a_prefetch_template_brings_the_newest_first(hapi: str) -> None:
    _, page = request(hapi, "GET", "/Observation?patient=measured-often&code=85354-9&_count=200&_sort=-date")
    days = [entry["resource"]["effectiveDateTime"] for entry in page["entry"]]
    assert len(days) == 200
    assert days == sorted(days, reverse=True)
    assert {link["relation"] for link in page["link"]} >= {"self", "next"}


def test_what_was_just_saved_is_read(hapi: str) -> None:
    """The server answers the second search from its cache unless it is told not to."""
    before = record(hapi, WHO, "patient", "questionnaireResponses").input("questionnaireResponses").resources
    form, answers = INSTRUMENTS.forms["phq9"], {str(number): "1" for number in range(1, 9)} | {"9": "3"}
    who = PatientContext(WHO, None, encounter="Encounter/visit-3", author="Practitioner/dr-1")
    now = datetime.now(UTC)
    filled = fill_questionnaire(form, answers, INSTRUMENTS, who, now)
    assert filled.score is not None
    body = build_response(form, filled.values, INSTRUMENTS, who, now)

    async def store() -> str | None:
        async with FhirServers() as servers:
            saved = await save(body, filled.score, INSTRUMENTS, FhirAccess(hapi, "t0ken"), servers)  # type: ignore[arg-type]
            assert saved.observation
            return saved.response

    saved = asyncio.run(store())
    after = record(hapi, WHO, "patient", "questionnaireResponses").input("questionnaireResponses").resources
    assert {each.reference for each in after} - {each.reference for each in before} == {saved}
    _, response = request(hapi, "GET", f"/{saved}")
    assert (response["encounter"]["reference"], response["author"]["reference"]) == (who.encounter, who.author)


def test_a_plan_is_created_one_draft_after_the_other(hapi: str) -> None:
    with TestClient(create_app(Settings(), knowledge(), today=lambda: DAY)) as service:
        cards = service.post(PATIENT_VIEW, json=patient_view("acute-crisis", hapi)).json()["cards"]
    suggestions = [each for card in cards for each in card.get("suggestions", ())]
    (plan,) = [each for each in suggestions if each["actions"][-1]["resource"]["resourceType"] == "CarePlan"]
    for action in plan["actions"]:
        draft = action["resource"]
        status, outcome = request(hapi, "POST", f"/{draft['resourceType']}", draft)
        assert status == 201, outcome
