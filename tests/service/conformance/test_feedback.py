"""Feedback as clients send it, and as they may not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.conformance.ehr import request
from tests.support.hooks.calls import ORDER_SIGN
from tests.support.memory.service import remembering

FEEDBACK = f"{ORDER_SIGN}/feedback"
WHEN = "2026-01-15T10:00:00Z"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The service with a database."""
    file = tmp_path_factory.mktemp("memory") / "memory.sqlite"
    with remembering(file, quiet_days=0) as client:
        yield client


@pytest.fixture
def card(service: TestClient) -> str:
    """A card that was shown."""
    return str(service.post(ORDER_SIGN, json=request()).json()["cards"][0]["uuid"])


def accepted(card: str, **changes: Any) -> dict[str, Any]:
    given = {"card": card, "outcome": "accepted", "acceptedSuggestions": [{"id": "s1"}], "outcomeTimestamp": WHEN}
    return given | changes


def overridden(card: str, **changes: Any) -> dict[str, Any]:
    return {"card": card, "outcome": "overridden", "outcomeTimestamp": WHEN} | changes


def status(service: TestClient, *items: Any) -> int:
    return int(service.post(FEEDBACK, json={"feedback": list(items)}).status_code)


def test_what_was_accepted_is_taken(service: TestClient, card: str) -> None:
    assert status(service, accepted(card)) == 200
    assert status(service, accepted(card, extension={"com.example": {"a": 1}}, more=3)) == 200


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"overrideReason": {"reason": {"code": "c", "system": "https://example.org/reasons", "display": "d"}}},
        {"overrideReason": {"reason": {"code": "c", "system": "https://example.org/reasons"}}},
        {"overrideReason": {"reason": {"code": "c"}, "userComment": "<script>alert(1)</script>'; drop table x; --"}},
        {"overrideReason": {"userComment": "seen"}},
        {"overrideReason": {"code": "c", "system": "https://example.org/reasons"}},
    ],
)
def test_what_was_overridden_is_taken_with_any_reason_or_none(
    more: dict[str, Any], service: TestClient, card: str
) -> None:
    assert status(service, overridden(card, **more)) == 200


def test_several_cards_and_a_change_of_mind_are_taken(service: TestClient, card: str) -> None:
    other = str(service.post(ORDER_SIGN, json=request()).json()["cards"][0]["uuid"])
    assert status(service, overridden(card), accepted(card), accepted(other)) == 200
    assert status(service, overridden(card)) == 200


def test_a_card_that_nobody_knows_does_no_harm(service: TestClient) -> None:
    assert status(service, overridden("7b0a6f1e-0000-4000-8000-000000000000")) < 500
    assert status(service, overridden("not a uuid")) < 500


@pytest.mark.parametrize(
    "instant",
    ["2026-01-15T10:00:00Z", "2026-01-15T10:00:00.123456Z", "2026-01-15t10:00:00z", "2026-01-15T10:00:00+01:00"],
)
def test_instants_of_any_spelling_are_read(instant: str, service: TestClient, card: str) -> None:
    assert status(service, overridden(card, outcomeTimestamp=instant)) == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"outcome": "ignored"},
        {"outcome": None},
        {"outcome": "accepted"},
        {"card": None},
        {"card": 3},
        {"outcomeTimestamp": None},
        {"outcomeTimestamp": "yesterday"},
        {"outcome": "accepted", "acceptedSuggestions": {}},
    ],
)
def test_what_is_no_feedback_is_refused(wrong: dict[str, Any], service: TestClient, card: str) -> None:
    item = {key: value for key, value in (overridden(card) | wrong).items() if value is not None}
    assert 400 <= status(service, item) < 500
    for body in ({}, {"feedback": {}}, {"feedback": None}, [], "x"):
        assert 400 <= service.post(FEEDBACK, json=body).status_code < 500


def test_feedback_to_no_service_is_404(service: TestClient, card: str) -> None:
    answer = service.post("/cds-services/nothing-of-that-id/feedback", json={"feedback": [overridden(card)]})
    assert answer.status_code == 404
