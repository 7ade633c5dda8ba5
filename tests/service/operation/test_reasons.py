"""The line of a call that is not answered says why, as a code; the answer says what a site has to change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.settings.settings import Settings
from cds_hooks.telemetry import logs
from docs.generator.operation import reason_words
from docs.generator.site import ROOT
from tests.support.hooks.calls import (
    DAY,
    KETAMINE,
    ORDER_SIGN,
    PATIENT_VIEW,
    body,
    client,
    diagnostics,
    knowledge,
    order,
    prefetch,
)
from tests.support.memory.service import overridden, tell
from tests.support.trust.signing import BASE, bearer, claims, header, service, signed
from tests.support.trust.signing import client as ehr

PATIENT = "two-failures"
UNLISTED = "https://canary-4711.example/fhir"


@pytest.fixture(autouse=True)
def _as_served() -> None:
    logs.configure("info", "json")


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    said = capsys.readouterr().err
    assert "4711" not in said
    line: dict[str, Any] = json.loads(said.splitlines()[-1])
    assert line.get("reason") in reason_words(ROOT)
    return line


def without_prefetch(**more: Any) -> dict[str, Any]:
    request = body(PATIENT_VIEW, PATIENT, **more)
    return {name: value for name, value in request.items() if name != "prefetch"}


def test_a_server_that_is_not_listed_is_the_reason_of_the_412(capsys: pytest.CaptureFixture[str]) -> None:
    answer = client().post(PATIENT_VIEW, json=without_prefetch(fhirServer=UNLISTED))
    assert answer.status_code == 412
    assert diagnostics(answer).endswith(
        "(not in the prefetch, and fhirServer may not be read: it is not listed under fhir_servers)"
    )
    assert "4711" not in answer.text, "an address may contain anything"
    line = last_line(capsys)
    assert (line["status"], line["reason"]) == (412, "record.server-not-listed")


def test_a_client_is_told_in_whose_settings_it_has_to_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    guarded = service(ehr("general", "ec-1"))
    token = signed(header(kid="ec-1"), claims(iss="https://general.example", aud=BASE + PATIENT_VIEW))
    request = without_prefetch(fhirServer=UNLISTED)
    answer = guarded.post(PATIENT_VIEW, json=request, headers=bearer(token))
    assert answer.status_code == 412
    assert "it is not listed under fhir_servers of the client general)" in diagnostics(answer)
    assert last_line(capsys)["reason"] == "record.server-not-listed"


def test_a_server_that_is_not_listed_matters_only_where_something_is_missing() -> None:
    request = body(PATIENT_VIEW, PATIENT, fhirServer=UNLISTED)
    assert client().post(PATIENT_VIEW, json=request).status_code == 200


def with_another_patient() -> dict[str, Any]:
    request = body(PATIENT_VIEW, PATIENT)
    request["prefetch"]["patient"] = prefetch("uncontrolled-hypertension")["patient"]
    return request


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (without_prefetch(), "record.not-supplied"),
        (body(PATIENT_VIEW, PATIENT, prefetch={**prefetch(PATIENT), "patient": 4711}), "record.unreadable"),
        (with_another_patient(), "record.wrong-patient"),
        (without_prefetch(fhirServer="http://127.0.0.1:9/fhir"), "record.server-failed"),
        (
            without_prefetch(
                fhirServer="http://127.0.0.1:9/fhir",
                fhirAuthorization={"access_token": "x", "token_type": "MAC", "expires_in": 300},
            ),
            "record.token",
        ),
    ],
)
def test_each_412_says_why(request_: dict[str, Any], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert client().post(PATIENT_VIEW, json=request_).status_code == 412
    assert last_line(capsys)["reason"] == reason


@pytest.mark.parametrize(
    ("content", "reason", "member"),
    [
        (b"{4711", "body.json", None),
        (b'{"4711":' * 5_000, "body.nested", None),
        (b"{}", "body.missing", "/hook"),
        (json.dumps(body(PATIENT_VIEW, PATIENT, hookInstance=4711)).encode(), "body.type", "/hookInstance"),
        (json.dumps(body(PATIENT_VIEW, PATIENT, hook="4711")).encode(), "body.value", "/hook"),
        (
            json.dumps(body(PATIENT_VIEW, PATIENT, context={"userId": "4711"})).encode(),
            "body.missing",
            "/context/patientId",
        ),
        (
            json.dumps(body(PATIENT_VIEW, PATIENT, prefetch={"4711/x": 1}, fhirAuthorization=[4711])).encode(),
            "body.type",
            "/fhirAuthorization",
        ),
    ],
)
def test_each_400_says_why_and_where(
    content: bytes, reason: str, member: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert client().post(PATIENT_VIEW, content=content).status_code == 400
    line = last_line(capsys)
    assert (line["reason"], line.get("member")) == (reason, member)


def test_of_a_place_in_a_list_only_that_it_is_one_is_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(database=f"sqlite:///{tmp_path}/m.sqlite")  # type: ignore[arg-type]
    with TestClient(create_app(settings, knowledge(), lambda: DAY)) as running:
        item = {**overridden("x"), "outcome": "4711"}
        assert tell(running, ORDER_SIGN, overridden("x"), item).status_code == 400
        assert (line := last_line(capsys))["reason"] == "body.value"
        assert line["member"] == "/feedback/*/outcome"


def test_feedback_that_is_answered_503_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(database=f"sqlite:///{tmp_path}/m.sqlite")  # type: ignore[arg-type]
    app = create_app(settings, knowledge(), lambda: DAY)
    answer = tell(TestClient(app), ORDER_SIGN, overridden("x"))  # never started
    assert answer.status_code == 503
    assert last_line(capsys)["reason"] == "database.closed"


def test_a_body_that_is_too_large_and_a_service_that_is_none_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    small = TestClient(create_app(Settings(max_body_bytes=10), knowledge(), lambda: DAY))
    assert small.post(ORDER_SIGN, json=body(ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))).status_code == 413
    assert last_line(capsys)["reason"] == "body.large"
    assert small.post("/cds-services/4711", json={}).status_code == 404
    assert last_line(capsys)["reason"] == "service.unknown"
