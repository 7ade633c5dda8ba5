"""Findings weighed by a protocol: what may be done, what may not, and what has to be known first. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping

import msgspec

from fhir_plugin.deciding.finding import Doubt, Finding, Verdict
from fhir_plugin.deciding.standing import Standing, WeighedFinding, may_be_offered, standing_of, weigh, worst
from mappings.schema.load import Knowledge
from mappings.schema.rules.criteria import Ask
from mappings.schema.rules.protocols import FORBIDDING, Conflict, Pathway, Protocol, Role


class TreatmentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One treatment under the protocol."""

    treatment: str
    standing: Standing
    weighed: tuple[WeighedFinding, ...]
    """Every clause for the treatment, in the order of the protocol."""

    @property
    def may_be_offered(self) -> bool:
        """Whether nothing on the record, and nothing missing from it, withholds the treatment."""
        return may_be_offered(self.weighed)


class PathwayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One pathway of the protocol for this patient."""

    id: str
    pathway: Pathway
    fits: Verdict
    """Whether the pathway applies to this patient."""
    standing: Standing
    """The worst standing among the treatments of its steps; ``MET`` for a pathway without steps."""
    open: tuple[str, ...]
    """Criteria of the pathway that are unknown."""


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """What a protocol concludes from the findings."""

    protocol: str
    ordered: tuple[str, ...]
    """Treatments that are being ordered; empty when the chart is only viewed."""
    verdict: Standing
    """The worst standing among what is ordered, or of the protocol's focus."""
    treatments: tuple[TreatmentAnswer, ...]
    actionable: bool
    """Whether there is something to act on without an order."""
    missing: tuple[str, ...]
    asks: tuple[Ask, ...]
    """What is needed before anything can be said, in the order of the protocol, without repeated data."""
    questions: tuple[Ask, ...]
    """What is learnt only by asking, and no answer is on the record; without what ``asks`` names."""
    conflicts: tuple[Conflict, ...]
    pathways: tuple[PathwayAnswer, ...] = ()
    """Every pathway, in the order of the protocol."""

    @property
    def pathway(self) -> PathwayAnswer | None:
        """The first pathway that fits; earlier ones that are still open are ``undecided``."""
        return next((answer for answer in self.pathways if answer.fits is Verdict.MET), None)

    @property
    def undecided(self) -> tuple[PathwayAnswer, ...]:
        """Pathways listed before the one that fits, for which the record leaves open whether they fit."""
        before = itertools.takewhile(lambda answer: answer.fits is not Verdict.MET, self.pathways)
        return tuple(answer for answer in before if answer.fits is Verdict.UNKNOWN)


def recommend(
    findings: Collection[Finding], protocol: Protocol, knowledge: Knowledge, ordered: Collection[str] = ()
) -> Recommendation:
    """Weigh the findings by a protocol; ``ordered`` names its treatments, others are ignored."""
    by_criterion = {finding.criterion: finding for finding in findings}
    weighed_findings = [weigh(by_criterion[clause.criterion], clause) for clause in protocol.clauses]
    answers = {name: _answer(name, weighed_findings) for name in protocol.treatments}
    asked_for = tuple(name for name in protocol.treatments if name in ordered)
    relevant = [answers[name] for name in asked_for or (protocol.focus,)]
    verdict = worst(answer.standing for answer in relevant)
    decisive = _decisive(relevant)
    asks, questions = _asks_and_questions(decisive, knowledge)
    pathways = tuple(_pathway(name, pathway, answers, by_criterion) for name, pathway in protocol.pathways.items())
    return Recommendation(
        protocol=protocol.id,
        ordered=asked_for,
        verdict=verdict,
        treatments=tuple(answers.values()),
        actionable=_is_actionable(protocol, answers, by_criterion),
        missing=_missing(decisive),
        asks=asks,
        questions=questions,
        pathways=pathways,
        conflicts=tuple(
            _conflicts(protocol, knowledge, by_criterion, pathways, {answer.treatment for answer in relevant})
        ),
    )


def _decisive(answers: Iterable[TreatmentAnswer]) -> list[WeighedFinding]:
    return [weighed for answer in answers for weighed in answer.weighed if weighed.role in _DECISIVE_ROLES]


