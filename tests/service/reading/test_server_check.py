"""What a server offers, in a word for each query."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from typer.testing import CliRunner

from cds_hooks.cli.main import app
from fhir_plugin.errors import BadInput
from fhir_plugin.reading.gather import FhirAccess
from fhir_plugin.reading.server_check import InputCheck, InputResult, check_server
from fhir_plugin.record.inputs import INPUTS
from tests.support.reading.faults import Request, faulty_server, good_body, reply
from tests.support.reading.material import OTHER, PATIENT, bundle, resource

CODES = ("http://loinc.org|44261-6",)


def tried(
    fault: str, kind: str, answer: Callable[[Request], bytes] | None = None, slow: float = 1.0
) -> dict[str, InputCheck]:
    """What is said of each input when that type fails in that way."""

    async def go() -> tuple[InputCheck, ...]:
        async with faulty_server() as faults:
            if answer:
                faults.answers[fault] = answer
            source = FhirAccess(faults.base(fault, kind))
            with ThreadPoolExecutor() as threads:
                check = (source, PATIENT, tuple(INPUTS), CODES, 0.4, slow)
                return await asyncio.get_running_loop().run_in_executor(threads, check_server, *check)

    return {each.input: each for each in asyncio.run(go())}


def other_code(request: Request) -> bytes:
    weight = {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]}
    return reply(bundle(resource("Observation", code=weight)))


def score(request: Request) -> bytes:
    code = {"coding": [{"system": "http://loinc.org", "code": "44261-6"}]}
    return reply(bundle(resource("Observation", code=code)))


@pytest.mark.parametrize(
    ("fault", "answer", "offer", "detail"),
    [
        ("own", score, InputResult.OK, ""),
        ("own", lambda request: reply(bundle()), InputResult.EMPTY, ""),
        ("own", other_code, InputResult.IGNORES, "1 of other codes"),
        ("wrong-patient", None, InputResult.IGNORES, "1 about other patients"),
        ("403", None, InputResult.REFUSED, "403"),
        ("404", None, InputResult.REFUSED, "404"),
        ("latency", None, InputResult.SILENT, "timeout"),
        ("reset", None, InputResult.SILENT, "connection failed"),
        ("html", None, InputResult.UNREADABLE, "not FHIR in JSON"),
        ("outcome", None, InputResult.UNREADABLE, "an OperationOutcome: error other"),
        ("next-elsewhere", None, InputResult.PARTIAL, "next link refused"),
    ],
)
def test_what_is_said_of_a_search(
    fault: str, answer: Callable[[Request], bytes] | None, offer: InputResult, detail: str
) -> None:
    said = tried(fault, "Observation", answer)
    assert (said["observations"].offer, said["observations"].detail) == (offer, detail)
    assert {each.offer for name, each in said.items() if name != "observations"} == {InputResult.OK}
    assert PATIENT not in repr(said)


def test_slow_is_said_of_what_is_well_otherwise() -> None:
    said = tried("own", "Observation", lambda request: reply(good_body(request)), slow=0.0)
    assert said["conditions"].offer is InputResult.SLOW
    assert said["conditions"].offer.usable


def test_another_patient_is_not_usable() -> None:
    said = tried("wrong-patient", "Patient")
    assert (said["patient"].offer, said["patient"].detail) == (InputResult.UNREADABLE, "another patient")


def test_an_id_that_is_none() -> None:
    with pytest.raises(BadInput):
        check_server(FhirAccess("https://ehr.example/fhir"), f"{OTHER}/x", ("patient",), (), 1, 1)


def test_the_command_prints_a_table() -> None:
    async def go() -> str:
        async with faulty_server() as faults:
            arguments = ["check-server", faults.base("403", "Device"), "--patient", PATIENT]
            result = await asyncio.get_running_loop().run_in_executor(None, CliRunner().invoke, app, arguments)
            assert result.exit_code == 0, result.output
            return result.output

    rows = asyncio.run(go()).splitlines()
    assert rows[0].split() == ["query", "result", "count", "ms"]
    assert any(row.startswith("Device?patient={{context.patientId}}") and "refused" in row for row in rows)
