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

from collections.abc import Callable, Iterable
from enum import StrEnum

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
        return _ORDER[self.standing], _WEIGHTS[self.weight] if self.weight else 0

    @property
    def lacks_measurement(self) -> bool:
        """Whether what could forbid the treatment would have to be measured, and is not on the record."""
        return self.role in FORBIDDING and self.finding.doubt is Doubt.MISSING

    @property
    def absent(self) -> bool:
        """Whether it would speak against the treatment, and was looked for and not found."""
        return self.role in AGAINST and self.finding.verdict is Verdict.NOT_MET


def weigh(finding: Finding, clause: Clause) -> WeighedFinding:
    """The finding in the role and with the weight that the clause gives it."""
    standing = _RULES[clause.role](finding, clause.weight.value if clause.weight else None)
    return WeighedFinding(finding=finding, clause=clause, role=clause.role, standing=standing)


def _required(finding: Finding, _weight: Weight | None) -> Standing:
    return _REQUIRED[finding.verdict]


_NOTHING_POINTS_TO_IT = (Doubt.MISSING, Doubt.ASK)
_REQUIRED = {Verdict.MET: Standing.MET, Verdict.NOT_MET: Standing.NOT_MET, Verdict.UNKNOWN: Standing.UNKNOWN}


def _forbidding(finding: Finding, present: Standing) -> Standing:
    """A contraindication or a hold: it is merely open where all was read and nothing points to it."""
    if finding.verdict is Verdict.UNKNOWN:
        return Standing.OPEN if finding.doubt in _NOTHING_POINTS_TO_IT else Standing.UNKNOWN
    return present if finding.verdict is Verdict.MET else Standing.MET


def _against(finding: Finding, weight: Weight | None, against: Verdict) -> Standing:
    """A caution or an expectation, by its weight: what may be there is reviewed like what is there."""
    if finding.verdict is against or finding.doubt is Doubt.POSSIBLE:
        return Standing.OPEN if weight is Weight.NOTE else Standing.REVIEW
    return Standing.OPEN if finding.verdict is Verdict.UNKNOWN else Standing.MET


_RULES: dict[Role, Callable[[Finding, Weight | None], Standing]] = {
    Role.REQUIRED: _required,
    Role.CONTRAINDICATION: lambda finding, _: _forbidding(finding, Standing.CONTRAINDICATED),
    Role.HOLD: lambda finding, _: _forbidding(finding, Standing.HOLD),
    Role.CAUTION: lambda finding, weight: _against(finding, weight, Verdict.MET),
    Role.EXPECTED: lambda finding, weight: _against(finding, weight, Verdict.NOT_MET),
    Role.CONTEXT: lambda _finding, _weight: Standing.MET,
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
    return standing_of(weighed for weighed in weighed_findings if weighed.standing is not Standing.REVIEW) in CLEARED


def standing_of(weighed_findings: Iterable[WeighedFinding]) -> Standing:
    """The standing of one treatment from all findings that concern it."""
    weighed = tuple(weighed_findings)
    found = worst([finding.standing for finding in weighed])
    complete = _NEEDED.issubset({finding.role for finding in weighed})
    return found if complete else worst((found, Standing.UNKNOWN))


def reasons(weighed_findings: Iterable[WeighedFinding]) -> tuple[WeighedFinding, ...]:
    """The findings for which a treatment is not simply ``met``, weightiest first, in the protocol's order otherwise."""
    against = (weighed for weighed in weighed_findings if weighed.standing is not Standing.MET)
    return tuple(sorted(against, key=lambda weighed: weighed.urgency))
