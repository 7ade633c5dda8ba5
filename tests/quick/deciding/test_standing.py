"""The standing of a treatment: the worst thing that is known, and what was not looked at."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_plugin.deciding.against import against_of
from fhir_plugin.deciding.finding import Doubt, Finding, Verdict
from fhir_plugin.deciding.headline import MAX_HEADLINE, headline
from fhir_plugin.deciding.standing import Standing, WeighedFinding, may_be_offered, planned, standing_of, worst
from mappings.schema.rules.protocols import Clause, ClauseWeight, Role, Weight
from tests.support.profiles import examples
from tests.support.shipped import shipped

MET, NOT_MET, UNKNOWN = Verdict.MET, Verdict.NOT_MET, Verdict.UNKNOWN

ALONE = [
    # role, weight, verdict, doubt -> the standing that it leaves
    (Role.CONTRAINDICATION, None, MET, None, "contraindicated"),
    (Role.CONTRAINDICATION, None, NOT_MET, None, "met"),
    (Role.CONTRAINDICATION, None, UNKNOWN, Doubt.UNREAD, "unknown"),
    (Role.CONTRAINDICATION, None, UNKNOWN, Doubt.POSSIBLE, "unknown"),
    (Role.CONTRAINDICATION, None, UNKNOWN, Doubt.MISSING, "open"),
    (Role.CONTRAINDICATION, None, UNKNOWN, Doubt.ASK, "open"),
    (Role.HOLD, None, MET, None, "hold"),
    (Role.HOLD, None, NOT_MET, None, "met"),
    (Role.HOLD, None, UNKNOWN, Doubt.UNREAD, "unknown"),
    (Role.HOLD, None, UNKNOWN, Doubt.POSSIBLE, "unknown"),
    (Role.HOLD, None, UNKNOWN, Doubt.MISSING, "open"),
    (Role.REQUIRED, None, MET, None, "met"),
    (Role.REQUIRED, None, NOT_MET, None, "not_met"),
    (Role.REQUIRED, None, UNKNOWN, Doubt.MISSING, "unknown"),
    (Role.REQUIRED, None, UNKNOWN, Doubt.POSSIBLE, "unknown"),
    (Role.CAUTION, Weight.SERIOUS, MET, None, "review"),
    (Role.CAUTION, Weight.PLAN, MET, None, "review"),
    (Role.CAUTION, Weight.NOTE, MET, None, "open"),
    (Role.CAUTION, Weight.SERIOUS, UNKNOWN, Doubt.POSSIBLE, "review"),
    (Role.CAUTION, Weight.NOTE, UNKNOWN, Doubt.POSSIBLE, "open"),
    (Role.CAUTION, Weight.SERIOUS, UNKNOWN, Doubt.UNREAD, "open"),
    (Role.CAUTION, Weight.SERIOUS, NOT_MET, None, "met"),
    (Role.EXPECTED, Weight.PLAN, NOT_MET, None, "review"),
    (Role.EXPECTED, Weight.NOTE, NOT_MET, None, "open"),
    (Role.EXPECTED, Weight.PLAN, MET, None, "met"),
    (Role.EXPECTED, Weight.PLAN, UNKNOWN, Doubt.MISSING, "open"),
    (Role.CONTEXT, None, MET, None, "met"),
    (Role.CONTEXT, None, UNKNOWN, Doubt.UNREAD, "met"),
]


def weighed(
    role: Role, weight: Weight | None, verdict: Verdict, doubt: Doubt | None, criterion: str = "heart.risk"
) -> WeighedFinding:
    """One finding in one role."""
    value = ClauseWeight(value=weight, source="design", verification="design") if weight else None
    clause = Clause(
        criterion=criterion,
        role=role,
        weight=value,
        treatments=("ketamine",),
        sources=(),
        grade="low",
        why="",
        do="recheck" if role is Role.HOLD else "",
    )
    finding = Finding(criterion=criterion, verdict=verdict, because="", phrase="MI 21 days ago", doubt=doubt)
    return planned(clause).weigh(finding)


CLEAR = [weighed(Role.REQUIRED, None, MET, None, "age.adult"), weighed(Role.CONTRAINDICATION, None, NOT_MET, None)]


@pytest.mark.parametrize(("role", "weight", "verdict", "doubt", "expected"), ALONE)
def test_one_finding_alone(
    role: Role, weight: Weight | None, verdict: Verdict, doubt: Doubt | None, expected: str
) -> None:
    assert standing_of([*CLEAR, weighed(role, weight, verdict, doubt)]) == expected


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(ALONE, 2)))
def test_the_worse_of_two_wins(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    both = [*CLEAR, weighed(*one[:4]), weighed(*other[:4])]  # type: ignore[arg-type]
    assert standing_of(both) == worst([Standing(one[4]), Standing(other[4])])


def test_the_order_is_that_of_the_danger() -> None:
    assert [standing.value for standing in Standing] == [
        "contraindicated", "hold", "review", "not_met", "unknown", "open", "met",
    ]  # fmt: skip


@pytest.mark.parametrize("left_out", [0, 1])
def test_a_treatment_without_a_requirement_or_without_anything_that_forbids_it_is_never_met(left_out: int) -> None:
    assert standing_of(CLEAR[:left_out] + CLEAR[left_out + 1 :]) is Standing.UNKNOWN
    assert standing_of([]) is Standing.UNKNOWN


def test_a_missing_measurement_withholds_an_offer_and_a_question_does_not() -> None:
    assert may_be_offered([*CLEAR, weighed(Role.CONTRAINDICATION, None, UNKNOWN, Doubt.ASK)])
    assert not may_be_offered([*CLEAR, weighed(Role.HOLD, None, UNKNOWN, Doubt.MISSING)])
    assert not may_be_offered([*CLEAR, weighed(Role.CAUTION, Weight.PLAN, MET, None)])


CRITERIA = sorted(shipped().criteria)


@st.composite
def some_findings(draw: st.DrawFn) -> list[WeighedFinding]:
    """Findings of distinct criteria in any role."""
    names = draw(st.lists(st.sampled_from(CRITERIA), min_size=1, max_size=12, unique=True))
    return [weighed(*draw(st.sampled_from(ALONE))[:4], name) for name in names]  # type: ignore[arg-type]


@given(some_findings(), st.booleans())
@examples(4)
def test_a_headline_fits_is_whole_and_reassures_only_where_nothing_is_against_it(
    findings: list[WeighedFinding], ordering: bool
) -> None:
    knowledge = shipped()
    standing = standing_of([*CLEAR, *findings])
    line = headline(
        "Ketamine and TMS", standing, against_of([*CLEAR, *findings], knowledge), knowledge, ordering=ordering
    ).text
    assert len(line) <= MAX_HEADLINE
    assert not line.endswith(("…", ";", ",", ":"))
    reassures = "nothing against it" in line
    assert reassures == (standing is Standing.MET)
    against = [finding for finding in findings if finding.role in (Role.CAUTION, Role.CONTRAINDICATION, Role.HOLD)]
    if any(finding.finding.verdict is not NOT_MET for finding in against):
        assert not reassures
