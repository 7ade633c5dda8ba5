"""The standing of a treatment, worst first, and the reasons for it. Pure.

Each finding, in the role that the protocol gives it, puts the treatment at one standing at best; the worst of all of
them is the treatment's:

    contraindication, met                            contraindicated
    hold, met                                        hold
    caution that can change the plan, met or possible
    expectation of such a weight, known not met      review
    required, known not met                          not_met
    required, unknown
    contraindication or hold, unread or possible     unknown
    contraindication or hold, missing or to ask
    any other caution or expectation, met against it
    or unknown                                       open
    otherwise                                        met

A treatment without a requirement or without anything that forbids it is never better than ``unknown``: what was not
looked for is not absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from operator import attrgetter
from typing import NamedTuple, TypeAlias

import msgspec

from fhir_plugin.deciding.finding import Doubt, Finding, Verdict
from mappings.schema.rules.protocols import AGAINST, FORBIDDING, Clause, Role, Weight


class Standing(StrEnum):
    """The standing of one treatment under a protocol, worst first."""

    CONTRAINDICATED = "contraindicated"
    HOLD = "hold"
    REVIEW = "review"
    NOT_MET = "not_met"
    UNKNOWN = "unknown"
    OPEN = "open"
    MET = "met"


CLEARED = frozenset({Standing.MET, Standing.OPEN})
"""Standings without anything known against a treatment that can change the plan, and without anything unread."""

_NOT_MET = Verdict.NOT_MET
_ORDER = {standing: place for place, standing in enumerate(Standing)}
_WEIGHTS = {weight: place for place, weight in enumerate(Weight)}


def worst(standings: Iterable[Standing]) -> Standing:
    """The worst of several standings; ``MET`` of none."""
    return min(standings, key=_ORDER.__getitem__, default=Standing.MET)


class WeighedFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding in the role that the protocol gives it."""

    finding: Finding
    clause: Clause
    role: Role
    standing: Standing
    """The best standing that this finding alone leaves to the treatment."""

    @property
    def weight(self) -> Weight | None:
        """The weight of a caution or of an expectation."""
        return self.clause.weight.value if self.clause.weight else None

    @property
    def urgency(self) -> tuple[int, int]:
        """Sort key of reasons: the worst standing first, then the heaviest weight."""
        weight = self.clause.weight
        return _ORDER[self.standing], _WEIGHTS[weight.value] if weight else 0

    @property
    def lacks_measurement(self) -> bool:
        """Whether what could forbid the treatment would have to be measured, and is not on the record."""
        return self.role in FORBIDDING and self.finding.doubt is Doubt.MISSING

    @property
    def absent(self) -> bool:
        """Whether it would speak against the treatment, and was looked for and not found."""
        return self.finding.verdict is _NOT_MET and self.role in AGAINST


_Outcomes: TypeAlias = Mapping[tuple[Verdict, Doubt | None], Standing]
"""The standing that a finding leaves, by its verdict and its doubt."""


class PlannedClause(NamedTuple):
    """One clause with what follows from every result of its criterion."""

    clause: Clause
    role: Role
    outcomes: _Outcomes

    def weigh(self, finding: Finding) -> WeighedFinding:
        """The finding in the role and with the weight that the clause gives it."""
        standing = self.outcomes[finding.verdict, finding.doubt]
        return WeighedFinding(finding=finding, clause=self.clause, role=self.role, standing=standing)


def planned(clause: Clause) -> PlannedClause:
    """The clause, ready to weigh findings."""
    return PlannedClause(clause, clause.role, _OUTCOMES[clause.role, clause.weight.value if clause.weight else None])


def _required(verdict: Verdict, _doubt: Doubt | None, _weight: Weight | None) -> Standing:
    return _REQUIRED[verdict]


_NOTHING_POINTS_TO_IT = (Doubt.MISSING, Doubt.ASK)
_REQUIRED = {Verdict.MET: Standing.MET, Verdict.NOT_MET: Standing.NOT_MET, Verdict.UNKNOWN: Standing.UNKNOWN}


def _forbidding(verdict: Verdict, doubt: Doubt | None, present: Standing) -> Standing:
    """A contraindication or a hold: it is merely open where all was read and nothing points to it."""
    if verdict is Verdict.UNKNOWN:
        return Standing.OPEN if doubt in _NOTHING_POINTS_TO_IT else Standing.UNKNOWN
    return present if verdict is Verdict.MET else Standing.MET


def _against(verdict: Verdict, doubt: Doubt | None, weight: Weight | None, against: Verdict) -> Standing:
    """A caution or an expectation, by its weight: what may be there is reviewed like what is there."""
    if verdict is against or doubt is Doubt.POSSIBLE:
        return Standing.OPEN if weight is Weight.NOTE else Standing.REVIEW
    return Standing.OPEN if verdict is Verdict.UNKNOWN else Standing.MET


_RULES: dict[Role, Callable[[Verdict, Doubt | None, Weight | None], Standing]] = {
    Role.REQUIRED: _required,
    Role.CONTRAINDICATION: lambda verdict, doubt, _: _forbidding(verdict, doubt, Standing.CONTRAINDICATED),
    Role.HOLD: lambda verdict, doubt, _: _forbidding(verdict, doubt, Standing.HOLD),
    Role.CAUTION: lambda verdict, doubt, weight: _against(verdict, doubt, weight, Verdict.MET),
    Role.EXPECTED: lambda verdict, doubt, weight: _against(verdict, doubt, weight, Verdict.NOT_MET),
    Role.CONTEXT: lambda _verdict, _doubt, _weight: Standing.MET,
}
_OUTCOMES: dict[tuple[Role, Weight | None], _Outcomes] = {
    (role, weight): {
        (verdict, doubt): _RULES[role](verdict, doubt, weight) for verdict in Verdict for doubt in (None, *Doubt)
    }
    for role in Role
    for weight in (None, *Weight)
}
_NEEDED = {Role.REQUIRED, Role.CONTRAINDICATION}


def may_be_offered(weighed_findings: Iterable[WeighedFinding]) -> bool:
    """Whether a treatment may be proposed: nothing against it, and nothing missing that could forbid it.

    A question to the patient, which no record answers, does not withhold it; a missing blood pressure does.
    """
    weighed = tuple(weighed_findings)
    return standing_of(weighed) in CLEARED and not any(finding.lacks_measurement for finding in weighed)


def cleared_apart_from_reviews(weighed_findings: Iterable[WeighedFinding]) -> bool:
    """Whether a treatment would be cleared if every finding to be reviewed were settled."""
    review = Standing.REVIEW
    return standing_of([weighed for weighed in weighed_findings if weighed.standing is not review]) in CLEARED


def standing_of(weighed_findings: Iterable[WeighedFinding]) -> Standing:
    """The standing of one treatment from all findings that concern it."""
    weighed = tuple(weighed_findings)
    found = {finding.standing for finding in weighed}
    if not _NEEDED.issubset({finding.role for finding in weighed}):
        found.add(Standing.UNKNOWN)
    return worst(found)


def reasons(weighed_findings: Iterable[WeighedFinding]) -> tuple[WeighedFinding, ...]:
    """The findings for which a treatment is not simply ``met``, weightiest first, in the protocol's order otherwise."""
    met = Standing.MET
    against = [weighed for weighed in weighed_findings if weighed.standing is not met]
    return tuple(sorted(against, key=attrgetter("urgency")))
