"""The findings behind the cards of a call, as shown on a page, unknowns first. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fhir_plugin.courses.report import CourseReport, course_report
from fhir_plugin.deciding.decide import Decision
from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.deciding.headline import headline_of
from fhir_plugin.deciding.recommend import PathwayAnswer, TreatmentAnswer
from fhir_plugin.deciding.standing import WeighedFinding
from fhir_plugin.facts.fact import Evidence
from fhir_plugin.facts.trials.report import shown_trial
from mappings.schema.base.entries import Source
from mappings.schema.load import Knowledge
from mappings.schema.rules.protocols import AGAINST, FORBIDDING, Role


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One criterion of one treatment."""

    title: str
    role: str
    verdict: str
    word: str
    """The verdict as worded on cards."""
    weight: str
    """What ``met`` means for the treatment: ``for``, ``against``, ``care`` or ``neither``."""
    absent: bool
    """Whether a contraindication or caution was looked for and not found."""
    because: str
    missing: tuple[str, ...]
    settle: str
    """What would settle an unknown."""
    evidence: tuple[Evidence, ...]
    looked_in: tuple[str, ...]
    statement: str
    sources: tuple[tuple[str, str], ...]
    """The sources of the rule: citation and address."""


@dataclass(frozen=True, slots=True)
class TreatmentView:
    """One treatment: its standing and its criteria."""

    title: str
    standing: str
    standing_words: str
    """The standing as worded on cards."""
    headline: str
    """The standing with its weightiest reasons."""
    about: bool
    """Whether the call concerns it."""
    rows: tuple[FindingRow, ...]
    absent: tuple[FindingRow, ...]
    """Contraindications and cautions that were looked for and not found."""


@dataclass(frozen=True, slots=True)
class DecisionView:
    """The basis of a decision."""

    verdict: str
    protocol: str
    treatments: tuple[TreatmentView, ...]
    pathways: tuple[tuple[str, tuple[PathwayAnswer, ...]], ...]
    """By the title of each protocol."""
    trials: tuple[dict[str, object], ...]
    unmapped: tuple[str, ...]
    """Medications that were not recognised."""
    gaps: tuple[str, ...]
    dropped: int
    course: CourseReport
    scales: Mapping[str, str]
    """Short names of the instruments."""
    names: Mapping[str, str]
    """Display names of the treatments."""
    words: Mapping[str, str]
    """The standings in words."""


def decision_view(decision: Decision, knowledge: Knowledge, course: CourseReport | None = None) -> DecisionView:
    """The view of a decision for a page; ``course``: its courses, where a page shows several views of one record."""
    recommendation, trials = decision.recommendation, decision.facts.trials
    about = recommendation.ordered or (knowledge.protocols[recommendation.protocol].focus,)
    course = course or course_report(decision.facts.scores, decision.facts.treatments)
    views = [
        _treatment(
            answer,
            about=answer.treatment in about,
            ordering=bool(recommendation.ordered),
            well=course.well,
            knowledge=knowledge,
        )
        for answer in recommendation.treatments
    ]
    return DecisionView(
        verdict=recommendation.verdict.value,
        protocol=knowledge.protocols[recommendation.protocol].title,
        treatments=tuple(sorted(views, key=lambda view: not view.about)),
        pathways=tuple(
            (knowledge.protocols[recommendation.protocol].title, recommendation.pathways)
            for recommendation in (recommendation, *decision.beside)
        ),
        trials=tuple(shown_trial(trial) | {"line": trial.line} for trial in trials.trials),
        unmapped=tuple(entry.label for entry in trials.unmapped),
        gaps=(
            *decision.record.gaps(knowledge.inputs),
            *(f"{unread.where}: {unread.why}" for unread in decision.record.unread),
        ),
        dropped=decision.record.dropped,
        course=course,
        scales={name: form.instrument.short for name, form in knowledge.instruments.forms.items()},
        names=knowledge.cards.treatments,
        words={str(standing): words for standing, words in knowledge.cards.standing.items()},
    )


def _treatment(
    answer: TreatmentAnswer, *, about: bool, ordering: bool, well: bool, knowledge: Knowledge
) -> TreatmentView:
    rows = [_row(weighed, knowledge, well=well) for weighed in sorted(answer.weighed, key=_urgency)]
    return TreatmentView(
        title=knowledge.cards.treatments[answer.treatment],
        standing=answer.standing.value,
        standing_words=knowledge.cards.standing[answer.standing.value],
        headline=headline_of(answer, knowledge, ordering=ordering).text,
        about=about,
        rows=tuple(row for row in rows if not row.absent),
        absent=tuple(row for row in rows if row.absent),
    )


def _row(weighed: WeighedFinding, knowledge: Knowledge, *, well: bool) -> FindingRow:
    finding, role = weighed.finding, weighed.role
    criterion = knowledge.criteria[finding.criterion]
    keys = dict.fromkeys((*weighed.clause.sources, *finding.sources))
    return FindingRow(
        title=criterion.title,
        statement=criterion.statement,
        role=role.value,
        verdict=finding.verdict.value,
        word=knowledge.cards.table.verdicts[role][finding.verdict.value],
        weight=_weight(role, finding.verdict, well=well),
        absent=weighed.absent,
        because=finding.because,
        missing=finding.missing,
        settle=criterion.ask.words if finding.verdict is Verdict.UNKNOWN else "",
        evidence=finding.evidence,
        looked_in=finding.looked_in,
        sources=tuple(_source(knowledge.sources[key]) for key in keys),
    )


def _weight(role: Role, verdict: Verdict, *, well: bool) -> str:
    """What the verdict means for the treatment; where the patient is well, a criterion not met is no bad news."""
    if well and verdict is Verdict.NOT_MET:
        return "neither"
    return _WEIGHTS.get(role, "for")


_WEIGHTS = {
    Role.CONTEXT: "neither",
    Role.CAUTION: "care",
    Role.HOLD: "against",
    Role.CONTRAINDICATION: "against",
}


def _source(source: Source) -> tuple[str, str]:
    return source.citation, f"https://doi.org/{source.doi}" if source.doi else source.url or ""


def _urgency(weighed: WeighedFinding) -> int:
    """Sort key: unknowns first, those that decide before the others; then what counts against the treatment."""
    verdict, role = weighed.finding.verdict, weighed.role
    if verdict is Verdict.UNKNOWN:
        return 0 if role in (Role.REQUIRED, *FORBIDDING) else 1
    if role is Role.CONTEXT:
        return 4
    return 2 if (role in AGAINST) == (verdict is Verdict.MET) else 3
