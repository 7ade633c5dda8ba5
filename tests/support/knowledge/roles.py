"""The test patients of each role of a criterion, and of the numbers."""

from __future__ import annotations

from functools import cache
from typing import Any

from fhir_plugin.deciding.assess import assess
from fhir_plugin.deciding.finding import Finding
from fhir_plugin.deciding.recommend import recommend
from mappings.schema.base.files import KNOWLEDGE
from mappings.schema.load import Knowledge
from mappings.schema.rules.protocols import Protocol, ProtocolParameter
from tests.support.knowledge.cases import facts_of
from tests.support.shipped import load_yaml, shipped

FOLDER = KNOWLEDGE / "protocols"
_ROLES = load_yaml(FOLDER / "roles.cases.yaml")
NUMBERS: dict[str, Any] = load_yaml(FOLDER / "numbers.cases.yaml")
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


def says(parameter: ProtocolParameter) -> str:
    span = f"{parameter.low:g}" if parameter.high is None else f"{parameter.low:g} to {parameter.high:g}"
    return f"{span} {parameter.unit}"


def numbers_as_expected(protocol: Protocol) -> bool:
    wanted = {
        name: said if isinstance(said, str) else said[protocol.id]
        for name, said in NUMBERS.items()
        if isinstance(said, str) or protocol.id in said
    }
    return {name: says(each) for name, each in protocol.parameters.items()} == wanted
