"""Strings that must not get out, in every field of whole calls: none in logs, metrics, database, errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.settings.settings import Settings
from tests.support.hooks.calls import DAY, KETAMINE, ORDER_SELECT, ORDER_SIGN, PATIENT_VIEW, body, knowledge, order
from tests.support.memory.service import accepted, overridden, remembering, tell

CANARY = "Wagtail"
NAME, RECORD, TOKEN, NOTE = "WagtailJane WagtailRoe", "MRN-Wagtail-0815", "eyJWagtailToken", "Wagtail; `rm` <b>"
PATIENT = "acute-crisis"


def fields(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every string in a request, places in arrays left out."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from fields(member, (*path, key))
    elif isinstance(value, list):
        for member in value:
            yield from fields(member, path)
    elif isinstance(value, str):
        yield path


def planted(value: Any, field: tuple[str, ...], canary: str, path: tuple[str, ...] = ()) -> Any:
    """The request with ``canary`` in every string at ``field``."""
    if isinstance(value, dict):
        return {key: planted(member, field, canary, (*path, key)) for key, member in value.items()}
    if isinstance(value, list):
        return [planted(member, field, canary, path) for member in value]
    return canary if isinstance(value, str) and path == field else value


def requests(url: str) -> Iterator[dict[str, Any]]:
    """One request for each field that a request has."""
    whole = body(url, PATIENT, order(KETAMINE, PATIENT))
    whole |= {"fhirServer": "http://127.0.0.1:1/fhir", "extension": {"x": "y"}}
    whole["fhirAuthorization"] = {"access_token": TOKEN, "token_type": "Bearer", "scope": "s", "subject": "s"}
    whole["prefetch"].pop("procedures")  # so that the FHIR server is asked, and is not there
    canaries = (NAME, RECORD, TOKEN, NOTE)
    for number, field in enumerate(dict.fromkeys(fields(whole))):
        yield planted(whole, field, canaries[number % len(canaries)])


def broken(url: str) -> Iterator[bytes]:
    """Bodies that are no requests."""
    yield NOTE.encode()
    yield json.dumps({NAME: RECORD, "hook": RECORD, "hookInstance": 1}).encode()
    yield json.dumps(body(url, PATIENT) | {"context": NAME}).encode()
    yield json.dumps(body(url, PATIENT) | {"prefetch": {NAME: [RECORD], "patient": NOTE}}).encode()
    yield json.dumps(body(url, PATIENT))[:-40].encode() + NOTE.encode()


def items(cards: list[str], suggestion: str) -> Iterator[dict[str, Any]]:
    """Feedback with a canary in every field."""
    for card in (NAME, *cards):
        said = {"reason": {"code": RECORD, "system": f"urn:{RECORD}", "display": NAME}, "userComment": NOTE}
        yield overridden(card, None, overrideReason=said, extension={NAME: NOTE})
        yield overridden(card, None, overrideReason={"code": NAME, "system": RECORD})
        yield accepted(card, NAME, suggestion, TOKEN)
        yield overridden(card) | {"outcome": NAME}
        yield overridden(card) | {"outcomeTimestamp": NAME}
        yield overridden(card) | {"overrideReason": NAME}
        yield overridden(card) | {"overrideReason": {"reason": NAME}}


def test_no_canary_gets_out(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file, errors, heads = tmp_path / "memory.sqlite", [], []
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "X-Correlation-Id": NAME,
        "User-Agent": NAME,
        "Origin": f"https://{NAME}",
    }
    sent = 0
    with remembering(file, log_level="debug", deadline_seconds=0.05, allowed_origins=("*",)) as service:
        for url in (ORDER_SIGN, PATIENT_VIEW, ORDER_SELECT):
            shown: list[str] = []
            for request in requests(url):
                answer = service.post(url, json=request, headers=headers)
                sent += 1
                heads.append(str(answer.headers))
                if answer.status_code == 200:
                    shown += [card["uuid"] for card in answer.json()["cards"]]
                else:
                    errors.append(answer.text)
            refused = [service.post(url, content=each, headers=headers) for each in broken(url)]
            refused += [tell(service, url, item) for item in items(shown[:2], "x")]
            refused.append(service.post(f"{url}/{NAME}?token={TOKEN}", headers=headers))
            errors += [answer.text for answer in refused]
            heads += [str(answer.headers) for answer in refused]
        counted = service.get("/metrics", headers=headers).text
        ready = service.get("/readyz", headers=headers).text
    stored = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    said = capfd.readouterr()
    assert sent > 300
    assert said.err.count('"event":"request"') > sent
    assert len(stored) > 50_000
    for place, text in {
        "log": said.err,
        "stdout": said.out,
        "metrics": counted,
        "readiness": ready,
        "errors": "".join(errors),
        "headers": "".join(heads),
        "database": stored.decode("latin-1"),
    }.items():
        assert CANARY.lower() not in text.lower(), place


def test_none_is_in_what_is_captured(tmp_path: Path) -> None:
    """Each kind in some of the fields; every string of a call, in one call: ``tests/service/replay``."""
    with TestClient(create_app(Settings(capture=tmp_path / "calls"), knowledge(), lambda: DAY)) as service:
        for request in list(requests(ORDER_SIGN))[::9]:
            service.post(ORDER_SIGN, json=request)
    kept = [path.read_text().lower() for path in (tmp_path / "calls").iterdir()]
    assert len(kept) >= 5
    assert [text for text in kept if CANARY.lower() in text] == []


def test_a_patient_stands_in_the_database_as_a_keyed_hash_alone(tmp_path: Path) -> None:
    request = body(PATIENT_VIEW, PATIENT)
    request["context"] |= {"userId": "Practitioner/WagtailJane"}
    found = []
    for name in ("a", "b"):
        with remembering(tmp_path / name / "memory.sqlite") as service:
            assert service.post(PATIENT_VIEW, json=request).json()["cards"]
        stored = b"".join(each.read_bytes() for each in (tmp_path / name).iterdir())
        assert request["context"]["patientId"].encode() not in stored
        assert b"WagtailJane" not in stored
        found.append(stored)
    assert found[0] != found[1]
