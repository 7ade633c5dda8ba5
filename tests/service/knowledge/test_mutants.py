"""Every small change of a criterion, a protocol or a pathway makes some test patient fail.

A mutant is one step of one number, one thing left out, or one word exchanged for another; only the cases of what was
changed are asked. A mutant that nobody catches is a rule that nobody tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from fhir_plugin.deciding.assess import assess
from fhir_plugin.facts.read import Facts
from mappings.schema.base.files import KNOWLEDGE
from mappings.schema.load import Knowledge
from mappings.schema.rules.criteria import BY_COMPONENT, FACT_KINDS, Comparator, Criterion
from mappings.schema.rules.protocols import Clause, Pathway, Protocol, ProtocolParameter, Role
from tests.support.knowledge import protocols, roles
from tests.support.knowledge.cases import facts_of, read_cases
from tests.support.shipped import load_yaml, shipped

STEPS = {"mg/kg": 0.01}
"""The smallest step of a unit, where it is not one."""
EQUIVALENT: dict[str, str] = load_yaml(Path(__file__).parent / "equivalent_mutants.yaml")
"""Changes that change no answer, each with the reason."""


class Mutant(NamedTuple):
    """A changed criterion or protocol, and what was done to it."""

    what: str
    changed: Criterion | Protocol


# Criteria


def of_criterion(criterion: Criterion) -> Iterator[Mutant]:
    """Every small change of a criterion."""
    for key in criterion.numbers:
        for by in (-1, 1):
            yield Mutant(f"{criterion.id}: {key} {by:+d}", moved(criterion, key, by))
    for other in exchanges(criterion.compare):
        yield Mutant(f"{criterion.id}: {other}", criterion.model_copy(update={"compare": other}))
    for fact in criterion.facts if len(criterion.facts) > 1 else ():
        rest = tuple(each for each in criterion.facts if each != fact)
        yield Mutant(f"{criterion.id}: without {fact}", criterion.model_copy(update={"facts": rest}))
    for component in criterion.limits if criterion.compare in BY_COMPONENT else ():
        limits = {name: number for name, number in criterion.limits.items() if name != component}
        yield Mutant(f"{criterion.id}: without {component}", criterion.model_copy(update={"limits": limits}))
    if criterion.max_age_days:
        yield Mutant(f"{criterion.id}: of any age", criterion.model_copy(update={"max_age_days": None}))
    if len(criterion.facts) > 1:
        for among in {"any", "recorded", "all"} - {criterion.among}:
            yield Mutant(f"{criterion.id}: among {among}", criterion.model_copy(update={"among": among}))


def moved(criterion: Criterion, key: str, by: float) -> Criterion:
    number = criterion.numbers[key]
    other = number.model_copy(update={"value": number.value + by})
    if key.startswith("limits."):
        return criterion.model_copy(update={"limits": criterion.limits | {key.removeprefix("limits."): other}})
    return criterion.model_copy(update={key: other})


def exchanges(compare: Comparator) -> Iterator[Comparator]:
    """The comparisons that read the same kinds of fact and need the same numbers."""
    with_limits = {Comparator.AT_LEAST, Comparator.AT_MOST, Comparator.ABOVE, Comparator.BELOW}
    for other in Comparator:
        alike = any(compare in group and other in group for group in (with_limits, BY_COMPONENT))
        if other is not compare and (
            alike or FACT_KINDS[compare] == FACT_KINDS[other] == FACT_KINDS[Comparator.PRESENT]
        ):
            yield other


@cache
def patients(name: str) -> tuple[tuple[Facts, str], ...]:
    cases = read_cases(KNOWLEDGE / "criteria" / f"{name}.cases.yaml")
    return tuple((facts_of(case, shipped()), case["verdict"]) for case in cases)


def survives_criterion(mutant: Criterion, knowledge: Knowledge) -> bool:
    sentences = {mutant.id: knowledge.sentences[mutant.id]}
    changed = replace(knowledge, criteria={mutant.id: mutant}, sentences=sentences)
    return all(assess(facts, changed, [mutant.id])[0].verdict == verdict for facts, verdict in patients(mutant.id))


# Protocols


def of_clauses(protocol: Protocol) -> Iterator[tuple[str, Mutant]]:
    """Every clause left out, in another role, or without one of its treatments; with the criterion it is about."""
    for clause in protocol.clauses:
        for what, other in (("left out", None), *changed_clauses(clause)):
            clauses = tuple(
                each if each is not clause else other for each in protocol.clauses if each is not clause or other
            )
            about = f"{protocol.id}: {clause.criterion} for {', '.join(clause.treatments)}: {what}"
            yield clause.criterion, Mutant(about, protocol.model_copy(update={"clauses": clauses}))


def changed_clauses(clause: Clause) -> Iterator[tuple[str, Clause]]:
    for role in Role:
        if role is not clause.role:
            yield role.value, clause.model_copy(update={"role": role})
    for treatment in clause.treatments if len(clause.treatments) > 1 else ():
        rest = tuple(each for each in clause.treatments if each != treatment)
        yield f"not for {treatment}", clause.model_copy(update={"treatments": rest})


def of_protocol(protocol: Protocol) -> Iterator[Mutant]:
    """Every change of when it speaks, and of its pathways."""
    for name in dict.fromkeys(clause.criterion for clause in protocol.clauses if clause.speaks):
        quiet = (
            each.model_copy(update={"speaks": each.speaks and each.criterion != name}) for each in protocol.clauses
        )
        yield Mutant(f"{protocol.id}: {name} does not speak", _with(protocol, clauses=tuple(quiet)))
    for name in protocol.speaks_when:
        rest = tuple(each for each in protocol.speaks_when if each != name)
        yield Mutant(f"{protocol.id}: speaks_when without {name}", _with(protocol, speaks_when=rest))
    for standing in protocol.speaks_at:
        left = tuple(each for each in protocol.speaks_at if each != standing)
        yield Mutant(f"{protocol.id}: speaks_at without {standing}", _with(protocol, speaks_at=left))
    for name, pathway in protocol.pathways.items():
        gone = {each: shape for each, shape in protocol.pathways.items() if each != name}
        yield Mutant(f"{protocol.id}: {name} left out", _with(protocol, pathways=gone))
        for what, other in changed_pathways(pathway):
            pathways = {**protocol.pathways, name: other}
            yield Mutant(f"{protocol.id}: {name}: {what}", _with(protocol, pathways=pathways))


def changed_pathways(pathway: Pathway) -> Iterator[tuple[str, Pathway]]:
    for key in ("all_of", "any_of", "none_of"):
        for criterion in getattr(pathway, key):
            rest = tuple(each for each in getattr(pathway, key) if each != criterion)
            yield f"{key} without {criterion}", pathway.model_copy(update={key: rest})
    for number, step in enumerate(pathway.steps):
        steps = pathway.steps[:number] + pathway.steps[number + 1 :]
        yield f"without {step.treatment} {step.timing}", pathway.model_copy(update={"steps": steps})
    other = "clinician" if pathway.choice == "proposed" else "proposed"
    yield f"as {other}", pathway.model_copy(update={"choice": other})


def of_numbers(protocol: Protocol) -> Iterator[Mutant]:
    """Every number of how a treatment is given, moved by one step at either end."""
    for name, parameter in protocol.parameters.items():
        for what, other in moved_parameters(parameter):
            parameters = {**protocol.parameters, name: other}
            yield Mutant(f"{protocol.id}: {name} {what}", _with(protocol, parameters=parameters))


def moved_parameters(parameter: ProtocolParameter) -> Iterator[tuple[str, ProtocolParameter]]:
    step = STEPS.get(parameter.unit, 1)
    for end in ("low", "high"):
        value = getattr(parameter, end)
        for by in (-step, step) if value is not None else ():
            yield f"{end} {by:+g}", parameter.model_copy(update={end: value + by})


def _with(protocol: Protocol, **changes: object) -> Protocol:
    return protocol.model_copy(update=changes)


def survives_cases(mutant: Protocol, knowledge: Knowledge) -> bool:
    """Whether every test patient of the protocol is answered as before."""
    cases = protocols.CASES[mutant.id]
    return all(
        protocols.said(protocols.answer(mutant.id, number, mutant, knowledge), case["expect"]) == case["expect"]
        for number, case in enumerate(cases)
    )


def survives_roles(criterion: str, mutant: Protocol, knowledge: Knowledge) -> bool:
    about = [n for n, case in enumerate(roles.CASES) if case["criterion"] == criterion]
    return all(roles.as_expected(number, mutant, knowledge) for number in about)


@pytest.mark.parametrize("name", sorted(shipped().criteria))
def test_every_change_of_a_criterion_is_caught(name: str, knowledge: Knowledge) -> None:
    survivors = [
        mutant.what
        for mutant in of_criterion(knowledge.criteria[name])
        if isinstance(mutant.changed, Criterion) and survives_criterion(mutant.changed, knowledge)
    ]
    assert [each for each in survivors if each not in EQUIVALENT] == []


@pytest.mark.parametrize("name", sorted(shipped().protocols))
def test_every_change_of_a_clause_is_caught(name: str, knowledge: Knowledge) -> None:
    survivors = [
        mutant.what
        for criterion, mutant in of_clauses(knowledge.protocols[name])
        if isinstance(mutant.changed, Protocol) and survives_roles(criterion, mutant.changed, knowledge)
    ]
    assert [each for each in survivors if each not in EQUIVALENT] == []


@pytest.mark.parametrize("name", sorted(shipped().protocols))
def test_every_change_of_a_pathway_or_of_when_to_speak_is_caught(name: str, knowledge: Knowledge) -> None:
    survivors = [
        mutant.what
        for mutant in of_protocol(knowledge.protocols[name])
        if isinstance(mutant.changed, Protocol) and survives_cases(mutant.changed, knowledge)
    ]
    assert [each for each in survivors if each not in EQUIVALENT] == []


@pytest.mark.parametrize("name", sorted(shipped().protocols))
def test_every_number_that_moves_is_caught(name: str, knowledge: Knowledge) -> None:
    survivors = [
        mutant.what
        for mutant in of_numbers(knowledge.protocols[name])
        if isinstance(mutant.changed, Protocol) and roles.numbers_as_expected(mutant.changed)
    ]
    assert survivors == []


def test_an_equivalent_change_is_one_that_is_made_and_is_not_caught(knowledge: Knowledge) -> None:
    """The list of exceptions holds nothing that a case could catch."""
    mutants = [mutant for criterion in knowledge.criteria.values() for mutant in of_criterion(criterion)]
    mutants += [mutant for protocol in knowledge.protocols.values() for mutant in of_protocol(protocol)]
    made = {mutant.what: mutant.changed for mutant in mutants}
    for what, why in EQUIVALENT.items():
        changed = made[what]
        survives = survives_criterion if isinstance(changed, Criterion) else survives_cases
        assert survives(changed, knowledge)
        assert why


def test_there_are_as_many_mutants_as_there_are_rules_for(knowledge: Knowledge) -> None:
    """A generator that makes nothing would catch everything."""
    criteria = sum(1 for each in knowledge.criteria.values() for _ in of_criterion(each))
    clauses = sum(1 for each in knowledge.protocols.values() for _ in of_clauses(each))
    protocols = sum(1 for each in knowledge.protocols.values() for _ in of_protocol(each))
    numbers = sum(1 for each in knowledge.protocols.values() for _ in of_numbers(each))
    assert criteria > len(knowledge.criteria)
    assert clauses > sum(5 * len(each.clauses) for each in knowledge.protocols.values())
    assert protocols > sum(len(each.pathways) * 4 for each in knowledge.protocols.values())
    assert numbers >= sum(2 * len(each.parameters) for each in knowledge.protocols.values())
