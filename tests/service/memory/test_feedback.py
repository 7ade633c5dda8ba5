"""Feedback as clients send it: kept once, kept before it is acknowledged, and refused with the place of the fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from cds_hooks.memory.store import MOST_ANSWERS
from cds_hooks.memory.wire import MOST_ITEMS, read_feedback
from cds_hooks.protocol.errors import BadRequest
from tests.support.hooks.calls import KETAMINE, ORDER_SIGN, PATIENT_VIEW, client, order
from tests.support.memory.service import OURS, accepted, call, overridden, remembering, rows, tell, with_tables

PATIENT = "two-failures"
MISSING = "00000000-0000-4000-8000-000000000000"
FEEDBACK = "SELECT card, outcome, reason, comment, accepted FROM feedback ORDER BY id"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return with_tables(tmp_path / "memory.sqlite")


@pytest.fixture
def service(file: Path) -> Iterator[TestClient]:
    with remembering(file) as found:
        yield found


@pytest.fixture
def card(service: TestClient) -> str:
    (shown,) = call(service, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
    return str(shown["uuid"])


def test_an_override_with_its_reason_is_kept(service: TestClient, file: Path, card: str) -> None:
    answer = tell(service, ORDER_SIGN, overridden(card))
    assert (answer.status_code, answer.content) == (200, b"")
    assert rows(file, FEEDBACK) == [(card, "overridden", "considered", "", "[]")]


SHAPES: dict[str, tuple[dict[str, Any], str]] = {
    "no reason": ({}, "none"),
    "reason without display": ({"overrideReason": {"reason": {"code": "considered", "system": OURS}}}, "considered"),
    "reason without system, as the sandbox sends it": ({"overrideReason": {"reason": {"code": "other"}}}, "other"),
    "the draft of 1.1": ({"overrideReason": {"code": "considered", "system": OURS}}, "considered"),
    "a comment alone": ({"overrideReason": {"userComment": "seen"}}, "comment"),
    "a reason of the EHR": ({"overrideReason": {"reason": {"code": "E1", "system": "urn:ehr"}}}, "unlisted"),
    "our code, another system": ({"overrideReason": {"reason": {"code": "other", "system": "urn:ehr"}}}, "unlisted"),
    "an extension": ({"extension": {"com.example": {"a": [None]}}, "unknown": 1}, "none"),
    "an empty reason": ({"overrideReason": {}}, "none"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_a_reason_is_taken(service: TestClient, file: Path, card: str, shape: str) -> None:
    more, reason = SHAPES[shape]
    assert tell(service, ORDER_SIGN, overridden(card, None, **more)).status_code == 200
    assert rows(file, "SELECT reason FROM feedback") == [(reason,)]


@pytest.mark.parametrize(
    ("moment", "milliseconds"),
    [
        ("2026-01-15T10:00:00Z", 1768471200000),
        ("2026-01-15t10:00:00z", 1768471200000),
        ("2026-01-15T10:00:00.123Z", 1768471200123),
        ("2026-01-15T10:00:00.123456789Z", 1768471200123),
        ("2026-01-15T11:30:00+01:30", 1768471200000),
    ],
)
def test_moments_are_read_as_rfc_3339_has_them(moment: str, milliseconds: int) -> None:
    (item,) = read_feedback(json.dumps({"feedback": [overridden("card", at=moment)]}).encode())
    assert item.outcome_at == milliseconds


WRONG: list[tuple[Any, str]] = [
    ({}, "/feedback"),
    ({"feedback": {}}, "/feedback"),
    ({"feedback": None}, "/feedback"),
    ([], ""),
    ({"feedback": ["x"]}, "/feedback/0"),
    ({"feedback": [overridden("c") | {"card": None}]}, "/feedback/0/card"),
    ({"feedback": [overridden("c") | {"card": ""}]}, "/feedback/0/card"),
    ({"feedback": [overridden("c") | {"outcome": "ignored"}]}, "/feedback/0/outcome"),
    ({"feedback": [{"card": "c", "outcomeTimestamp": "2026-01-15T10:00:00Z"}]}, "/feedback/0/outcome"),
    ({"feedback": [{"card": "c", "outcome": "overridden"}]}, "/feedback/0/outcomeTimestamp"),
    ({"feedback": [overridden("c", at="yesterday")]}, "/feedback/0/outcomeTimestamp"),
    ({"feedback": [overridden("c", at="2026-01-15")]}, "/feedback/0/outcomeTimestamp"),
    ({"feedback": [overridden("c", at="2026-01-15T10:00:00")]}, "/feedback/0/outcomeTimestamp"),
    ({"feedback": [overridden("c", at="2026-02-30T10:00:00Z")]}, "/feedback/0/outcomeTimestamp"),
    ({"feedback": [overridden("c", at="0001-01-01T00:00:00+23:59")]}, "/feedback/0/outcomeTimestamp"),
    ({"feedback": [overridden("c"), accepted("c") | {"acceptedSuggestions": None}]}, "/feedback/1/acceptedSuggestions"),
    ({"feedback": [accepted("c") | {"acceptedSuggestions": [{}]}]}, "/feedback/0/acceptedSuggestions/0/id"),
    ({"feedback": [overridden("c")] * (MOST_ITEMS + 1)}, "/feedback"),
]


@pytest.mark.parametrize(("content", "pointer"), WRONG)
def test_what_cannot_be_used_is_refused_with_its_place(content: Any, pointer: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read_feedback(json.dumps(content).encode())
    assert refused.value.pointer.startswith(pointer)


def test_nothing_of_a_refused_request_is_kept(service: TestClient, file: Path, card: str) -> None:
    answer = tell(service, ORDER_SIGN, overridden(card), overridden(card, at="never"))
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert rows(file, FEEDBACK) == []


def test_the_same_item_a_thousand_times_is_one(service: TestClient, file: Path, card: str) -> None:
    for _ in range(10):
        assert tell(service, ORDER_SIGN, *[overridden(card)] * MOST_ITEMS).status_code == 200
    assert len(rows(file, FEEDBACK)) == 1


def test_a_change_of_mind_is_kept_up_to_a_limit(service: TestClient, file: Path, card: str) -> None:
    moments = [f"2026-01-15T10:{minute:02}:00Z" for minute in range(50)]
    answer = tell(service, ORDER_SIGN, *(overridden(card, at=moment) for moment in moments))
    assert answer.status_code == 200
    assert len(answer.json()["issue"]) == len(moments) - MOST_ANSWERS
    assert len(rows(file, FEEDBACK)) == MOST_ANSWERS
    assert tell(service, ORDER_SIGN, overridden(card, at="2026-01-16T10:00:00Z")).status_code == 422


def test_several_cards_in_one_request(service: TestClient, file: Path, card: str) -> None:
    dosage = [{"doseAndRate": [{"doseQuantity": {"value": 250, "unit": "mg"}}]}]  # far out: a card of its own
    cards = call(service, ORDER_SIGN, "acute-crisis", order(KETAMINE, "acute-crisis", dosageInstruction=dosage))
    assert len(cards) > 1
    answer = tell(service, ORDER_SIGN, overridden(card), *(overridden(each["uuid"]) for each in cards))
    assert answer.status_code == 200
    assert len(rows(file, FEEDBACK)) == 1 + len(cards)


def test_of_accepted_suggestions_the_place_is_kept(service: TestClient, file: Path) -> None:
    cards = call(service, PATIENT_VIEW, "uncontrolled-hypertension")
    (scores,) = (each for each in cards if "suggestions" in each)
    first = scores["suggestions"][0]["uuid"]
    assert tell(service, PATIENT_VIEW, accepted(scores["uuid"], first, "Jane Roe")).status_code == 200
    assert rows(file, FEEDBACK) == [(scores["uuid"], "accepted", "none", "", "[0]")]


@pytest.mark.parametrize(
    "unknown", [MISSING, "x", "", " ", "Jane Roe", "\x00" * 36, "a" * 100_000, "'; DROP TABLE cards;--"]
)
def test_an_unknown_card_is_not_kept_and_the_others_are(
    service: TestClient, file: Path, card: str, unknown: str
) -> None:
    if not unknown:
        assert tell(service, ORDER_SIGN, overridden(unknown)).status_code == 400
        return
    alone = tell(service, ORDER_SIGN, overridden(unknown))
    assert (alone.status_code, alone.json()["issue"][0]["severity"]) == (200, "warning")
    answer = tell(service, ORDER_SIGN, overridden(unknown), overridden(card))
    assert answer.status_code == 200
    (issue,) = answer.json()["issue"]
    assert issue["diagnostics"].startswith("/feedback/0/card")
    assert len(rows(file, FEEDBACK)) == 1


def test_a_card_of_another_service_is_unknown(service: TestClient, card: str) -> None:
    answer = tell(service, PATIENT_VIEW, overridden(card))
    assert answer.status_code == 200
    assert "is not a card that this service has shown" in answer.text


def test_an_unknown_service_is_404(service: TestClient) -> None:
    assert tell(service, "/cds-services/none", overridden(MISSING)).status_code == 404


def test_no_items_are_nothing_to_keep(service: TestClient) -> None:
    assert tell(service, ORDER_SIGN).status_code == 200


def test_a_comment_is_kept_only_where_the_site_wants_it(tmp_path: Path) -> None:
    said = {"userComment": "seen by\x00 the\nteam' OR 1=1 --"}
    for wanted in (False, True):
        file = tmp_path / f"{wanted}.sqlite"
        with remembering(file, feedback_comments=wanted) as service:
            (shown,) = call(service, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
            item = overridden(shown["uuid"], None, overrideReason=said)
            assert tell(service, ORDER_SIGN, item).status_code == 200
        assert rows(file, "SELECT comment FROM feedback") == [("seen by the team' OR 1=1 --" if wanted else "",)]


def test_a_reason_of_the_ehr_is_kept_by_name_where_the_site_lists_it(file: Path) -> None:
    with remembering(file, feedback_reasons=("urn:ehr|E1",)) as service:
        (shown,) = call(service, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
        item = overridden(shown["uuid"], None, overrideReason={"reason": {"code": "E1", "system": "urn:ehr"}})
        tell(service, ORDER_SIGN, item)
    assert rows(file, "SELECT reason FROM feedback") == [("urn:ehr|E1",)]


def test_without_a_database_feedback_is_not_offered() -> None:
    assert tell(client(), ORDER_SIGN, overridden(MISSING)).status_code == 404


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["feedback", "card", "outcome", "reason"]), inner)
        ),
    )
)
def test_any_body_is_read_or_refused(content: Any) -> None:
    with suppress(BadRequest):
        read_feedback(json.dumps(content).encode())
