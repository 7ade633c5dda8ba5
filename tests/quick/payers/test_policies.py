"""Every payer's checklist against its test patients; and what must hold of all of them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cds_hooks.demo.stories import DemoPatient, demo_patients
from fhir_plugin.deciding.decide import decide
from fhir_plugin.facts.scores.read import read_scores
from fhir_plugin.facts.trials.payer_trials import failures
from fhir_plugin.facts.trials.read import read_trials
from fhir_plugin.payers.checklist import checklist
from fhir_plugin.record.decoding import record_from_bundle
from fhir_plugin.record.record import NOT_RETRIEVED, InputState
from mappings.schema.load import Knowledge
from mappings.schema.payers.model import (
    CriterionItem,
    Item,
    PayerPolicy,
    PresenceItem,
    ScoreItem,
    TrialsItem,
    UnanswerableItem,
)
from tests.support.knowledge.charts import AS_OF
from tests.support.payers.charts import FOLDER, answered, cases, facts, patients, verdicts
from tests.support.shipped import shipped

NAMES = sorted(shipped().payers.policies)
CASES = [(name, patient) for name in NAMES for patient in cases(name)]
ALL = {"met", "not_met", "unknown"}


@pytest.mark.parametrize(("name", "patient"), CASES)
def test_a_test_patient(name: str, patient: str, knowledge: Knowledge) -> None:
    expected = cases(name)[patient]
    found = verdicts(knowledge.payers.policies[name], patient, knowledge)
    assert {item: found[item] for item in expected} == expected


def possible(item: Item) -> set[str]:
    """The verdicts that an item can have."""
    if isinstance(item, UnanswerableItem):
        return {"unknown"}
    if isinstance(item, CriterionItem):
        asked = shipped().criteria[item.criterion].asked
        never_answered = asked is not None and not asked.answered_by
        lacking = {"met"} if item.agrees == "open" or never_answered else set()
        return ALL - lacking - ({"not_met"} if item.contrary == "open" else set())
    if isinstance(item, ScoreItem) and item.recorded:
        return {"met", "unknown"}
    if isinstance(item, PresenceItem) and item.absence == "open":
        return {"met", "unknown"}
    return ALL


@pytest.mark.parametrize("name", NAMES)
def test_each_item_has_a_patient_for_each_verdict(name: str, knowledge: Knowledge) -> None:
    for item in knowledge.payers.policies[name].items:
        seen = {expected[item.id] for expected in cases(name).values() if item.id in expected}
        assert seen == possible(item), item.id


def test_no_case_file_and_no_chart_is_left_over() -> None:
    files = {path.name.removesuffix(".cases.yaml") for path in FOLDER.glob("*.cases.yaml")}
    assert files == {*NAMES, "patients"}
    assert {patient for _, patient in CASES} == set(patients())


def moved(policy: PayerPolicy, place: str, by: int) -> PayerPolicy:
    """The policy with one of its numbers moved."""
    name, key, *scale = place.split(".")
    other = policy.numbers[place].model_copy(update={"value": policy.numbers[place].value + by})

    def changed(item: Item) -> Item:
        if item.id != name:
            return item
        if isinstance(item, ScoreItem) and scale:
            return item.model_copy(update={key: {**item.at_least, scale[0]: other}})
        return item.model_copy(update={key: other})

    items = tuple(map(changed, policy.items))
    return PayerPolicy.model_validate({**policy.model_dump(exclude={"items"}), "items": items})


NUMBERS = [(name, place) for name in NAMES for place in shipped().payers.policies[name].numbers]


@pytest.mark.parametrize("by", [-1, 1])
@pytest.mark.parametrize(("name", "place"), NUMBERS)
def test_a_moved_number_is_caught_by_a_patient(name: str, place: str, by: int, knowledge: Knowledge) -> None:
    mutant = moved(knowledge.payers.policies[name], place, by)
    answers = ((cases(name)[patient], verdicts(mutant, patient, knowledge)) for patient in cases(name))
    assert any(found[item] != verdict for expected, found in answers for item, verdict in expected.items())


@pytest.mark.parametrize("name", NAMES)
def test_what_is_unknown_says_what_would_settle_it_and_never_what_is_paid_for(name: str, knowledge: Knowledge) -> None:
    for patient in ("everything_fits", "nothing_could_be_read"):
        for item in answered(knowledge.payers.policies[name], facts(patient), knowledge).items:
            assert bool(item.settle) == (item.verdict == "unknown"), item.id
            assert item.because
            assert "{" not in item.because
            assert "covered" not in f"{item.title} {item.because} {item.settle}".lower()


@pytest.mark.parametrize("told", demo_patients(AS_OF), ids=lambda told: told.id)
def test_an_input_taken_away_makes_no_item_met(told: DemoPatient, knowledge: Knowledge) -> None:
    whole = record_from_bundle(told.bundle, None)
    before = met(whole, knowledge)
    for place in whole.inputs:
        for less in (NOT_RETRIEVED, replace(whole.input(place), state=InputState.PARTIAL)):
            after = met(replace(whole, inputs={**whole.inputs, place: less}), knowledge)
            assert after <= before, place


def met(record, knowledge: Knowledge) -> set[tuple[str, str]]:
    """Every item of every policy that is met."""
    decision = decide(record, knowledge, as_of=AS_OF)
    findings = {finding.criterion: finding for finding in decision.findings}
    return {
        (policy.id, item.id)
        for policy in knowledge.payers.policies.values()
        for item in checklist(policy, decision.facts, findings, knowledge).items
        if item.verdict == "met"
    }


@pytest.mark.parametrize("duration", ["MGH-ATRQ", "payer"])
@pytest.mark.parametrize("told", demo_patients(AS_OF), ids=lambda told: told.id)
def test_the_count_for_certain_is_that_of_the_trial_engine(
    told: DemoPatient, duration: str, knowledge: Knowledge
) -> None:
    record = record_from_bundle(told.bundle, None)
    scores = read_scores(record, knowledge.instruments, AS_OF).assessments
    default = read_trials(record, knowledge.medications, AS_OF, assessments=scores)
    chosen = read_trials(record, knowledge.medications, AS_OF, assessments=scores, policy=duration)
    cigna = knowledge.payers.policies["cigna.esketamine"].items[0]
    assert isinstance(cigna, TrialsItem)
    item = cigna.model_copy(update={"duration": duration, "count": "trials"})
    fact, _ = failures(item, default, knowledge)
    assert fact.value is not None
    assert fact.value.low == chosen.counters.failed


def test_a_policy_past_its_review_says_so(knowledge: Knowledge) -> None:
    policy = knowledge.payers.policies["generic.tms"]
    read = facts("everything_fits")
    assert answered(policy, read, knowledge).overdue == ""
    old = policy.model_copy(update={"review_due": AS_OF})
    assert str(AS_OF) in answered(old, read, knowledge).overdue
    assert answered(policy.model_copy(update={"review_due": AS_OF + timedelta(days=1)}), read, knowledge).overdue == ""
