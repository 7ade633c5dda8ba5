"""The test patients before a session: what the card says, how long it is, and that each rule is tried on both sides."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from cds_hooks.cards.builder import MAX_SUMMARY_LENGTH, CardContext
from cds_hooks.cards.session import session_cards
from cds_hooks.protocol.responses import Card
from fhir_plugin.deciding.decide import Decision, decide
from fhir_plugin.sessions.review import review_session
from mappings.schema.base.files import KNOWLEDGE
from tests.support.knowledge.cases import KEYS, record_of
from tests.support.knowledge.charts import AS_OF
from tests.support.shipped import load_yaml, shipped

OWN_KEYS = {"card", "says", "lacks", "offers"}
MOST_WORDS = 130
USUAL_WORDS = 90
SILENT = "silent"


def cases() -> list[dict[str, Any]]:
    """The patients of ``sessions.cases.yaml``; a key that means nothing is an error."""
    found: list[dict[str, Any]] = load_yaml(KNOWLEDGE / "sessions.cases.yaml")
    for case in found:
        assert not case.keys() - KEYS - OWN_KEYS, case["patient"]
    return found


CASES = [pytest.param(case, id=case["patient"]) for case in cases()]


def decided(case: dict[str, Any]) -> Decision:
    return decide(record_of(case), shipped(), as_of=AS_OF)


def cards_of(decision: Decision) -> tuple[Card, ...]:
    numbers = count()
    context = CardContext(decision, shipped(), "encounter-start", AS_OF, 0, lambda: f"id-{next(numbers)}")
    return session_cards(context, ())


@pytest.mark.parametrize("case", CASES)
def test_the_card_says_what_the_patient_needs(case: dict[str, Any]) -> None:
    cards = cards_of(decided(case))
    if case["card"] == SILENT:
        assert [card.summary for card in cards] == []
        return
    (card,) = cards
    assert f"{card.indicator} {card.summary}" == case["card"]
    assert case.get("says", "") in card.detail
    assert "lacks" not in case or case["lacks"] not in card.summary + card.detail
    if "offers" in case:
        assert [item.label.rpartition(" ")[2] for item in card.suggestions] == case["offers"]


@pytest.mark.parametrize("case", CASES)
def test_the_card_is_read_in_ten_seconds(case: dict[str, Any]) -> None:
    for card in cards_of(decided(case)):
        assert len(card.summary) <= MAX_SUMMARY_LENGTH
        assert "…" not in card.summary
        assert len(card.detail.split()) <= MOST_WORDS
        assert len(card.suggestions) <= shipped().sessions.most_offers


def test_the_usual_card_is_shorter_still() -> None:
    lengths = sorted(len(card.detail.split()) for case in cases() for card in cards_of(decided(case)))
    assert lengths[len(lengths) * 9 // 10] <= USUAL_WORDS


@pytest.mark.parametrize("case", CASES)
def test_a_card_is_critical_exactly_where_a_dose_must_not_follow(case: dict[str, Any]) -> None:
    decision = decided(case)
    stops = [reason for reason in review_session(decision, shipped()).reasons if reason.level in ("stop", "hold")]
    assert ["critical"] * bool(stops) == [card.indicator for card in cards_of(decision) if card.indicator == "critical"]


@pytest.mark.parametrize("case", CASES)
def test_without_a_course_nothing_is_said(case: dict[str, Any]) -> None:
    assert cards_of(decided({**case, "sessions": []})) == ()


@pytest.mark.parametrize(
    "case", [case for case in CASES if "172/104" in str(case.values) or "150/95" in str(case.values)]
)
def test_blood_pressure_is_never_a_reason_before_tms_alone(case: dict[str, Any]) -> None:
    review = review_session(decided({**case, "sessions": ["tms 3, 2, 1 days ago"]}), shipped())
    assert "blood_pressure" not in {reason.rule.about for reason in review.reasons}


def fired() -> Iterator[tuple[str, str, bool]]:
    """Each rule that holds for some patient, by treatment, and whether it is only possible."""
    for case in cases():
        for reason in review_session(decided(case), shipped()).reasons:
            yield from ((reason.rule.id, treatment, reason.hit.possible) for treatment in reason.treatments)


def test_every_rule_holds_for_some_patient() -> None:
    certain = {rule for rule, _, possible in fired() if not possible}
    assert {rule.id for rule in shipped().sessions.rules} - certain == set()
