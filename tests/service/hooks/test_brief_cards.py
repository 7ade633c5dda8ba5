"""A card is read in ten seconds: how long it is, what stands first, and what never stands on it."""

from __future__ import annotations

import re
from statistics import median
from typing import Any

import pytest
from hypothesis import given

from cds_hooks.cards.builder import CardContext
from cds_hooks.cards.crisis import with_few_suggestions, with_safety
from cds_hooks.cards.criteria import criteria_card
from cds_hooks.cards.own_cards import safety_cards
from cds_hooks.cards.this_order import with_checks
from fhir_plugin.deciding.decide import decide
from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.deciding.standing import Standing
from mappings.schema.rules.protocols import Role
from tests.support.hooks.calls import ESKETAMINE, KETAMINE, ORDER_SELECT, ORDER_SIGN, PATIENT_VIEW, PATIENTS, TMS, order
from tests.support.hooks.calls import cards as cards_of
from tests.support.knowledge.charts import AS_OF, chart
from tests.support.knowledge.drawn import contents
from tests.support.knowledge.topics import words as problem
from tests.support.profiles import examples
from tests.support.shipped import shipped

RULE, MOST, MOST_WITH_TABLE = 90, 130, 250
DOSES = {"as expected": "36 mg IV over 40 minutes, 3 times a week", "a push": "72 mg IV push", "tenfold": "410 mg IV"}
NEVER = (
    re.compile(r"\b[A-Z][A-Za-z]+/[\w-]+\b(?<!ketamine/TMS)"),  # a reference to a resource
    re.compile(r"Knowledge [0-9a-f]{12}"),
    re.compile("another patient|Looked for and not found|Where the sources disagree|…"),
)


def drafts(patient: str) -> list[list[dict[str, Any]]]:
    """What may be ordered, alone and together."""
    second = {"id": "draft-2"}
    dosed = [order(KETAMINE, patient, dosageInstruction=[{"text": text}]) for text in DOSES.values()]
    return [
        [order(KETAMINE, patient)],
        [order(ESKETAMINE, patient)],
        [order(TMS, patient)],
        [order(KETAMINE, patient), order(TMS, patient) | second],
        *([draft] for draft in dosed),
    ]


def all_cards(patient: str) -> list[dict[str, Any]]:
    """Every card of one patient, at the hooks at which something is viewed or ordered."""
    found = cards_of(PATIENT_VIEW, patient, detail="brief")
    for url in (ORDER_SELECT, ORDER_SIGN):
        for several in drafts(patient):
            found += cards_of(url, patient, *several, detail="brief")
    return found


def without_table(detail: str) -> str:
    return "\n".join(line for line in detail.splitlines() if not line.startswith("|"))


def words(text: str) -> int:
    """As strictly as anybody might count: everything between spaces."""
    return len(text.split())


@pytest.mark.parametrize("patient", PATIENTS)
def test_a_card_of_a_demo_patient_is_short_and_says_nothing_twice(patient: str) -> None:
    for card in all_cards(patient):
        summary, detail = card["summary"], card["detail"]
        assert len(summary) < 140
        assert not summary.endswith(("…", ";", ":", ","))
        assert words(without_table(detail)) <= MOST, detail
        assert words(detail) <= MOST_WITH_TABLE, detail
        assert summary not in detail
        assert len(card.get("suggestions", ())) <= 3
        for pattern in NEVER:
            assert not pattern.search(detail), (pattern.pattern, detail)


def test_ninety_words_are_the_rule() -> None:
    counted = [words(without_table(card["detail"])) for patient in PATIENTS for card in all_cards(patient)]
    assert median(counted) <= RULE
    assert sum(count <= RULE for count in counted) >= 0.9 * len(counted), sorted(counted)[-20:]


@given(contents)
@examples(1)
def test_a_card_of_any_record_is_short_and_never_reassures_over_a_caution(entries: list[dict[str, Any]]) -> None:
    knowledge, record = shipped(), chart(*entries)
    for protocol in knowledge.protocols:
        for ordered in ((), ("ketamine",), ("tms",), ("ketamine", "tms")):
            decision = decide(record, knowledge, as_of=AS_OF, protocol=protocol, ordered=ordered)
            hook = "order-sign" if ordered else "patient-view"
            context = CardContext(decision, knowledge, hook, AS_OF, 0, new_id=iter(map(str, range(10_000))).__next__)
            made = with_safety(context, safety_cards(context), (with_checks(context, criteria_card(context)),))
            for card in with_few_suggestions(context, made):
                assert len(card.summary) < 140
                assert words(without_table(card.detail)) <= MOST, card.detail
                assert words(card.detail) <= MOST_WITH_TABLE, card.detail
            _check_standings(context)


