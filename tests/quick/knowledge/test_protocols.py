"""Every protocol against its test patients; that they catch every change of it is told by ``test_mutants.py``."""

import pytest

from mappings.schema.base.files import KNOWLEDGE
from mappings.schema.load import Knowledge
from tests.support.knowledge.protocols import CASES, NAMES, answer, said

EACH = [(name, number) for name in NAMES for number in range(len(CASES[name]))]


@pytest.mark.parametrize(("name", "number"), EACH, ids=[f"{n}: {CASES[n][i]['patient']}" for n, i in EACH])
def test_a_test_patient(name: str, number: int, knowledge: Knowledge) -> None:
    expect = CASES[name][number]["expect"]
    assert said(answer(name, number, knowledge.protocols[name], knowledge), expect) == expect


@pytest.mark.parametrize("name", NAMES)
def test_each_pathway_has_a_patient(name: str, knowledge: Knowledge) -> None:
    named = {case["expect"]["pathway"] for case in CASES[name] if "pathway" in case["expect"]}
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
