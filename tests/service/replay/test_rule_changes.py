"""What two answers to one call say differently, by rule."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from cds_hooks.hooks.service import HookAnswer
from cds_hooks.replay.rule_changes import RuleChange, rule_changes
from tests.support.hooks.calls import KETAMINE, ORDER_SIGN, PATIENT_VIEW, answered, body, called, order

PATIENT = "two-failures"


def answer(*drafts: dict[str, object], url: str = ORDER_SIGN) -> HookAnswer:
    return answered(called(body(url, PATIENT, *drafts)))


def test_the_same_answer_with_other_identifiers_is_no_change() -> None:
    for made in (lambda: answer(order(KETAMINE, PATIENT)), lambda: answer(url=PATIENT_VIEW), answer):
        assert list(rule_changes(made(), made())) == []


def test_an_order_that_only_one_side_covers_is_one_change_and_its_card() -> None:
    covered, uncovered = answer(order(KETAMINE, PATIENT)), answer()
    changes = list(rule_changes(uncovered, covered))
    assert changes[0] == RuleChange("drafts", "not_covered", "covered")
    assert {change.before for change in changes[1:]} == {"not_shown"}
    assert [change.rule for change in changes[1:]] == [covered.bases[card.uuid].rule for card in covered.cards]
    assert next(rule_changes(covered, uncovered)) == RuleChange("drafts", "covered", "not_covered")


def test_a_verdict_and_a_standing_that_one_side_has_not_are_absent_there() -> None:
    whole = answer(url=PATIENT_VIEW)
    assert whole.decision is not None
    first, *others = whole.decision.findings
    weighed, *rest = whole.decision.recommendation.treatments
    less = msgspec.structs.replace(whole.decision.recommendation, treatments=tuple(rest))
    fewer = replace(whole, decision=replace(whole.decision, findings=tuple(others), recommendation=less))
    assert list(rule_changes(whole, fewer)) == [
        RuleChange(first.criterion, first.verdict.value, "absent"),
        RuleChange(f"standing:{weighed.treatment}", weighed.standing.value, "absent"),
    ]


def test_a_card_with_other_words_or_another_indicator_is_a_change_of_its_rule() -> None:
    whole = answer(order(KETAMINE, PATIENT))
    card = whole.cards[0]
    rule = whole.bases[card.uuid].rule
    for change, after in (({"detail": "other words"}, card.indicator), ({"indicator": "critical"}, "critical")):
        other = replace(whole, cards=(msgspec.structs.replace(card, **change), *whole.cards[1:]))
        assert list(rule_changes(whole, other)) == [RuleChange(rule, card.indicator, after)]


def test_two_cards_of_one_rule_are_told_apart() -> None:
    whole = answer(order(KETAMINE, PATIENT))
    card = whole.cards[0]
    twice = replace(whole, cards=(card, card, *whole.cards[1:]))
    changes = list(rule_changes(whole, twice))
    assert changes == [RuleChange(whole.bases[card.uuid].rule, "not_shown", card.indicator)]
