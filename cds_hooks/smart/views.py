"""The content of the app's pages, derived from one decision. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import filterfalse

import msgspec

from cds_hooks.cards.own_cards import own_summary
from cds_hooks.web.findings import DecisionView, FindingRow, TreatmentView, decision_view
from fhir_plugin.courses.path_words import PathWords
from fhir_plugin.courses.report import CourseReport, course_report
from fhir_plugin.deciding.decide import Decision
from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.deciding.recommend import recommend
from fhir_plugin.deciding.standing import CLEARED
from fhir_plugin.record.resources import Resource
from mappings.schema.load import Knowledge
from mappings.schema.rules.protocols import Conflict, Role


@dataclass(frozen=True, slots=True)
class LatestScore:
    """The latest score of one instrument, with its trend."""

    short: str
    title: str
    day: str
    total: float | None
    severity: str | None
    suicide: bool | None
    source: str
    alerted: bool
    """Whether its changes are told with what got worse."""
    changes: tuple[str, ...]
    """The change since the last value, then since the baseline; empty without a dated total."""
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """The first page."""

    verdict: str
    protocol: str
    standings: tuple[TreatmentView, ...]
    """Each treatment with its standing and the reasons for it."""
    pathway: str
    latest: tuple[LatestScore, ...]
    asks: tuple[str, ...]
    """What would settle what is unknown."""
    due: str
    """What is due before the next session; empty if nothing is."""
    findings: DecisionView


@dataclass(frozen=True, slots=True)
class CriterionComparison:
    """One criterion of one treatment under each protocol."""

    row: FindingRow
    """The row under the site's own protocol, or the first protocol that has the criterion."""
    roles: tuple[tuple[str, str, str, str] | None, ...]
    """By protocol: role, verdict, the verdict in words, weight; ``None`` if the protocol does not use it."""


@dataclass(frozen=True, slots=True)
class TreatmentComparison:
    """One treatment, its criteria under all protocols side by side."""

    treatment: str
    title: str
    standings: tuple[TreatmentView | None, ...]
    compared: tuple[CriterionComparison, ...]
    """Criteria that decide, and unknown ones."""
    noted: tuple[CriterionComparison, ...]
    """Known criteria that decide under no protocol."""
    absent: tuple[CriterionComparison, ...]
    """Contraindications and cautions that were looked for and not found."""


@dataclass(frozen=True, slots=True)
class CriteriaPage:
    """The page of criteria."""

    protocols: tuple[str, ...]
    treatments: tuple[TreatmentComparison, ...]
    chosen: str
    conflicts: tuple[tuple[str, tuple[tuple[str, str], ...], str], ...]
    """Topic, positions by source, and what is done about it."""
    resources: dict[str, str]
    """Each resource that a finding rests on, by reference, as it was read."""
    findings: DecisionView


def warning(decision: Decision, knowledge: Knowledge) -> str:
    """The safety warning at the top of every page; empty if there is none."""
    summaries = [
        own_summary(own, finding, knowledge, decision.facts.as_of)
        for own in knowledge.cards.safety
        if (finding := decision.finding(own.criterion)) and finding.verdict is Verdict.MET
    ]
    return " ".join(summaries)


def overview(decision: Decision, knowledge: Knowledge) -> OverviewPage:
    """Latest scores, standings of the treatments, what is due."""
    view = decision_view(decision, knowledge)
    pathway = decision.recommendation.pathway
    due = decision.finding(knowledge.sessions.overview)
    return OverviewPage(
        verdict=view.verdict,
        protocol=view.protocol,
        standings=view.treatments,
        pathway=f"{pathway.pathway.title}. {pathway.pathway.says}" if pathway and pathway.standing in CLEARED else "",
        latest=tuple(_latest(decision, knowledge, view.course)),
        asks=tuple(ask.words for ask in (*decision.recommendation.asks, *decision.recommendation.questions)),
        due=due.because if due and due.verdict is Verdict.MET else "",
        findings=view,
    )


