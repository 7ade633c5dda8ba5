"""What speaks against a treatment, or is not known of it: each finding sorted once by what it asks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import product
from typing import NamedTuple

from fhir_plugin.deciding.finding import NOT_THERE, Doubt, Verdict
from fhir_plugin.deciding.standing import Standing, WeighedFinding, reasons
from mappings.schema.load import Knowledge
from mappings.schema.rules.protocols import FORBIDDING, Role


class Kind(StrEnum):
    """What a finding asks of the reader; of each finding for which a treatment is not simply ``met`` there is one."""

    HARM = "harm"
    """Known, or possibly so, to speak against the treatment with a weight that can change the plan."""
    UNMET = "unmet"
    """Required, and known not to be so."""
    MISSING = "missing"
    """Not known, and needed: a criterion, a list that was not read, a measurement that is not there."""
    TO_ASK = "to ask"
    """A question that the record leaves open without a reason for concern."""
    TO_CHECK = "to check"
    """A caution on which something is missing or could not be read."""
    TO_WEIGH = "to weigh"
    """There, or possibly, and changes no plan by itself."""


HARM, UNMET, MISSING, TO_ASK, TO_CHECK, TO_WEIGH = Kind


class Against(NamedTuple):
    """The findings against a treatment, weightiest first, each with its kind."""

    points: tuple[tuple[Kind, WeighedFinding], ...]

    def of(self, *kinds: Kind) -> list[WeighedFinding]:
        """Those of some kinds."""
        return [weighed for kind, weighed in self.points if kind in kinds]


def against_of(weighed_findings: Iterable[WeighedFinding], knowledge: Knowledge) -> Against:
    """What is against a treatment, without findings whose entries a heavier one names as well."""
    points = [(kind_of(weighed), weighed) for weighed in reasons(weighed_findings)]
    return Against(_without_doubles(points, knowledge))


def kind_of(weighed: WeighedFinding) -> Kind:
    """What a finding asks of the reader for which the treatment is not simply ``met``."""
    return _KINDS[weighed.role, weighed.standing, weighed.finding.doubt]


def _kind(role: Role, standing: Standing, doubt: Doubt | None) -> Kind:
    is_possible = role is not Role.REQUIRED and doubt is Doubt.POSSIBLE
    if standing in _HARM or (standing is Standing.UNKNOWN and is_possible):
        return HARM
    if standing is Standing.NOT_MET:
        return UNMET
    if standing is Standing.UNKNOWN or (role in FORBIDDING and doubt is Doubt.MISSING):
        return MISSING
    if doubt is Doubt.ASK:
        return TO_ASK
    return TO_CHECK if doubt in NOT_THERE else TO_WEIGH


_HARM = (Standing.CONTRAINDICATED, Standing.HOLD, Standing.REVIEW)
_KINDS: Mapping[tuple[Role, Standing, Doubt | None], Kind] = {
    (role, standing, doubt): _kind(role, standing, doubt)
    for role, standing, doubt in product(Role, Standing, (None, *Doubt))
    if standing is not Standing.MET
}


def _without_doubles(
    points: Sequence[tuple[Kind, WeighedFinding]], knowledge: Knowledge
) -> tuple[tuple[Kind, WeighedFinding], ...]:
    """Without an opioid beside the opioid with a benzodiazepine."""
    named: dict[str, set[str]] = {}
    for kind, weighed in points:
        if kind is HARM and weighed.finding.verdict is Verdict.MET:
            entries = {entry.reference for entry in weighed.finding.evidence}
            for criterion in knowledge.criteria[weighed.finding.criterion].covers:
                named.setdefault(criterion, set()).update(entries)
    if not named:
        return tuple(points)
    return tuple((kind, weighed) for kind, weighed in points if kind is MISSING or not _is_double(weighed, named))


def _is_double(weighed: WeighedFinding, named: dict[str, set[str]]) -> bool:
    entries = named.get(weighed.finding.criterion)
    return entries is not None and entries.issuperset(entry.reference for entry in weighed.finding.evidence)
