"""Feedback belongs to the client that was shown the card; what a silent client would have been shown is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from starlette.testclient import TestClient

from tests.support.hooks.calls import KETAMINE, ORDER_SIGN, PATIENT_VIEW, body, check, order
from tests.support.memory.service import overridden, remembering, rows
from tests.support.trust.signing import BASE, bearer, claims, client, recorded, signed

PATIENT = "uncontrolled-hypertension"
FEEDBACK = f"{ORDER_SIGN}/feedback"
GHOST = "00000000-0000-4000-8000-000000000000"


def by(name: str, url: str) -> dict[str, str]:
    """The header of one client's call of an address."""
    return bearer(signed(payload=claims(iss=f"https://{name}.example", aud=BASE + url)))


def cards(service: TestClient, name: str) -> list[dict[str, Any]]:
    request = body(ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
    answer = service.post(ORDER_SIGN, json=request, headers=by(name, ORDER_SIGN))
    assert answer.status_code == 200
    return check(answer.json())


def told(service: TestClient, name: str, card: str, url: str = FEEDBACK) -> Response:
    return service.post(url, json={"feedback": [overridden(card)]}, headers=by(name, url))


def tell(service: TestClient, name: str, card: str) -> int:
    return told(service, name, card).status_code


@pytest.fixture
def clients() -> tuple[Any, ...]:
    return tuple(client(name, "ec-1", mode=mode) for name, mode in (("a", "live"), ("b", "live"), ("c", "silent")))


def test_only_who_was_shown_a_card_may_answer_it(tmp_path: Path, clients: tuple[Any, ...]) -> None:
    with remembering(tmp_path / "memory.sqlite", clients=clients, replay_store=recorded()) as service:
        (card,) = cards(service, "a")
        assert "is not a card" in told(service, "b", card["uuid"]).text
        assert tell(service, "a", card["uuid"]) == 200
        untold = service.post(FEEDBACK, json={"feedback": [overridden(card["uuid"])]})
        assert untold.status_code == 401


def test_the_card_of_another_client_is_told_from_one_that_never_was_by_nobody(
    tmp_path: Path, clients: tuple[Any, ...]
) -> None:
    everyone = (*clients, client("d", "ec-1", mode="off"))
    with remembering(tmp_path / "memory.sqlite", clients=everyone, replay_store=recorded()) as service:
        (card,) = cards(service, "a")
        never = told(service, "a", GHOST)
        foreign = [told(service, name, card["uuid"]) for name in ("b", "c")]
        foreign.append(told(service, "a", card["uuid"], f"{PATIENT_VIEW}/feedback"))
        foreign.append(told(service, "b", card["uuid"], f"{PATIENT_VIEW}/feedback"))
        assert [each.status_code for each in (never, *foreign)] == [200] * 5
        assert {each.content for each in foreign} == {never.content}
        assert told(service, "d", card["uuid"]).content == never.content
        mixed = {"feedback": [overridden(each) for each in (GHOST, card["uuid"], card["uuid"], card["uuid"].upper())]}
        answer = service.post(FEEDBACK, json=mixed, headers=by("b", FEEDBACK))
        assert answer.status_code == 200
        assert len(answer.json()["issue"]) == 4
    assert rows(tmp_path / "memory.sqlite", "SELECT * FROM feedback") == []


def test_what_a_silent_client_would_have_been_shown_is_counted(tmp_path: Path, clients: tuple[Any, ...]) -> None:
    with remembering(tmp_path / "memory.sqlite", clients=clients, replay_store=recorded()) as service:
        assert cards(service, "c") == []
        counted = [line for line in service.get("/metrics").text.splitlines() if 'mode="silent"' in line]
        assert any(float(line.rpartition(" ")[2]) > 0 for line in counted), service.get("/metrics").text
