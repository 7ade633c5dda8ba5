"""Findings against a protocol: what may be done, what may not, and what has to be known first. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum

import msgspec

from fhir_plugin.assess import Finding, Verdict
from mappings.criteria import Ask
from mappings.load import Knowledge
from mappings.protocols import Clause, Conflict, Protocol, Role


class Standing(StrEnum):
    """Where one treatment stands under a protocol, strongest first."""

    CONTRAINDICATED = "contraindicated"
    NOT_MET = "not_met"
    UNKNOWN = "unknown"
    MET = "met"


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """A finding in the role that the protocol gives it."""

    finding: Finding
    clause: Clause

    @property
    def role(self) -> Role:
        """The role of the finding for the treatment."""
        return self.clause.role


class TreatmentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One treatment under the protocol."""

    treatment: str
    standing: Standing
    weighed: tuple[Weighed, ...]
    """Every clause for the treatment, in the order of the protocol."""


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """What a protocol makes of the findings."""

    protocol: str
    ordered: tuple[str, ...]
    """Treatments that are being ordered; empty when the chart is only viewed."""
    verdict: Standing
    """The strongest standing among what is ordered, or of the protocol's focus."""
    treatments: tuple[TreatmentAnswer, ...]
    speaks: bool
    """Whether there is something to say without an order."""
    missing: tuple[str, ...]
    asks: tuple[Ask, ...]
    """What to find out, in the order of the protocol, each datum once."""
    conflicts: tuple[Conflict, ...]


def recommend(
    findings: Collection[Finding], protocol: Protocol, knowledge: Knowledge, ordered: Collection[str] = ()
) -> Recommendation:
    """Weigh the findings as a protocol does; ``ordered`` names treatments of the protocol, others are passed over."""
    by_criterion = {finding.criterion: finding for finding in findings}
    answers = {name: _answer(name, protocol, by_criterion) for name in protocol.treatments}
    asked_for = tuple(name for name in protocol.treatments if name in ordered)
    looked_at = [answers[name] for name in asked_for or (protocol.focus,)]
    verdict = min((answer.standing for answer in looked_at), key=_STRONGEST.index)
    decisive = [weighed for answer in looked_at for weighed in answer.weighed if weighed.role in _DECIDES]
    return Recommendation(
        protocol=protocol.id,
        ordered=asked_for,
        verdict=verdict,
        treatments=tuple(answers.values()),
        speaks=_speaks(protocol, answers, by_criterion),
        missing=tuple(dict.fromkeys(gap for weighed in decisive for gap in weighed.finding.missing)),
        asks=_asks(decisive, knowledge),
        conflicts=tuple(_shown(protocol, knowledge, by_criterion, {answer.treatment for answer in looked_at})),
    )


_STRONGEST = (Standing.CONTRAINDICATED, Standing.NOT_MET, Standing.UNKNOWN, Standing.MET)
_DECIDES = (Role.REQUIRED, Role.CONTRAINDICATION)


def _answer(treatment: str, protocol: Protocol, findings: Mapping[str, Finding]) -> TreatmentAnswer:
    weighed = tuple(
        Weighed(finding=findings[clause.criterion], clause=clause)
        for clause in protocol.clauses
        if treatment in clause.treatments
    )
    return TreatmentAnswer(treatment=treatment, standing=_standing(weighed), weighed=weighed)


def _standing(weighed: tuple[Weighed, ...]) -> Standing:
    """The rule of precedence: what is unknown never lets a treatment through."""
    said = {(each.role, each.finding.verdict) for each in weighed}
    if (Role.CONTRAINDICATION, Verdict.MET) in said:
        return Standing.CONTRAINDICATED
    if (Role.REQUIRED, Verdict.NOT_MET) in said:
        return Standing.NOT_MET
    if (Role.REQUIRED, Verdict.UNKNOWN) in said or (Role.CONTRAINDICATION, Verdict.UNKNOWN) in said:
        return Standing.UNKNOWN
    return Standing.MET


def _asks(decisive: list[Weighed], knowledge: Knowledge) -> tuple[Ask, ...]:
    asks: dict[str, Ask] = {}
    for weighed in decisive:
        if weighed.finding.verdict is Verdict.UNKNOWN:
            ask = knowledge.criteria[weighed.finding.criterion].ask
            asks.setdefault(ask.datum, ask)
    return tuple(asks.values())


def _speaks(protocol: Protocol, answers: Mapping[str, TreatmentAnswer], findings: Mapping[str, Finding]) -> bool:
    if any(clause.speaks and findings[clause.criterion].verdict is Verdict.MET for clause in protocol.clauses):
        return True
    worth = all(findings[name].verdict is Verdict.MET for name in protocol.speaks_when)
    return worth and answers[protocol.focus].standing in protocol.speaks_at


def _shown(
    protocol: Protocol, knowledge: Knowledge, findings: Mapping[str, Finding], treatments: set[str]
) -> Iterable[Conflict]:
    """The conflicts that matter here: those of no one criterion, and those beside a finding that is not false."""
    for name, conflict in knowledge.conflicts.items():
        if treatments.isdisjoint(conflict.treatments):
            continue
        if conflict.criteria and all(findings[each].verdict is Verdict.NOT_MET for each in conflict.criteria):
            continue
        resolution = protocol.resolutions.get(name)
        yield conflict.model_copy(update={"resolution": resolution}) if resolution else conflict
