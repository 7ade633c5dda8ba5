"""Two hundred records, each input taken away in turn: nothing that was held back is ever let through.

The records are the demo patients with resources left out and others put in, so that treatments stand everywhere from
contraindicated to open; the draw is fixed, so that a failure comes back.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from cds_hooks.demo.stories import demo_patients
from fhir_plugin.deciding.assess import assess
from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.deciding.recommend import recommend
from fhir_plugin.deciding.standing import CLEARED
from fhir_plugin.facts.fact import Count
from fhir_plugin.facts.read import read_facts
from fhir_plugin.record.decoding import record_from_bundle
from fhir_plugin.record.record import NOT_RETRIEVED, Input, InputState, Record
from mappings.schema.load import Knowledge
from tests.support.knowledge.charts import AS_OF, PLACES, condition, pressure, resource

RECORDS, SEED = 200, 20260601
EXTRA: tuple[dict[str, Any], ...] = (
    condition("F20.0", id="x1"),
    condition("F10.20", id="x2"),
    condition("I67.1", id="x3"),
    condition("Z96.21", id="x4"),
    condition("G40.909", id="x5"),
    condition("Z33.1", id="x6", onsetDateTime="2026-04-01"),
    condition("F31.4", id="x7"),
    condition("F33.1", id="x8", verificationStatus={"coding": [{"code": "unconfirmed"}]}),
    pressure(172, 104, "2026-05-30", id="x9"),
    pressure(122, 78, "2026-05-30", id="x10"),
    {"resourceType": "Device", "id": "x11", "type": {"text": "Cochlear implant"}},
    {"resourceType": "AllergyIntolerance", "id": "x12", "code": {"text": "Ketamine"}},
    {
        "resourceType": "MedicationDispense",
        "id": "x14",
        "status": "completed",
        "whenHandedOver": "2026-05-20",
        "medicationCodeableConcept": {"text": "phenelzine"},
        "daysSupply": {"value": 30, "unit": "d"},
    },
    {
        "resourceType": "MedicationStatement",
        "id": "x15",
        "status": "active",
        "medicationCodeableConcept": {"text": "alprazolam"},
    },
    condition("I21.4", id="x16", onsetDateTime="2026-05-11"),
    {
        "resourceType": "Procedure",
        "id": "x13",
        "status": "completed",
        "code": {"coding": [{"system": "u", "code": "1"}]},
    },
)


@cache
def stories() -> tuple[Record, ...]:
    return tuple(record_from_bundle(told.bundle) for told in demo_patients(AS_OF))


def drawn(number: int) -> Record:
    """The record of a number: a story, some resources left out, some put in."""
    draw = random.Random(SEED + number)  # noqa: S311 - a fixed draw, not a secret
    record = draw.choice(stories())
    left_out = draw.choice((0.0, 0.0, 0.02, 0.2))
    inputs = {
        name: replace(each, resources=tuple(one for one in each.resources if draw.random() >= left_out))
        for name, each in record.inputs.items()
    }
    for content in draw.sample(EXTRA, draw.choice((0, 0, 0, 1, 2))):
        place = PLACES[content["resourceType"]]
        inputs[place] = replace(inputs[place], resources=(*inputs[place].resources, resource(content)))
    return replace(record, inputs=inputs)


def less(record: Record, number: int) -> Iterator[tuple[str, Record]]:
    """The record without each of its inputs in turn: not retrieved, not readable, or only a part of it."""
    ways = (NOT_RETRIEVED, Input(InputState.UNREADABLE), None)
    for turn, (place, whole) in enumerate(sorted(record.inputs.items())):
        taken = ways[(number + turn) % len(ways)] or replace(whole, state=InputState.PARTIAL)
        yield place, replace(record, inputs={**record.inputs, place: taken})


def let_through(record: Record, knowledge: Knowledge) -> set[tuple[str, str, str]]:
    """Under which protocol each treatment is cleared or may be offered, and which pathways may be proposed."""
    findings = assess(read_facts(record, knowledge, AS_OF), knowledge)
    found: set[tuple[str, str, str]] = set()
    for name, protocol in knowledge.protocols.items():
        made = recommend(findings, protocol, knowledge)
        found |= {("cleared", name, answer.treatment) for answer in made.treatments if answer.standing in CLEARED}
        found |= {("offered", name, answer.treatment) for answer in made.treatments if answer.may_be_offered}
        found |= {
            ("proposed", name, answer.id)
            for answer in made.pathways
            if answer.pathway.steps
            and answer.fits is Verdict.MET
            and all(("offered", name, step.treatment) in found for step in answer.pathway.steps)
        }
    return found


@pytest.mark.parametrize("tens", range(RECORDS // 10))
def test_taking_an_input_away_lets_nothing_through(tens: int, knowledge: Knowledge) -> None:
    for number in range(tens * 10, tens * 10 + 10):
        record = drawn(number)
        before = let_through(record, knowledge)
        for place, fewer in less(record, number):
            assert let_through(fewer, knowledge) <= before, (number, place)


def test_the_records_stand_on_both_sides(knowledge: Knowledge) -> None:
    """If nothing were ever let through, or everything, the property would say little."""
    found = [let_through(drawn(number), knowledge) for number in range(RECORDS)]
    for kind, treatment in (("cleared", "ketamine"), ("offered", "ketamine"), ("offered", "tms")):
        some = [any((each[0], each[2]) == (kind, treatment) for each in through) for through in found]
        assert RECORDS / 5 < sum(some) < RECORDS * 4 / 5, (kind, treatment, sum(some))
    assert sum(any(each[0] == "proposed" for each in through) for through in found) > RECORDS / 10


def test_every_input_is_taken_away(knowledge: Knowledge) -> None:
    assert {place for place, _ in less(drawn(0), 0)} >= set(knowledge.inputs)


@pytest.mark.parametrize(("dispenses", "certain"), [(Input(InputState.COMPLETE), 2), (NOT_RETRIEVED, 0)])
def test_orders_alone_are_certain_trials_only_where_the_dispenses_were_read(
    dispenses: Input, certain: int, knowledge: Knowledge
) -> None:
    (told,) = (told for told in demo_patients(AS_OF) if told.id == "two-failures")
    record = record_from_bundle(told.bundle)
    facts = read_facts(replace(record, inputs={**record.inputs, "medicationDispenses": dispenses}), knowledge, AS_OF)
    count = facts.named["trials.failed"].value
    assert isinstance(count, Count)
    assert count.low == certain
