"""What must hold of offers for every record: no more of them by what is missing or stands against, and all drafts."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from cds_hooks.demo.stories import demo_patients
from fhir_plugin.facts.read import Facts, read_facts
from fhir_plugin.orders.offers import Offers
from fhir_plugin.record.decoding import record_from_bundle
from fhir_plugin.record.record import NOT_RETRIEVED, Input, InputState, Record
from mappings.schema.load import Knowledge
from tests.support.knowledge.charts import AS_OF, condition, observation, resource
from tests.support.orders.patients import DRAFTS, offered, treating
from tests.support.profiles import examples
from tests.support.shipped import shipped

HOOKS = [("patient-view", ()), ("order-select", ("ketamine",)), ("order-select", ("tms",)), ("order-sign", ("esketamine",))]  # fmt: skip  # noqa: E501
QUIET = examples(0.5, *HealthCheck)


@cache
def records() -> dict[str, Record]:
    """The demo patients."""
    return {told.id: record_from_bundle(told.bundle, None) for told in demo_patients(AS_OF)}


NAMES = sorted(records())
PROTOCOLS = sorted(shipped().protocols)


def made(record: Record, hook: str, drafts: tuple[str, ...], protocol: str, facts: Facts | None = None) -> Offers:
    """What is offered for a record, whose facts may have been read already."""
    knowledge = shipped()
    orders = [DRAFTS[name] | {"subject": {"reference": f"Patient/{record.patient_id}"}} for name in drafts]
    return offered(record, facts or read_facts(record, knowledge, AS_OF), knowledge, hook, protocol, orders)


@cache
def before(name: str, hook: str, drafts: tuple[str, ...], protocol: str) -> Offers:
    return made(records()[name], hook, drafts, protocol)


def less_of(record: Record, place: str) -> list[Record]:
    """The record with one input taken away, in each way that it may be missing."""
    ways = (NOT_RETRIEVED, Input(InputState.UNREADABLE), replace(record.input(place), state=InputState.PARTIAL))
    return [replace(record, inputs={**record.inputs, place: way}) for way in ways]


def with_more(record: Record, *contents: dict[str, Any]) -> Record:
    """The record with more conditions."""
    place = record.input("conditions")
    more = (*place.resources, *(resource(each) for each in contents))
    return replace(record, inputs={**record.inputs, "conditions": replace(place, resources=more)})


@pytest.mark.parametrize("name", NAMES)
def test_an_input_taken_away_never_adds_a_treatment(name: str) -> None:
    for place in records()[name].inputs:
        for less in less_of(records()[name], place):
            facts = read_facts(less, shipped(), AS_OF)
            for (hook, drafts), protocol in itertools.product(HOOKS, PROTOCOLS):
                after = made(less, hook, drafts, protocol, facts)
                assert treating(after) <= treating(before(name, hook, drafts, protocol)), (hook, place)


RECENT = (AS_OF - timedelta(days=20)).isoformat()
AGAINST = ["I67.1", "Z96.21", "F20.0", "F10.20", "F30.13", "I61.9", "Z33.1", "G40.919"]


@QUIET
@given(
    st.sampled_from(NAMES),
    st.sampled_from(HOOKS),
    st.sampled_from(PROTOCOLS),
    st.sets(st.sampled_from(AGAINST), min_size=1, max_size=3),
    st.sets(
        st.sampled_from(["devices", "procedures", "observations", "allergies", "medicationStatements"]), max_size=2
    ),
)
@example("nearly-empty", ("order-sign", ("esketamine",)), "concurrent", {"F20.0"}, set())
@example("doing-well", ("order-sign", ("esketamine",)), "safer_reading", {"F20.0"}, set())
def test_a_contraindication_never_adds_an_offer(
    name: str, hook: tuple[str, tuple[str, ...]], protocol: str, against: set[str], missing: set[str]
) -> None:
    record = records()[name]
    record = replace(record, inputs={**record.inputs, **dict.fromkeys(missing, NOT_RETRIEVED)})
    worse = with_more(record, *(condition(code, id=f"added-{code}", onsetDateTime=RECENT) for code in sorted(against)))
    first, then = (made(each, *hook, protocol) for each in (record, worse))
    assert {offer.id for offer in then.offers} <= {offer.id for offer in first.offers}


def test_what_stands_against_both_treatments_leaves_none(knowledge: Knowledge) -> None:
    for name, (hook, drafts), protocol in itertools.product(NAMES, HOOKS, PROTOCOLS):
        worse = with_more(records()[name], condition("I67.1", id="a"), condition("Z96.21", id="b"))
        assert not treating(made(worse, hook, drafts, protocol))


def weighed(value: float, unit: str, days_ago: int, identity: str) -> dict[str, Any]:
    return observation("29463-7", value, unit, (AS_OF - timedelta(days=days_ago)).isoformat(), id=identity)


@QUIET
@given(
    st.sampled_from(NAMES),
    st.sampled_from([*HOOKS, ("order-select", ("esketamine",))]),
    st.sampled_from(PROTOCOLS),
    st.floats(0, 500, allow_nan=False),
    st.sampled_from(["kg", "[lb_av]", "g", "stone"]),
    st.integers(0, 40),
    st.text(max_size=20),
)
def test_every_draft_is_valid_and_names_the_patient(
    name: str,
    hook: tuple[str, tuple[str, ...]],
    protocol: str,
    value: float,
    unit: str,
    days_ago: int,
    identity: str,
) -> None:
    record = records()[name]
    place = record.input("observations")
    kept = tuple(each for each in place.resources if "weight" not in each.reference)
    weight = resource(weighed(value, unit, days_ago, identity))
    record = replace(record, inputs={**record.inputs, "observations": replace(place, resources=(*kept, weight))})
    check(made(record, *hook, protocol), record.patient_id)


def test_every_draft_of_every_demo_patient_is_valid() -> None:
    seen = set()
    for name, (hook, drafts), protocol in itertools.product(NAMES, HOOKS, PROTOCOLS):
        offers = before(name, hook, drafts, protocol)
        check(offers, records()[name].patient_id)
        seen |= {offer.id for offer in offers.offers}
    assert seen >= {"plan", "ketamine", "tms", "esketamine"}


def check(offers: Offers, patient: str) -> None:
    """Each resource is valid R4, a draft, and about the patient; the plan names orders of its own offer."""
    for offer in offers.offers:
        created = [each.resource for each in offer.actions if each.resource]
        assert created
        for draft in created:
            written = json.loads(json.dumps(draft))
            get_fhir_model_class(draft["resourceType"]).model_validate(written)
            assert (draft["status"], draft["intent"]) == ("draft", "proposal")
            assert draft["subject"] == {"reference": f"Patient/{patient}"}
        names = [(draft["resourceType"], draft["identifier"][0]["value"]) for draft in created if "identifier" in draft]
        activities = [each for draft in created for each in draft.get("activity", ())]
        references = [each["reference"] for each in activities if "reference" in each]
        planned = [(each["type"], each["identifier"]["value"]) for each in references]
        assert len(set(names)) == len(names)
        assert set(planned) <= set(names)


def test_the_same_record_on_the_same_day_is_offered_the_same() -> None:
    for name, (hook, drafts) in itertools.product(NAMES, HOOKS):
        assert made(records()[name], hook, drafts, PROTOCOLS[0]) == made(records()[name], hook, drafts, PROTOCOLS[0])