def _missing(decisive: Iterable[WeighedFinding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(gap for weighed in decisive for gap in weighed.finding.missing))


_DECISIVE_ROLES = (Role.REQUIRED, *FORBIDDING)


def _answer(treatment: str, weighed_findings: list[WeighedFinding]) -> TreatmentAnswer:
    concerned = tuple([weighed for weighed in weighed_findings if treatment in weighed.clause.treatments])
    return TreatmentAnswer(treatment=treatment, standing=standing_of(concerned), weighed=concerned)


def _pathway(
    name: str, pathway: Pathway, answers: Mapping[str, TreatmentAnswer], findings: Mapping[str, Finding]
) -> PathwayAnswer:
    standings = [answers[step.treatment].standing for step in pathway.steps]
    return PathwayAnswer(
        id=name,
        pathway=pathway,
        fits=_fits(pathway, findings),
        standing=worst(standings),
        open=tuple(criterion for criterion in pathway.criteria if findings[criterion].verdict is Verdict.UNKNOWN),
    )


def _fits(pathway: Pathway, findings: Mapping[str, Finding]) -> Verdict:
    """Whether all conditions of a pathway hold: false as soon as one is false, unknown while one is open.

    A pathway without conditions fits nobody for certain.
    """
    verdicts = [findings[criterion].verdict for criterion in pathway.all_of]
    verdicts += [_NEGATED[findings[criterion].verdict] for criterion in pathway.none_of]
    if pathway.any_of:
        alternatives = [findings[criterion].verdict for criterion in pathway.any_of]
        verdicts.append(next((verdict for verdict in _MOST_TRUE if verdict in alternatives), Verdict.NOT_MET))
    return next((verdict for verdict in reversed(_MOST_TRUE) if verdict in verdicts), Verdict.UNKNOWN)


_MOST_TRUE = (Verdict.MET, Verdict.UNKNOWN, Verdict.NOT_MET)
_NEGATED = {Verdict.MET: Verdict.NOT_MET, Verdict.NOT_MET: Verdict.MET, Verdict.UNKNOWN: Verdict.UNKNOWN}


def _asks_and_questions(
    decisive: list[WeighedFinding], knowledge: Knowledge
) -> tuple[tuple[Ask, ...], tuple[Ask, ...]]:
    """What is needed, and what is only to be asked; nothing twice."""
    asks = _asks((weighed for weighed in decisive if weighed.finding.doubt is not Doubt.ASK), knowledge)
    questions = _asks((weighed for weighed in decisive if weighed.finding.doubt is Doubt.ASK), knowledge)
    return tuple(asks.values()), tuple(ask for datum, ask in questions.items() if datum not in asks)


def _asks(decisive: Iterable[WeighedFinding], knowledge: Knowledge) -> dict[str, Ask]:
    asks: dict[str, Ask] = {}
    for weighed in decisive:
        if weighed.finding.verdict is Verdict.UNKNOWN:
            ask = knowledge.criteria[weighed.finding.criterion].ask
            asks.setdefault(ask.datum, ask)
    return asks


def _is_actionable(protocol: Protocol, answers: Mapping[str, TreatmentAnswer], findings: Mapping[str, Finding]) -> bool:
    speaking = [clause for clause in protocol.clauses if clause.speaks]
    if any(findings[clause.criterion].verdict is Verdict.MET for clause in speaking):
        return True
    conditions_met = all(findings[name].verdict is Verdict.MET for name in protocol.speaks_when)
    if any(findings[name].verdict is Verdict.NOT_MET for name in protocol.silent_without):
        return False
    return conditions_met and answers[protocol.focus].standing in protocol.speaks_at


def _conflicts(
    protocol: Protocol,
    knowledge: Knowledge,
    findings: Mapping[str, Finding],
    pathways: tuple[PathwayAnswer, ...],
    treatments: set[str],
) -> Iterable[Conflict]:
    """The conflicts about these treatments that a criterion not ruled out, or a pathway that fits, raises."""
    fitting = {answer.id for answer in pathways if answer.fits is Verdict.MET}
    for conflict in knowledge.resolved_conflicts[protocol.id]:
        if treatments.isdisjoint(conflict.treatments):
            continue
        is_open = any(findings[criterion].verdict is not Verdict.NOT_MET for criterion in conflict.criteria)
        if is_open or not fitting.isdisjoint(conflict.pathways):
            yield conflict
