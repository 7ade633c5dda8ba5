"""Current drugs by group: what is not recognised, contradictory codes, and the time after the last dose."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_plugin.deciding.assess import assess_criterion
from fhir_plugin.deciding.finding import Doubt, Verdict
from fhir_plugin.facts.fact import Fact, Presence
from fhir_plugin.facts.interactions import read_interactions
from fhir_plugin.record.decoding import record_from_bundle
from mappings.schema.load import Knowledge

DAY = date(2026, 1, 1)
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


def facts_of(knowledge: Knowledge, *resources: dict[str, Any]) -> dict[str, Fact]:
    patient = {"resourceType": "Patient", "id": "p1"}
    subject = {"subject": {"reference": "Patient/p1"}}
    entries = [{"resource": resource} for resource in (patient, *({**subject, **each} for each in resources))]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    return dict(read_interactions(record_from_bundle(json.dumps(bundle).encode(), None), knowledge, DAY))


def order(concept: dict[str, Any] | str, *, days: int = 30, status: str = "active", **more: Any) -> dict[str, Any]:
    named = {"text": concept} if isinstance(concept, str) else concept
    return {
        "resourceType": "MedicationRequest",
        "id": f"m{abs(hash(json.dumps([named, days, status]))) % 10**8}",
        "status": status,
        "intent": "order",
        "authoredOn": (DAY - timedelta(days=days)).isoformat(),
        "medicationCodeableConcept": named,
        **more,
    }


def presence(fact: Fact) -> Presence:
    assert isinstance(fact.value, Presence)
    return fact.value


def ended(days_ago: int) -> dict[str, Any]:
    end = (DAY - timedelta(days=days_ago)).isoformat()
    return {"dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"start": "2025-06-01", "end": end}}}}]}


def test_an_unrecognised_drug_leaves_every_group_open(knowledge: Knowledge) -> None:
    facts = facts_of(knowledge, order("zorbaxil 10 mg"), order("Zorbaxil 10 mg", status="on-hold"), order("blorf 5 mg"))
    for name, fact in facts.items():
        assert fact.missing == ("3 medications not recognised",), name
        assert fact.unread == ("unrecognised",)
        assert {entry.label for entry in fact.evidence} == {"zorbaxil 10 mg", "Zorbaxil 10 mg", "blorf 5 mg"}
        finding = assess_criterion(knowledge.criteria["drug.maoi"], facts, DAY, knowledge)
        assert (finding.verdict, finding.doubt) == (Verdict.UNKNOWN, Doubt.UNREAD)
        assert "orbaxil" not in finding.because


@pytest.mark.parametrize(
    "resource",
    [
        order("lisinopril 10 mg"),
        order("zorbaxil 10 mg", status="stopped", **ended(15)),
        order("zorbaxil 10 mg", status="entered-in-error"),
        order("zorbaxil 10 mg", doNotPerform=True),
    ],
    ids=["recognised", "over", "in error", "not to be given"],
)
def test_what_is_recognised_or_not_in_use_leaves_nothing_open(resource: dict[str, Any], knowledge: Knowledge) -> None:
    facts = facts_of(knowledge, resource, order("warfarin"))
    assert all(not fact.missing and not fact.unread for fact in facts.values())


@pytest.mark.parametrize("status", ["on-hold", "unknown", "draft", "no-such-status", None])
def test_a_status_that_does_not_tell_leaves_the_use_possible(knowledge: Knowledge, status: str | None) -> None:
    entry = order("lorazepam 1 mg") | {"status": status}
    assert presence(facts_of(knowledge, entry)["drugs.benzodiazepine"]).possible


@pytest.mark.parametrize("stop", [ended(14), {}], ids=["within the washout", "on a day that nobody recorded"])
@pytest.mark.parametrize("concept", ["zorbaxil 10 mg", {}], ids=["a name", "nothing"])
def test_an_unrecognised_drug_that_was_stopped_may_be_an_mao_inhibitor(
    concept: dict[str, Any] | str, stop: dict[str, Any], knowledge: Knowledge
) -> None:
    facts = facts_of(knowledge, order(concept, status="stopped", **stop), order("warfarin"))
    assert facts["drugs.maoi"].missing == ("1 medications not recognised",)
    assert not any(fact.missing for name, fact in facts.items() if name != "drugs.maoi")


def test_a_drug_that_is_found_counts_beside_one_that_is_not_recognised(knowledge: Knowledge) -> None:
    facts = facts_of(knowledge, order("lorazepam 1 mg"), order("zorbaxil"))
    finding = assess_criterion(knowledge.criteria["drug.benzodiazepine"], facts, DAY, knowledge)
    assert finding.verdict is Verdict.MET
    both = assess_criterion(knowledge.criteria["drug.opioid_with_benzodiazepine"], facts, DAY, knowledge)
    assert both.verdict is Verdict.UNKNOWN


def test_an_order_that_names_nothing_may_be_any_drug(knowledge: Knowledge) -> None:
    nameless = order("x")
    del nameless["medicationCodeableConcept"]
    assert facts_of(knowledge, nameless)["drugs.maoi"].missing == ("1 medications not recognised",)


def test_contradictory_code_and_words_leave_both_drugs_possible(knowledge: Knowledge) -> None:
    concept = {"coding": [{"system": RXNORM, "code": "8123"}], "text": "oxycodone 5 mg"}
    facts = facts_of(knowledge, order(concept))
    for group in ("drugs.maoi", "drugs.cns_depressant"):
        assert len(presence(facts[group]).possible) == 1, group
        assert not presence(facts[group]).current
    assert facts["drugs.stimulant"].missing


@pytest.mark.parametrize(
    ("drug", "days_ago", "expected"),
    [
        ("phenelzine 15 mg", 14, "current"),
        ("phenelzine 15 mg", 15, "past"),
        ("Azilect 1 mg", 14, "current"),
        ("Xadago 50 mg", 15, "past"),
        ("linezolid 600 mg", 1, "current"),
        ("linezolid 600 mg", 2, "past"),
    ],
)
def test_a_prescription_that_ended_counts_for_its_washout(
    drug: str, days_ago: int, expected: str, knowledge: Knowledge
) -> None:
    for status in ("stopped", "completed"):
        fact = facts_of(knowledge, order(drug, days=100, status=status, **ended(days_ago)))["drugs.maoi"]
        assert len(getattr(presence(fact), expected)) == 1


def test_a_statement_and_a_dispense_have_a_washout_too(knowledge: Knowledge) -> None:
    taken = {"medicationCodeableConcept": {"text": "tranylcypromine 10 mg"}, "status": "completed"}
    statement = {**taken, "resourceType": "MedicationStatement", "id": "s1"}
    statement["effectivePeriod"] = {"start": "2025-06-01", "end": (DAY - timedelta(days=10)).isoformat()}
    assert presence(facts_of(knowledge, statement)["drugs.maoi"]).current
    dispense = {**taken, "resourceType": "MedicationDispense", "id": "d1", "daysSupply": {"value": 90}}
    dispense["whenHandedOver"] = (DAY - timedelta(days=100)).isoformat()
    assert presence(facts_of(knowledge, dispense)["drugs.maoi"]).current


def test_a_stop_on_a_day_that_nobody_recorded_is_possible(knowledge: Knowledge) -> None:
    recent = facts_of(knowledge, order("phenelzine", days=200, status="stopped"))["drugs.maoi"]
    assert presence(recent).possible
    planned = facts_of(knowledge, order("phenelzine", days=200, status="stopped", **ended(-30)))["drugs.maoi"]
    assert presence(planned).possible
    long_ago = facts_of(knowledge, order("phenelzine", days=400, status="stopped"))["drugs.maoi"]
    assert presence(long_ago).past


def test_other_groups_have_no_washout(knowledge: Knowledge) -> None:
    facts = facts_of(knowledge, order("lorazepam", days=5, status="stopped", **ended(1)))
    assert presence(facts["drugs.benzodiazepine"]).past


@pytest.mark.parametrize(
    ("drug", "antagonist"),
    [
        ("Suboxone 8 mg-2 mg film", False),
        ("buprenorphine / naloxone", False),
        ("pentazocine-naloxone", False),
        ("naltrexone 50 mg", True),
        ("Lybalvi", True),
    ],
)
def test_an_antagonist_beside_an_opioid_does_not_count(drug: str, *, antagonist: bool, knowledge: Knowledge) -> None:
    assert bool(presence(facts_of(knowledge, order(drug))["drugs.opioid_antagonist"]).current) is antagonist


DRUGS = [
    "lorazepam 1 mg",
    "oxycodone 5 mg",
    "phenelzine 15 mg",
    "Adipex-P",
    "lisinopril 10 mg",
    "Xyrem",
    "lithium",
    "gabapentin",
]
UNKNOWN_NAMES = ["zorbaxil", "blorf 5 mg", "薬", "4711", "white tablet", "unknown med"]


@given(drugs=st.lists(st.sampled_from(DRUGS), min_size=1, max_size=4), place=st.integers(0, 3), data=st.data())
def test_a_name_made_unreadable_never_turns_into_not_found(
    drugs: list[str], place: int, data: st.DataObject, knowledge: Knowledge
) -> None:
    changed = [*drugs]
    changed[place % len(drugs)] = data.draw(st.sampled_from(UNKNOWN_NAMES))
    facts = facts_of(knowledge, *(order(drug, days=10 + n) for n, drug in enumerate(changed)))
    for name, criterion in knowledge.criteria.items():
        if name.startswith("drug."):
            assert assess_criterion(criterion, facts, DAY, knowledge).verdict is not Verdict.NOT_MET


def given(name: str, days: int, **more: Any) -> dict[str, Any]:
    when = (DAY - timedelta(days=days)).isoformat()
    named = {"medicationCodeableConcept": {"text": name}, "effectiveDateTime": when}
    return {"resourceType": "MedicationAdministration", "id": "a", "status": "completed", **named, **more}


@pytest.mark.parametrize(
    ("name", "days", "group", "place"),
    [
        ("midazolam 2 mg", 1, "benzodiazepine", ["current"]),
        ("midazolam 2 mg", 3, "benzodiazepine", ["past"]),
        ("selegiline 6 mg/24 hr patch", 10, "maoi", ["current"]),
        ("Vivitrol 380 mg", 28, "opioid_antagonist", ["current"]),
        ("Vivitrol 380 mg", 40, "opioid_antagonist", ["past"]),
    ],
)
def test_what_staff_gave_counts_for_as_long_as_it_acts(
    knowledge: Knowledge, name: str, days: int, group: str, place: list[str]
) -> None:
    found = presence(facts_of(knowledge, given(name, days))[f"drugs.{group}"])
    assert [key for key in ("current", "past", "possible") if getattr(found, key)] == place
    assert not facts_of(knowledge, given(name, days, status="not-done"))[f"drugs.{group}"].evidence


@pytest.mark.parametrize(("days", "open_"), [(1, True), (31, True), (32, False)])
def test_an_unrecognised_drug_that_staff_gave_leaves_every_group_open_while_it_may_act(
    knowledge: Knowledge, days: int, open_: bool
) -> None:
    facts = facts_of(knowledge, given("zorbaxil 10 mg", days), order("lisinopril 10 mg"))
    assert all(bool(fact.missing) is open_ for fact in facts.values())


def test_a_completed_order_whose_supply_is_left_may_be_taken(knowledge: Knowledge) -> None:
    supply = {"dispenseRequest": {"expectedSupplyDuration": {"value": 30, "code": "d"}}}
    for days, possible in ((5, True), (30, False)):
        entry = order("alprazolam 1 mg", days=days, status="completed", **supply)
        assert bool(presence(facts_of(knowledge, entry)["drugs.benzodiazepine"]).possible) is possible
