"""Every criterion against its test patients; that they catch every change of it is told by ``test_mutants.py``."""

import pytest

from fhir_plugin.deciding.assess import Verdict, assess
from mappings.schema.base.files import KNOWLEDGE
from mappings.schema.load import Knowledge
from mappings.schema.rules.criteria import Comparator
from tests.support.knowledge.cases import facts_of, read_cases
from tests.support.shipped import shipped

FOLDER = KNOWLEDGE / "criteria"
NAMES = sorted(shipped().criteria)
CASES = [(name, case) for name in NAMES for case in read_cases(FOLDER / f"{name}.cases.yaml")]


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
    assert verdicts == possible


def test_no_case_file_is_left_over() -> None:
    assert {path.name.removesuffix(".cases.yaml") for path in FOLDER.glob("*.cases.yaml")} == set(NAMES)
