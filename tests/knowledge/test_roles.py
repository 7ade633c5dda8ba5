"""What one thing on a record does to each treatment, under each protocol; and the numbers that each protocol gives."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import yaml

from fhir_plugin.assess import Finding, Verdict, assess
from fhir_plugin.recommend import Standing, recommend
from mappings.files import KNOWLEDGE
from mappings.load import Knowledge
from mappings.protocols import Parameter, Protocol, Role
from tests.knowledge.cases import facts_of
from tests.knowledge.conftest import shipped

FOLDER = KNOWLEDGE / "protocols"
_ROLES = yaml.safe_load((FOLDER / "roles.cases.yaml").read_text(encoding="utf-8"))
NUMBERS: dict[str, Any] = yaml.safe_load((FOLDER / "numbers.cases.yaml").read_text(encoding="utf-8"))
CASES: list[dict[str, Any]] = _ROLES["cases"]
SILENT = "silent"


def case_of(number: int) -> dict[str, Any]:
    """A patient who is as usual but for one thing."""
    usual, case = _ROLES["usual"], CASES[number]
    return usual | case | {"facts": usual["facts"] | case.get("facts", {})}


@cache
def findings(number: int) -> tuple[Finding, ...]:
    return assess(facts_of(case_of(number), shipped()), shipped())


def expected(number: int, protocol: str) -> dict[str, str]:
    """Treatment -> role, as the case says it for a protocol."""
    does = CASES[number]["does"]
    return {name: role if isinstance(role, str) else role.get(protocol, SILENT) for name, role in does.items()}


def done(number: int, protocol: Protocol, knowledge: Knowledge) -> dict[str, str]:
    """Treatment -> role, as the protocol weighs the one finding; treatments of which it says nothing are left out."""
    made = recommend(findings(number), protocol, knowledge)
    return {
        answer.treatment: weighed.role.value
        for answer in made.treatments
        for weighed in answer.weighed
        if weighed.finding.criterion == CASES[number]["criterion"]
    }


def as_expected(number: int, protocol: Protocol, knowledge: Knowledge) -> bool:
    wanted = {name: role for name, role in expected(number, protocol.id).items() if role != SILENT}
    return done(number, protocol, knowledge) == wanted


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case["patient"] for case in CASES])
def test_one_thing_does_to_each_treatment_what_the_case_says(number: int, knowledge: Knowledge) -> None:
    (finding,) = [each for each in findings(number) if each.criterion == CASES[number]["criterion"]]
    assert finding.verdict == CASES[number]["verdict"]
    for protocol in knowledge.protocols.values():
        assert as_expected(number, protocol, knowledge), (protocol.id, done(number, protocol, knowledge))


DECIDED = {
    (Role.CONTRAINDICATION, Verdict.MET): Standing.CONTRAINDICATED,
    (Role.REQUIRED, Verdict.NOT_MET): Standing.NOT_MET,
    (Role.REQUIRED, Verdict.UNKNOWN): Standing.UNKNOWN,
}


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case["patient"] for case in CASES])
def test_a_treatment_stands_where_the_one_thing_puts_it(number: int, knowledge: Knowledge) -> None:
    for protocol in knowledge.protocols.values():
        for answer in recommend(findings(number), protocol, knowledge).treatments:
            said = [(weighed.role, weighed.finding.verdict) for weighed in answer.weighed]
            stands = [DECIDED[each] for each in said if each in DECIDED]
            assert answer.standing is (min(stands, key=list(Standing).index) if stands else Standing.MET)


def test_every_criterion_of_a_protocol_has_its_patient(knowledge: Knowledge) -> None:
    named = {clause.criterion for protocol in knowledge.protocols.values() for clause in protocol.clauses}
    assert {case["criterion"] for case in CASES} == named


def says(parameter: Parameter) -> str:
    span = f"{parameter.low:g}" if parameter.high is None else f"{parameter.low:g} to {parameter.high:g}"
    return f"{span} {parameter.unit}"


def numbers_as_expected(protocol: Protocol) -> bool:
    wanted = {
        name: said if isinstance(said, str) else said[protocol.id]
        for name, said in NUMBERS.items()
        if isinstance(said, str) or protocol.id in said
    }
    return {name: says(each) for name, each in protocol.parameters.items()} == wanted


def test_the_numbers_are_those_that_were_reviewed(knowledge: Knowledge) -> None:
    assert {name for name, each in knowledge.protocols.items() if not numbers_as_expected(each)} == set()
