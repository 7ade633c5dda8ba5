"""Findings weighed by a protocol: what may be done, what may not, and what has to be known first. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import msgspec

from fhir_plugin.deciding.finding import Doubt, Finding, Verdict
from fhir_plugin.deciding.plan import ProtocolPlan, ProtocolPlans
from fhir_plugin.deciding.standing import Standing, WeighedFinding, may_be_offered, standing_of, worst
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
    return recommend_by(knowledge.once(ProtocolPlans).of(protocol), findings, ordered)


def recommend_by(plan: ProtocolPlan, findings: Collection[Finding], ordered: Collection[str] = ()) -> Recommendation:
    """Weigh the findings by a planned protocol."""
    answers, verdicts = _answers(plan, findings), _by_verdict(findings)
    pathways = [_pathway(name, pathway, answers, verdicts) for name, pathway in plan.protocol.pathways.items()]
    return _about(
        ordered,
        plan,
        verdicts,
        tuple(answers.values()),
        tuple(pathways),
        actionable=_is_actionable(plan, answers, verdicts),
    )


class _Verdicts(NamedTuple):
    """The criteria by what they conclude."""

    met: frozenset[str]
    not_met: frozenset[str]
    unknown: frozenset[str]


def _by_verdict(findings: Collection[Finding]) -> _Verdicts:
    criteria: dict[Verdict, set[str]] = {verdict: set() for verdict in Verdict}
    for finding in findings:
        criteria[finding.verdict].add(finding.criterion)
    return _Verdicts(*map(frozenset, criteria.values()))


def reordered(
    recommendation: Recommendation, plan: ProtocolPlan, findings: Collection[Finding], ordered: Collection[str]
) -> Recommendation:
    """The same recommendation where other treatments are ordered; nothing is weighed again."""
    return _about(
        ordered,
        plan,
        _by_verdict(findings),
        recommendation.treatments,
        recommendation.pathways,
        actionable=recommendation.actionable,
    )


def _about(
    ordered: Collection[str],
    plan: ProtocolPlan,
    verdicts: _Verdicts,
    answers: tuple[TreatmentAnswer, ...],
    pathways: tuple[PathwayAnswer, ...],
    *,
    actionable: bool,
) -> Recommendation:
    """What is said of the treatments that are ordered, or of the protocol's focus."""
    protocol = plan.protocol
    asked_for = tuple(name for name in protocol.treatments if name in ordered)
    about = asked_for or (protocol.focus,)
    relevant = [answer for answer in answers if answer.treatment in about]
    unknown = _unknown_and_decisive(relevant)
    asks, questions = _asks_and_questions(unknown, plan)
    return Recommendation(
        protocol=protocol.id,
        ordered=asked_for,
        verdict=worst(answer.standing for answer in relevant),
        treatments=answers,
        actionable=actionable,
        missing=tuple(dict.fromkeys(gap for weighed in unknown for gap in weighed.finding.missing)),
        asks=asks,
        questions=questions,
        pathways=pathways,
        conflicts=tuple(_conflicts(plan, verdicts, pathways, frozenset(about))),
    )


def _unknown_and_decisive(answers: Iterable[TreatmentAnswer]) -> list[WeighedFinding]:
    """What is required or would forbid a treatment, and is not known."""
    return [
        weighed
        for answer in answers
        for weighed in answer.weighed
        if weighed.role in _DECISIVE_ROLES and weighed.finding.verdict is Verdict.UNKNOWN
    ]


_DECISIVE_ROLES = (Role.REQUIRED, *FORBIDDING)


def _answers(plan: ProtocolPlan, findings: Collection[Finding]) -> dict[str, TreatmentAnswer]:
    """Every treatment of the protocol, by name."""
    by_criterion = {finding.criterion: finding for finding in findings}
    weighed = [each.weigh(by_criterion[each.clause.criterion]) for each in plan.clauses]
    answers = {}
    for name, places in plan.concerned.items():
        concerned = tuple([weighed[place] for place in places])
        answers[name] = TreatmentAnswer(treatment=name, standing=standing_of(concerned), weighed=concerned)
    return answers


def _pathway(name: str, pathway: Pathway, answers: Mapping[str, TreatmentAnswer], verdicts: _Verdicts) -> PathwayAnswer:
    standings = [answers[step.treatment].standing for step in pathway.steps]
    return PathwayAnswer(
        id=name,
        pathway=pathway,
        fits=_fits(pathway, verdicts),
        standing=worst(standings),
        open=tuple([name for name in pathway.criteria if name in verdicts.unknown]),
    )


def _fits(pathway: Pathway, verdicts: _Verdicts) -> Verdict:
    """Whether all conditions of a pathway hold: false as soon as one is false, unknown while one is open.

    A pathway without conditions fits nobody for certain.
    """
    all_of, any_of, none_of = pathway.all_of, pathway.any_of, pathway.none_of
    met, not_met, _ = verdicts
    is_false = not (not_met.isdisjoint(all_of) and met.isdisjoint(none_of))
    if is_false or (any_of and not_met.issuperset(any_of)):
        return Verdict.NOT_MET
    is_true = met.issuperset(all_of) and not_met.issuperset(none_of) and not (any_of and met.isdisjoint(any_of))
    return Verdict.MET if is_true and pathway.criteria else Verdict.UNKNOWN


def _asks_and_questions(unknown: list[WeighedFinding], plan: ProtocolPlan) -> tuple[tuple[Ask, ...], tuple[Ask, ...]]:
    """What is needed, and what is only to be asked; nothing twice."""
    asks: dict[str, Ask] = {}
    questions: dict[str, Ask] = {}
    for weighed in unknown:
        ask = plan.asks[weighed.finding.criterion]
        (questions if weighed.finding.doubt is Doubt.ASK else asks).setdefault(ask.datum, ask)
    return tuple(asks.values()), tuple(ask for datum, ask in questions.items() if datum not in asks)


def _is_actionable(plan: ProtocolPlan, answers: Mapping[str, TreatmentAnswer], verdicts: _Verdicts) -> bool:
    if not verdicts.met.isdisjoint(plan.speaking):
        return True
    protocol = plan.protocol
    if not verdicts.not_met.isdisjoint(protocol.silent_without):
        return False
    return verdicts.met.issuperset(protocol.speaks_when) and answers[protocol.focus].standing in protocol.speaks_at


def _conflicts(
    plan: ProtocolPlan,
    verdicts: _Verdicts,
    pathways: Iterable[PathwayAnswer],
    treatments: frozenset[str],
) -> Iterable[Conflict]:
    """The conflicts about these treatments that a criterion not ruled out, or a pathway that fits, raises."""
    fitting = {answer.id for answer in pathways if answer.fits is Verdict.MET}
    for conflict in plan.conflicts:
        if treatments.isdisjoint(conflict.treatments):
            continue
        is_open = not verdicts.not_met.issuperset(conflict.criteria)
        if is_open or not fitting.isdisjoint(conflict.pathways):
            yield conflict