def _latest(decision: Decision, knowledge: Knowledge, course: CourseReport) -> Iterable[LatestScore]:
    forms = knowledge.instruments.forms.items()
    say = PathWords(knowledge.instruments.words, knowledge.treatments, course.as_of)
    trends = {trend.instrument: trend for trend in course.trends}
    for name, form in sorted(forms, key=lambda item: item[1].instrument.measures != "depression"):
        series = decision.facts.scores.series(name)
        if not series:
            continue
        last, trend = series[-1], trends.get(name)
        yield LatestScore(
            short=form.instrument.short,
            title=form.instrument.title,
            day=say.day(last),
            total=last.total,
            severity=last.severity,
            suicide=last.suicide_item_positive,
            source=last.reference,
            alerted=bool(trend and trend.alerts),
            changes=trend.changes if trend else (),
            details=trend.details if trend else (),
        )


def criteria(decision: Decision, knowledge: Knowledge, treatment: str) -> CriteriaPage:
    """All protocols side by side; ``treatment`` is shown first if it is one of them."""
    own = decision.recommendation.protocol
    names = [own, *(name for name in knowledge.protocols if name != own)]
    course = course_report(decision.facts.scores, decision.facts.treatments)
    sides = [_protocol_view(decision, knowledge, name, course) for name in names]
    titles = knowledge.cards.treatments
    treatments = [name for name in titles if any(view.title == titles[name] for view in sides[0].treatments)]
    chosen = treatment if treatment in treatments else knowledge.protocols[own].focus
    return CriteriaPage(
        protocols=tuple(side.protocol for side in sides),
        treatments=tuple(
            _compared(name, titles[name], sides) for name in sorted(treatments, key=lambda name: name != chosen)
        ),
        chosen=chosen,
        conflicts=tuple(_conflict(conflict, knowledge) for conflict in decision.recommendation.conflicts),
        resources=_resources(decision, sides),
        findings=sides[0],
    )


def _conflict(conflict: Conflict, knowledge: Knowledge) -> tuple[str, tuple[tuple[str, str], ...], str]:
    positions = tuple((knowledge.sources[key].short, position) for key, position in conflict.positions.items())
    return conflict.topic, positions, conflict.resolution


def _protocol_view(decision: Decision, knowledge: Knowledge, protocol: str, course: CourseReport) -> DecisionView:
    recommendation = recommend(decision.findings, knowledge.protocols[protocol], knowledge)
    return decision_view(replace(decision, recommendation=recommendation, others=()), knowledge, course)


def _compared(name: str, title: str, sides: list[DecisionView]) -> TreatmentComparison:
    views = [next((view for view in side.treatments if view.title == title), None) for side in sides]
    rows: dict[str, FindingRow] = {}
    for view in filter(None, views):
        for row in (*view.rows, *view.absent):
            rows.setdefault(row.title, row)
    compared = [CriterionComparison(row, tuple(_role(view, row.title) for view in views)) for row in rows.values()]
    present = [comparison for comparison in compared if not comparison.row.absent]
    return TreatmentComparison(
        treatment=name,
        title=title,
        standings=tuple(views),
        compared=tuple(filterfalse(_is_noted, present)),
        noted=tuple(filter(_is_noted, present)),
        absent=tuple(comparison for comparison in compared if comparison.row.absent),
    )


def _is_noted(compared: CriterionComparison) -> bool:
    known = compared.row.verdict != Verdict.UNKNOWN.value
    return known and all(role is None or role[0] == Role.CONTEXT.value for role in compared.roles)


def _role(view: TreatmentView | None, title: str) -> tuple[str, str, str, str] | None:
    rows = (*view.rows, *view.absent) if view else ()
    return next(((row.role, row.verdict, row.word, row.weight) for row in rows if row.title == title), None)


def _resources(decision: Decision, views: Iterable[DecisionView]) -> dict[str, str]:
    cited = {
        evidence.reference
        for side in views
        for treatment in side.treatments
        for row in (*treatment.rows, *treatment.absent)
        for evidence in row.evidence
    }
    resources: Iterable[Resource] = (
        resource for input_ in decision.record.inputs.values() for resource in input_.resources
    )
    return {resource.reference: _resource_json(resource) for resource in resources if resource.reference in cited}


def _resource_json(resource: Resource) -> str:
    read = msgspec.json.decode(msgspec.json.encode(resource))
    return msgspec.json.format(msgspec.json.encode(_plain(read)), indent=2).decode()


def _plain(value: object) -> object:
    """The value without empty members: a view has an attribute for every member that can occur."""
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items() if member not in (None, [], {})}
    return [_plain(member) for member in value] if isinstance(value, list) else value
