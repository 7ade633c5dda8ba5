"""What must hold for every record: less data never opens a door, and order and strangers change nothing."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from cds_hooks.demo.stories import DemoPatient, demo_patients
from fhir_plugin.deciding.assess import assess
from fhir_plugin.deciding.recommend import Recommendation, recommend
from fhir_plugin.deciding.standing import Standing
from fhir_plugin.facts.read import read_facts
from fhir_plugin.record.decoding import record_from_bundle
from fhir_plugin.record.record import NOT_RETRIEVED, InputState, Record
from mappings.schema.load import Knowledge
from tests.support.knowledge.charts import AS_OF, PLACES, chart, condition, patient, pressure
from tests.support.knowledge.drawn import contents
from tests.support.profiles import examples

QUIET = examples(2, HealthCheck.function_scoped_fixture)


def decide(record: Record, knowledge: Knowledge, protocol: str) -> Recommendation:
    findings = assess(read_facts(record, knowledge, AS_OF), knowledge)
    return recommend(findings, knowledge.protocols[protocol], knowledge)


def standings(recommendation: Recommendation) -> dict[str, Standing]:
    return {answer.treatment: answer.standing for answer in recommendation.treatments}


shuffled = contents.flatmap(lambda entries: st.tuples(st.just(entries), st.permutations(entries)))


@QUIET
@given(shuffled)
def test_the_order_of_resources_changes_nothing(knowledge: Knowledge, orders: tuple[list[dict], list[dict]]) -> None:
    first, second = (read_facts(chart(*entries), knowledge, AS_OF) for entries in orders)
    assert assess(first, knowledge) == assess(second, knowledge)


STRANGERS = [
    {
        "resourceType": "Procedure",
        "id": "s1",
        "status": "completed",
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "80146002"}], "text": "Appendectomy"},
    },
    {
        "resourceType": "Observation",
        "id": "s2",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2339-0"}]},
        "valueQuantity": {"value": 92, "unit": "mg/dL"},
        "effectiveDateTime": "2026-05-30",
    },
    {"resourceType": "Device", "id": "s3", "status": "active", "type": {"text": "Crutches"}},
]


@QUIET
@given(contents)
def test_irrelevant_resources_change_no_verdict(knowledge: Knowledge, entries: list[dict]) -> None:
    base = [*entries, {"resourceType": "Procedure", "id": "s0", "status": "completed", "code": {"text": "Vaccination"}}]
    for before, after in zip(
        assess(read_facts(chart(*base), knowledge, AS_OF), knowledge),
        assess(read_facts(chart(*base, *STRANGERS), knowledge, AS_OF), knowledge),
        strict=True,
    ):
        assert (before.verdict, before.because, before.evidence) == (after.verdict, after.because, after.evidence)


@QUIET
@given(contents)
def test_adding_a_contraindication_never_helps(knowledge: Knowledge, entries: list[dict]) -> None:
    for protocol in knowledge.protocols:
        worse = chart(*entries, condition("I67.1", id="added"), condition("Z96.21", id="added2"))
        assert Standing.MET not in standings(decide(worse, knowledge, protocol)).values()


@pytest.mark.parametrize("place", sorted(PLACES.values()))
def test_an_empty_record_recommends_nothing(knowledge: Knowledge, place: str) -> None:
    for protocol in knowledge.protocols:
        assert Standing.MET not in standings(decide(chart(without=(place,)), knowledge, protocol)).values()


def test_same_record_same_answer(knowledge: Knowledge) -> None:
    record = chart(patient(), condition("F33.1"), pressure(120, 80, "2026-05-30"))
    assert decide(record, knowledge, "safer_reading") == decide(record, knowledge, "safer_reading")


@pytest.mark.parametrize("told", demo_patients(AS_OF), ids=lambda told: told.id)
def test_a_story_with_an_input_taken_away_opens_no_door(told: DemoPatient, knowledge: Knowledge) -> None:
    whole = record_from_bundle(told.bundle, None)
    for protocol in knowledge.protocols:
        before = standings(decide(whole, knowledge, protocol))
        for place in whole.inputs:
            for less in (NOT_RETRIEVED, replace(whole.input(place), state=InputState.PARTIAL)):
                after = standings(decide(replace(whole, inputs={**whole.inputs, place: less}), knowledge, protocol))
                opened = [name for name, now in after.items() if now is Standing.MET and before[name] is not now]
                assert not opened, (place, less.state)
