"""Every protocol against its test patients; that they catch every change of it is told by ``test_mutants.py``."""

from functools import cache
from typing import Any

import pytest

from fhir_plugin.assess import Finding, assess
from fhir_plugin.recommend import Recommendation, recommend
from mappings.files import KNOWLEDGE
from mappings.load import Knowledge
from mappings.protocols import Protocol
from tests.knowledge.cases import facts_of, read_cases
from tests.knowledge.conftest import shipped

NAMES = sorted(shipped().protocols)
CASES = {name: read_cases(KNOWLEDGE / "protocols" / f"{name}.cases.yaml") for name in NAMES}
EACH = [(name, number) for name in NAMES for number in range(len(CASES[name]))]


@cache
def findings(name: str, number: int) -> tuple[Finding, ...]:
    knowledge = shipped()
    return assess(facts_of(CASES[name][number], knowledge), knowledge)


def answer(name: str, number: int, protocol: Protocol, knowledge: Knowledge) -> Recommendation:
    return recommend(findings(name, number), protocol, knowledge, CASES[name][number].get("ordered", ()))


def said(recommendation: Recommendation, expect: dict[str, Any]) -> dict[str, Any]:
    """What the recommendation says about each thing that is expected."""
    fitting = recommendation.pathway
    says: dict[str, Any] = {
        "pathway": fitting.id if fitting else "none",
        "steps": [f"{step.treatment} {step.timing}" for step in fitting.pathway.steps] if fitting else [],
        "ways": {
            each.id: [each.pathway.choice, *(f"{step.treatment} {step.timing}" for step in each.pathway.steps)]
            for each in recommendation.pathways
            if each.fits == "met" and each.id in expect.get("ways", ())
        },
        "choice": fitting.pathway.choice if fitting else "none",
        "verdict": recommendation.verdict,
        "speaks": recommendation.speaks,
        "undecided": [each.id for each in recommendation.undecided],
        "asks": [ask.datum for ask in recommendation.asks],
        "also": [each.id for each in recommendation.pathways if each.fits == "met" and each is not fitting],
    } | {each.treatment: each.standing for each in recommendation.treatments}
    return {key: says[key] for key in expect}


@pytest.mark.parametrize(("name", "number"), EACH, ids=[f"{n}: {CASES[n][i]['patient']}" for n, i in EACH])
def test_a_test_patient(name: str, number: int, knowledge: Knowledge) -> None:
    expect = CASES[name][number]["expect"]
    assert said(answer(name, number, knowledge.protocols[name], knowledge), expect) == expect


@pytest.mark.parametrize("name", NAMES)
def test_each_pathway_has_a_patient(name: str, knowledge: Knowledge) -> None:
    named = {case["expect"]["pathway"] for case in CASES[name]}
    named |= {also for case in CASES[name] for also in case["expect"].get("also", [])}
    assert named == {*knowledge.protocols[name].pathways, "none"}


def test_simultaneous_treatment_is_never_proposed(knowledge: Knowledge) -> None:
    for protocol in knowledge.protocols.values():
        for pathway in protocol.pathways.values():
            if any(step.treatment == "combination" for step in pathway.steps):
                assert pathway.choice == "clinician"


def test_a_pathway_with_a_contraindicated_step_says_so(knowledge: Knowledge) -> None:
    number = next(n for n, case in enumerate(CASES["sequenced"]) if case["patient"] == "Cochlear implant")
    fitting = answer("sequenced", number, knowledge.protocols["sequenced"], knowledge).pathway
    assert fitting is not None
    assert fitting.standing == "contraindicated"


def test_mislabelled_outcome_figures_stand_nowhere() -> None:
    for path in KNOWLEDGE.rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        assert "34.5" not in text, path.name
        assert "9.5 %" not in text, path.name
