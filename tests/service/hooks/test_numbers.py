"""Every number on a card is from the knowledge or from a resource of the record, and can be shown to be."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from msgspec.structs import replace

from cds_hooks.cards.builder import CardContext
from cds_hooks.cards.criteria import criteria_card
from cds_hooks.cards.own_cards import antidepressant_card, safety_cards
from cds_hooks.demo.stories import demo_patients
from cds_hooks.protocol.responses import Card
from cds_hooks.settings.settings import Detail
from fhir_plugin.deciding.decide import decide
from fhir_plugin.record.decoding import record_from_bundle
from fhir_plugin.record.record import Record
from tests.support.hooks.calls import DAY
from tests.support.hooks.tracing import numbers, unknown_references, untraced
from tests.support.knowledge.charts import AS_OF, chart
from tests.support.knowledge.drawn import contents
from tests.support.profiles import examples
from tests.support.shipped import shipped

PATIENTS = {patient.id: patient for patient in demo_patients(DAY)}
ORDERS = ((), ("ketamine",), ("esketamine",), ("tms",), ("ketamine", "tms"))


DETAILS: tuple[Detail, ...] = ("brief", "full")


def new_id() -> str:
    return "00000000-0000-4000-8000-000000000000"


def tellings(record: Record, as_of: Any, details: tuple[Detail, ...] = DETAILS) -> list[CardContext]:
    knowledge = shipped()
    made = []
    for ordered in ORDERS:
        decision = decide(record, knowledge, as_of=as_of, ordered=ordered)
        hook = "order-sign" if ordered else "patient-view"
        made += [CardContext(decision, knowledge, hook, as_of, 0, new_id, detail=each) for each in details]
    return made


def cards(telling: CardContext) -> tuple[Card, ...]:
    """All but the card before a session, whose numbers ``tests/quick/sessions`` traces."""
    others = (*safety_cards(telling), *antidepressant_card(telling))
    return (criteria_card(telling), *others)


def resources_of(bundle: bytes) -> Mapping[str, Any]:
    entries = [entry["resource"] for entry in json.loads(bundle)["entry"]]
    return {f"{each['resourceType']}/{each['id']}": each for each in entries}


@pytest.mark.parametrize("patient", PATIENTS)
def test_every_number_and_every_reference_on_a_card_is_accounted_for(patient: str) -> None:
    bundle = PATIENTS[patient].bundle
    resources = resources_of(bundle)
    for telling in tellings(record_from_bundle(bundle, None), DAY):
        for card in cards(telling):
            assert untraced(card, telling, resources) == []
            assert unknown_references(card, resources) == []


@examples(0.4)
@given(contents)
def test_so_they_are_for_any_record(entries: list[dict[str, Any]]) -> None:
    kept = {f"{each['resourceType']}/{each['id']}": each for each in entries}  # one resource for each id
    for telling in tellings(chart(*kept.values()), AS_OF):
        for card in cards(telling):
            assert untraced(card, telling, kept) == []


@pytest.mark.parametrize("patient", ["acute-crisis", "uncontrolled-hypertension", "partial-response-to-tms"])
@pytest.mark.parametrize(("detail", "least"), [("full", 10), ("brief", 2)])
def test_a_number_that_is_wrong_is_found(patient: str, detail: Detail, least: int) -> None:
    """The property can fail: each number of the rows and of the trials, changed by itself, is noticed."""
    bundle = PATIENTS[patient].bundle
    telling = tellings(record_from_bundle(bundle, None), DAY, (detail,))[1]
    card, resources = criteria_card(telling), resources_of(bundle)
    changed = noticed = 0
    for match in re.finditer(r"(?<![\w.-])\d{1,3}(?![\w.-])", card.detail):
        wrong = str(int(match.group()) + 611)
        text = card.detail[: match.start()] + wrong + card.detail[match.end() :]
        changed += 1
        noticed += bool(untraced(replace(card, detail=text), telling, resources))
    assert noticed == changed > least


@pytest.mark.parametrize(
    ("told", "wrong"),
    [("BP 172/104", "BP 171/104"), ("BP 172/104", "BP 172/105"), ("13 Jan", "12 Jan"), ("13 Jan", "13 Feb")],
)
def test_a_value_or_a_date_of_the_headline_that_is_wrong_is_found(told: str, wrong: str) -> None:
    bundle = PATIENTS["uncontrolled-hypertension"].bundle
    telling = tellings(record_from_bundle(bundle, None), DAY, ("brief",))[1]
    card, resources = criteria_card(telling), resources_of(bundle)
    assert told in card.summary
    assert untraced(card, telling, resources) == []
    assert untraced(replace(card, summary=card.summary.replace(told, wrong)), telling, resources)


def test_a_limit_that_is_not_the_criterion_s_is_found() -> None:
    bundle = PATIENTS["acute-crisis"].bundle
    telling = tellings(record_from_bundle(bundle, None), DAY, ("full",))[0]
    card = criteria_card(telling)
    assert "at least 18 years" in card.detail
    wrong = replace(card, detail=card.detail.replace("at least 18 years", "at least 21 years"))
    assert untraced(wrong, telling, resources_of(bundle))


def test_numbers_are_told_from_names() -> None:
    assert numbers("C0 x12, 25 on 2026-01-15, 0.5 mg/kg, 2024-01 (4)") == [
        "25",
        "2026-01-15",
        "0.5",
        "2024-01",
        "4",
    ]
    assert numbers("BP 172/104 on 25 Nov, MI Jan 2020, 21 days ago") == [
        "172",
        "104",
        "25 Nov",
        "Jan 2020",
        "21 days ago",
    ]