def _check_standings(context: CardContext) -> None:
    """Met, and nothing against it, only where every caution is clear and nothing that forbids is open."""
    for answer in context.decision.recommendation.treatments:
        if answer.standing is Standing.MET:
            for weighed in answer.weighed:
                if weighed.role in (Role.CAUTION, Role.CONTRAINDICATION, Role.HOLD):
                    assert weighed.finding.verdict is Verdict.NOT_MET, weighed.finding.criterion


def test_where_the_app_shows_the_basis_the_card_has_no_table() -> None:
    knowledge = shipped()
    decision = decide(chart(), knowledge, as_of=AS_OF, ordered=("ketamine",))
    for has_app in (False, True):
        context = CardContext(decision, knowledge, "order-sign", AS_OF, 0, lambda: "1", has_app=has_app)
        assert ("|" in criteria_card(context).detail) is not has_app


def test_a_list_that_was_not_read_whole_is_named_and_not_everything_on_it_asked_for() -> None:
    knowledge = shipped()
    decision = decide(chart(partial=("conditions",)), knowledge, as_of=AS_OF, ordered=("ketamine",))
    card = criteria_card(CardContext(decision, knowledge, "order-sign", AS_OF, 0, lambda: "1"))
    assert "problem list" in card.summary + card.detail
    assert "Confirm or exclude" not in card.detail


def test_a_dangerous_dose_stands_in_the_summary_and_not_again_below() -> None:
    draft = order(KETAMINE, "two-failures", dosageInstruction=[{"text": "5 mg/kg IV over 40 minutes"}])
    (card,) = cards_of(ORDER_SIGN, "two-failures", draft, detail="brief")
    assert (card["indicator"], "5 mg/kg" in card["summary"]) == ("critical", True)
    assert "5 mg/kg" not in card["detail"]


def test_two_drafts_of_one_family_lead_the_headline_once() -> None:
    second = order(ESKETAMINE, "two-failures") | {"id": "draft-2"}
    (card,) = cards_of(ORDER_SIGN, "two-failures", order(KETAMINE, "two-failures"), second, detail="brief")
    assert card["indicator"] == "warning"
    assert card["summary"].count("two drafts at once (Esketamine, Ketamine)") == 1


def test_a_drug_that_no_table_has_is_named_in_the_detail_and_not_in_the_summary() -> None:
    knowledge = shipped()
    code = {"text": "Xyzoprant 5 mg"}
    drug = {"resourceType": "MedicationRequest", "id": "m", "status": "active", "intent": "order"}
    drug |= {"authoredOn": "2026-05-01", "medicationCodeableConcept": code}
    decision = decide(chart(drug), knowledge, as_of=AS_OF, ordered=("ketamine",))
    card = criteria_card(CardContext(decision, knowledge, "order-sign", AS_OF, 0, lambda: "1"))
    assert "Not recognised: `Xyzoprant 5 mg`." in card.detail
    assert "Xyzoprant" not in card.summary


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Afib, on `Eliquis`", "* **Heart disease or stroke** (`Afib, on 'Eliquis'`): a rise"),
        ("Heart disease or stroke", "* **Heart disease or stroke**: a rise"),
    ],
)
def test_a_possible_reason_shows_the_entry_that_may_mean_it(text: str, line: str) -> None:
    knowledge = shipped()
    decision = decide(chart(problem(text)), knowledge, as_of=AS_OF, ordered=("ketamine",))
    card = criteria_card(CardContext(decision, knowledge, "order-sign", AS_OF, 0, lambda: "1"))
    assert line in card.detail
    assert "possible heart disease or stroke" in card.summary
    assert "Eliquis" not in card.summary


def test_a_card_about_another_antidepressant_names_the_failures_in_a_sentence() -> None:
    (card,) = cards_of(ORDER_SIGN, "two-failures", order({"text": "vortioxetine 10 mg"}, "two-failures"))
    assert card["summary"] == "2 failed trials in this episode: weigh ketamine, esketamine or TMS"
