"""What a finding asks of the reader; a lighter one from the same entries is not told beside a heavier one."""

from __future__ import annotations

import pytest

from fhir_plugin.deciding.against import HARM, MISSING, TO_ASK, TO_CHECK, TO_WEIGH, UNMET, Kind, against_of
from fhir_plugin.deciding.finding import Doubt, Finding, Verdict
from fhir_plugin.deciding.standing import WeighedFinding, planned
from fhir_plugin.facts.fact import Evidence
from mappings.schema.knowledge import Knowledge
from mappings.schema.rules.protocols import Clause, ClauseWeight, Role, Weight

MET, NOT_MET, UNKNOWN = Verdict


def weighed(
    role: Role,
    weight: Weight | None,
    verdict: Verdict,
    doubt: Doubt | None = None,
    criterion: str = "age.adult",
    entries: tuple[str, ...] = (),
) -> WeighedFinding:
    clause = Clause.model_construct(
        criterion=criterion,
        role=role,
        weight=ClauseWeight.model_construct(value=weight) if weight else None,
        treatments=("ketamine",),
    )
    evidence = tuple(Evidence(reference=entry) for entry in entries)
    return planned(clause).weigh(
        Finding(criterion=criterion, verdict=verdict, because="", doubt=doubt, evidence=evidence)
    )


@pytest.mark.parametrize(
    ("role", "weight", "verdict", "doubt", "kind"),
    [
        (Role.CONTRAINDICATION, None, MET, None, HARM),
        (Role.HOLD, None, UNKNOWN, Doubt.POSSIBLE, HARM),
        (Role.CAUTION, Weight.PLAN, UNKNOWN, Doubt.POSSIBLE, HARM),
        (Role.EXPECTED, Weight.PLAN, NOT_MET, None, HARM),
        (Role.REQUIRED, None, NOT_MET, None, UNMET),
        (Role.REQUIRED, None, UNKNOWN, Doubt.POSSIBLE, MISSING),
        (Role.REQUIRED, None, UNKNOWN, Doubt.ASK, MISSING),
        (Role.CONTRAINDICATION, None, UNKNOWN, Doubt.UNREAD, MISSING),
        (Role.HOLD, None, UNKNOWN, Doubt.MISSING, MISSING),
        (Role.CONTRAINDICATION, None, UNKNOWN, Doubt.ASK, TO_ASK),
        (Role.CAUTION, Weight.PLAN, UNKNOWN, Doubt.ASK, TO_ASK),
        (Role.CAUTION, Weight.PLAN, UNKNOWN, Doubt.UNREAD, TO_CHECK),
        (Role.EXPECTED, Weight.NOTE, UNKNOWN, Doubt.MISSING, TO_CHECK),
        (Role.CAUTION, Weight.NOTE, MET, None, TO_WEIGH),
        (Role.CAUTION, Weight.NOTE, UNKNOWN, Doubt.POSSIBLE, TO_WEIGH),
    ],
)
def test_each_finding_against_a_treatment_asks_one_thing(
    role: Role, weight: Weight | None, verdict: Verdict, doubt: Doubt | None, kind: Kind, knowledge: Knowledge
) -> None:
    finding = weighed(role, weight, verdict, doubt)
    against = against_of([finding], knowledge)
    assert against.points == ((kind, finding),)
    assert [other for other in Kind if against.of(other)] == [kind]


def test_what_leaves_a_treatment_met_is_not_against_it(knowledge: Knowledge) -> None:
    met = [weighed(Role.REQUIRED, None, MET), weighed(Role.CONTRAINDICATION, None, NOT_MET)]
    assert against_of([*met, weighed(Role.CONTEXT, None, MET)], knowledge).points == ()


def test_a_finding_whose_entries_a_heavier_one_names_is_left_out(knowledge: Knowledge) -> None:
    covers = {name: each.covers for name, each in knowledge.criteria.items() if each.covers}
    heavier, (lighter, *_) = next(iter(covers.items()))
    both = weighed(Role.CAUTION, Weight.SERIOUS, MET, None, heavier, ("A/1", "B/1"))
    one = weighed(Role.CAUTION, Weight.NOTE, MET, None, lighter, ("A/1",))
    another = weighed(Role.CAUTION, Weight.NOTE, MET, None, lighter, ("A/1", "C/1"))
    assert against_of([one, both], knowledge).of(*Kind) == [both]
    assert against_of([another, both], knowledge).of(*Kind) == [both, another]
    assert against_of([one], knowledge).of(*Kind) == [one]
