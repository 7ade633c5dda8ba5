"""Every criterion against its test patients; that they catch every change of it is told by ``test_mutants.py``."""

from collections.abc import Mapping

import pytest

from fhir_plugin.deciding.assess import assess, assess_criterion
from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.facts.fact import Evidence, Fact, Measurement, Presence
from mappings.schema.base.files import KNOWLEDGE
from mappings.schema.load import Knowledge
from mappings.schema.rules.criteria import Comparator
from tests.support.knowledge.cases import facts_of, read_cases
from tests.support.knowledge.charts import AS_OF
from tests.support.shipped import shipped

FOLDER = KNOWLEDGE / "criteria"
NAMES = sorted(shipped().criteria)
CASES = [(name, case) for name in NAMES for case in read_cases(FOLDER / f"{name}.cases.yaml")]


NEVER_KNOWN = {"drug.unrecognised"}
"""What no table has is never known to matter."""


@pytest.mark.parametrize(("name", "case"), CASES, ids=[f"{name}: {case['patient']}" for name, case in CASES])
def test_a_test_patient(name: str, case: dict, knowledge: Knowledge) -> None:
    (finding,) = assess(facts_of(case, knowledge), knowledge, [name])
    assert finding.verdict == case["verdict"], finding.because
    assert finding.doubt == case.get("doubt", finding.doubt)
    assert finding.because
    assert "{" not in finding.because


@pytest.mark.parametrize("name", NAMES)
def test_each_verdict_has_a_patient(name: str, knowledge: Knowledge) -> None:
    verdicts = {case["verdict"] for case in read_cases(FOLDER / f"{name}.cases.yaml")}
    possible = set(Verdict)
    asked = knowledge.criteria[name].asked
    never_answered = asked is not None and not asked.answered_by
    if knowledge.criteria[name].compare is Comparator.RECORDED or never_answered:
        possible.discard(Verdict.NOT_MET)
    if name in NEVER_KNOWN:
        possible.discard(Verdict.MET)
    assert verdicts == possible


def test_no_case_file_is_left_over() -> None:
    assert {path.name.removesuffix(".cases.yaml") for path in FOLDER.glob("*.cases.yaml")} == set(NAMES)


# Comparisons

HERE = Evidence(reference="Basic/1")
PRESENCES = {
    "met": Presence(current=(HERE,)),
    "unknown": Presence(possible=(HERE,)),
    "not_met": Presence(),
}


def pressure_verdict(knowledge: Knowledge, components: Mapping[str, float], missing: tuple[str, ...] = ()) -> Verdict:
    criterion = knowledge.criteria["blood_pressure.hold"].model_copy(update={"max_age_days": None})
    value = Measurement(components=components, unit="mm[Hg]", day=None)
    facts = {"blood_pressure.latest": Fact(name="blood_pressure.latest", value=value, missing=missing)}
    return assess_criterion(criterion, facts, AS_OF, knowledge).verdict


@pytest.mark.parametrize(
    ("components", "verdict"),
    [
        ({"systolic": 140, "diastolic": 90}, "not_met"),
        ({"systolic": 140.5, "diastolic": 90}, "met"),
        ({"systolic": 141}, "met"),
        ({"diastolic": 91}, "met"),
        ({"systolic": 140}, "unknown"),
        ({"diastolic": 90}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_above_is_above_and_a_missing_component_is_never_below(
    knowledge: Knowledge, components: dict[str, float], verdict: str
) -> None:
    assert pressure_verdict(knowledge, components) == verdict


def test_a_level_that_is_passed_counts_although_a_newer_reading_may_exist(knowledge: Knowledge) -> None:
    assert pressure_verdict(knowledge, {"systolic": 150, "diastolic": 80}, missing=("newer",)) == "met"
    assert pressure_verdict(knowledge, {"systolic": 120, "diastolic": 80}, missing=("newer",)) == "unknown"


@pytest.mark.parametrize(
    ("first", "second", "of_one", "of_all"),
    [
        ("met", "met", "met", "met"),
        ("met", "unknown", "met", "unknown"),
        ("met", "not_met", "met", "not_met"),
        ("unknown", "unknown", "unknown", "unknown"),
        ("unknown", "not_met", "unknown", "not_met"),
        ("not_met", "not_met", "not_met", "not_met"),
    ],
)
def test_a_statement_about_all_facts_holds_only_if_it_holds_for_every_one(
    knowledge: Knowledge, first: str, second: str, of_one: str, of_all: str
) -> None:
    names = ("drugs.opioid", "drugs.benzodiazepine")
    criterion = knowledge.criteria["drug.opioid_with_benzodiazepine"]
    for order in (names, names[::-1]):
        facts = {
            name: Fact(name=name, value=PRESENCES[verdict])
            for name, verdict in zip(order, (first, second), strict=True)
        }
        assert assess_criterion(criterion, facts, AS_OF, knowledge).verdict == of_all
        one = criterion.model_copy(update={"among": "any"})
        assert assess_criterion(one, facts, AS_OF, knowledge).verdict == of_one
