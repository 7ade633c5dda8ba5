"""Every criterion against its test patients, and every number of a criterion against being moved."""

from dataclasses import replace
from functools import cache

import pytest

from fhir_plugin.assess import Verdict, assess
from fhir_plugin.facts.read import Facts
from mappings.criteria import Comparator, Criterion
from mappings.files import KNOWLEDGE
from mappings.load import Knowledge
from tests.knowledge.cases import facts_of, read_cases
from tests.knowledge.conftest import shipped

FOLDER = KNOWLEDGE / "criteria"
NAMES = sorted(shipped().criteria)
CASES = [(name, case) for name in NAMES for case in read_cases(FOLDER / f"{name}.cases.yaml")]


@pytest.mark.parametrize(("name", "case"), CASES, ids=[f"{name}: {case['patient']}" for name, case in CASES])
def test_a_test_patient(name: str, case: dict, knowledge: Knowledge) -> None:
    (finding,) = assess(facts_of(case, knowledge), knowledge, [name])
    assert finding.verdict == case["verdict"], finding.because
    assert finding.because
    assert "{" not in finding.because


@pytest.mark.parametrize("name", NAMES)
def test_each_verdict_has_a_patient(name: str, knowledge: Knowledge) -> None:
    verdicts = {case["verdict"] for case in read_cases(FOLDER / f"{name}.cases.yaml")}
    possible = set(Verdict)
    if knowledge.criteria[name].compare is Comparator.RECORDED:
        possible.discard(Verdict.NOT_MET)
    assert verdicts == possible


def test_no_case_file_is_left_over() -> None:
    assert {path.name.removesuffix(".cases.yaml") for path in FOLDER.glob("*.cases.yaml")} == set(NAMES)


def moved(criterion: Criterion, key: str, by: float) -> Criterion:
    """The criterion with one of its numbers moved."""
    number = criterion.numbers[key]
    other = number.model_copy(update={"value": number.value + by})
    if key.startswith("limits."):
        return criterion.model_copy(update={"limits": criterion.limits | {key.removeprefix("limits."): other}})
    return criterion.model_copy(update={key: other})


NUMBERS = [(name, key) for name, criterion in shipped().criteria.items() for key in criterion.numbers]


@pytest.mark.parametrize("by", [-1, 1])
@pytest.mark.parametrize(("name", "key"), NUMBERS)
def test_a_moved_number_is_caught_by_a_patient(name: str, key: str, by: float, knowledge: Knowledge) -> None:
    assert caught(name, moved(knowledge.criteria[name], key, by), knowledge)


OPPOSITES = {
    Comparator.PRESENT: Comparator.EVER,
    Comparator.EVER: Comparator.PRESENT,
    Comparator.AT_LEAST: Comparator.ABOVE,
    Comparator.AT_MOST: Comparator.BELOW,
    Comparator.ABOVE: Comparator.AT_LEAST,
    Comparator.BELOW: Comparator.AT_MOST,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_comparison_is_caught_by_a_patient(name: str, knowledge: Knowledge) -> None:
    criterion = knowledge.criteria[name]
    if criterion.compare in OPPOSITES:
        assert caught(name, criterion.model_copy(update={"compare": OPPOSITES[criterion.compare]}), knowledge)


@pytest.mark.parametrize("name", NAMES)
def test_a_removed_fact_is_caught_by_a_patient(name: str, knowledge: Knowledge) -> None:
    facts = knowledge.criteria[name].facts
    for gone in facts if len(facts) > 1 else ():
        rest = tuple(fact for fact in facts if fact != gone)
        assert caught(name, knowledge.criteria[name].model_copy(update={"facts": rest}), knowledge), gone


@cache
def patients(name: str) -> tuple[tuple[Facts, str], ...]:
    """The facts of every test patient with the verdict that is expected."""
    knowledge = shipped()
    cases = read_cases(FOLDER / f"{name}.cases.yaml")
    return tuple((facts_of(case, knowledge), case["verdict"]) for case in cases)


def caught(name: str, mutant: Criterion, knowledge: Knowledge) -> bool:
    """Whether some test patient of the criterion is answered otherwise by the mutant."""
    changed = replace(knowledge, criteria={**knowledge.criteria, name: mutant})
    return any(assess(facts, changed, [name])[0].verdict != verdict for facts, verdict in patients(name))
