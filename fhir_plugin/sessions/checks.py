"""The checks of the rules before a session, one function for each kind. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from fhir_plugin.courses.trend import read_trend
from fhir_plugin.courses.windows import day_of
from fhir_plugin.courses.worsening import Worsening
from fhir_plugin.deciding.decide import Decision
from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.deciding.phrases import plain_value
from fhir_plugin.facts.fact import Fact, Measurement
from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.facts.treatments.courses import TreatmentCourse
from fhir_plugin.facts.treatments.sessions import EvidenceStrength
from fhir_plugin.record.dates import DaySpan, is_within
from fhir_plugin.sessions.entries import entry_hit
from fhir_plugin.sessions.hit import Hit
from mappings.schema.load import Knowledge
from mappings.schema.sessions import (
    Check,
    CriterionCheck,
    EntryCheck,
    FirstScoreCheck,
    IntervalCheck,
    IntervalPhase,
    MeasuredCheck,
    OverdueCheck,
    ScoreCheck,
    WorseningCheck,
)

_DAYS_OF_A_WEEK = 7


@dataclass(frozen=True, slots=True)
class CourseContext:
    """One course under way, with everything that a check may read."""

    course: TreatmentCourse
    decision: Decision
    knowledge: Knowledge
    recorded: Mapping[str, DaySpan]
    """The days on which diagnoses were recorded, by reference."""

    @property
    def as_of(self) -> date:
        """The day of the session."""
        return self.decision.facts.as_of

    def fact(self, name: str) -> Fact:
        """A fact by its name."""
        return self.decision.facts.named[name]


def hit_of(check: Check, context: CourseContext) -> Hit | None:
    """What the check finds; ``None`` where it has nothing to say."""
    match check:
        case EntryCheck():
            facts = map(context.fact, check.facts)
            first, as_of = context.course.first, context.as_of
            return entry_hit(check, facts, first, as_of, context.recorded, context.knowledge)
        case CriterionCheck():
            return _criterion(check, context)
        case MeasuredCheck():
            return _measured(check, context)
        case OverdueCheck():
            return _overdue(check, context)
        case ScoreCheck():
            return _score(check, context)
        case IntervalCheck():
            return _interval(check, context)
        case WorseningCheck():
            return _worsening(check, context)
        case FirstScoreCheck():
            return _first_score(check, context)


def _criterion(check: CriterionCheck, context: CourseContext) -> Hit | None:
    finding = context.decision.finding(check.criterion)
    if finding is None or finding.verdict is Verdict.NOT_MET:
        return None
    criterion = context.knowledge.criteria[check.criterion]
    value = context.fact(criterion.facts[0]).value
    if not isinstance(value, Measurement):
        return None
    limit = criterion.max_age_days
    if limit is not None and not is_within(value.day, limit.value, context.as_of):
        return None
    return Hit(
        possible=finding.verdict is Verdict.UNKNOWN,
        day=value.day,
        values={"value": plain_value(value)},
        evidence=finding.evidence,
    )


def _measured(check: MeasuredCheck, context: CourseContext) -> Hit | None:
    if check.if_criterion:
        finding = context.decision.finding(check.if_criterion)
        if finding is None or finding.verdict is not Verdict.MET:
            return None
    value = context.fact(check.fact).value
    day = value.day if isinstance(value, Measurement) else None
    return None if is_within(day, check.max_age_days.value, context.as_of) else Hit(day=day)


def _overdue(check: OverdueCheck, context: CourseContext) -> Hit | None:
    finding = context.decision.finding(check.criterion)
    if finding is None or finding.verdict is Verdict.NOT_MET:
        return None
    return Hit(evidence=finding.evidence)


def _score(check: ScoreCheck, context: CourseContext) -> Hit | None:
    """The last total in the window, against the limit, or against the lowest one before it."""
    start = context.course.first - timedelta(days=check.before_days.value)
    series = [entry for entry in _series(check.instrument, context) if (day := day_of(entry)) and day >= start]
    if not series:
        return None
    *earlier, last = series
    total = last.total or 0.0
    lowest = min((entry.total or 0.0 for entry in earlier), default=total)
    if check.at_least is not None:
        reached = total >= check.at_least.value
    else:
        reached = check.rise is not None and total - lowest >= check.rise.value
    if not reached:
        return None
    evidence = (context.decision.facts.scores.evidence(last),)
    return Hit(day=last.day, values={"value": f"{total:g}", "before": f"{lowest:g}"}, evidence=evidence)


def _series(instrument: str, context: CourseContext) -> list[Assessment]:
    """The dated totals of one instrument up to today, oldest first."""
    return [
        entry
        for entry in context.decision.facts.scores.series(instrument)
        if entry.total is not None and (day := day_of(entry)) and day <= context.as_of
    ]


def _interval(check: IntervalCheck, context: CourseContext) -> Hit | None:
    course = context.course
    given = [entry.span.last for entry in course.sessions if entry.strength is EvidenceStrength.GIVEN and entry.span]
    if not given and check.bound != "late":  # a dispense is made for the dose that is about to be given
        return None
    last = course.last if check.bound == "late" else max(given)
    days, day = (context.as_of - last).days, DaySpan(last, last)
    if check.bound == "today":
        return Hit(day=day) if days == 0 else None
    if days == 0:
        return None
    limits = [phase.days.value for phase in check.phases if _applies(phase, context)]
    if not limits or not (days < limits[0] if check.bound == "soon" else days > limits[0]):
        return None
    return Hit(day=day, values={"days": str(days)})


def _applies(phase: IntervalPhase, context: CourseContext) -> bool:
    course = context.course
    week = (context.as_of - course.first).days // _DAYS_OF_A_WEEK + 1
    return phase.treatment == course.treatment and _in(phase.weeks, week) and _in(phase.sessions, course.count)


def _in(bounds: tuple[int, int | None] | None, number: int) -> bool:
    return bounds is None or (bounds[0] <= number and (bounds[1] is None or number <= bounds[1]))


def _worsening(check: WorseningCheck, context: CourseContext) -> Hit | None:
    """The newest scale that is reliably worse than its best value, or a relapse; measured in this course."""
    hits = []
    courses = context.decision.facts.treatments.courses
    for name in check.instruments:
        form = context.knowledge.instruments.forms[name]
        trend = read_trend(_series(name, context), courses, form, context.knowledge.treatments.response)
        if trend is None or trend.rise is None or not (trend.relapse or trend.worsening is Worsening.RELIABLE):
            continue
        day = day_of(trend.latest)
        if day and day >= context.course.first and is_within(trend.latest.day, check.max_age_days.value, context.as_of):
            values = {
                "name": form.instrument.short,
                "before": f"{trend.rise.since.total:g}",
                "value": f"{trend.latest.total:g}",
            }
            evidence = (context.decision.facts.scores.evidence(trend.latest),)
            hits.append((day, Hit(day=trend.latest.day, values=values, evidence=evidence)))
    return max(hits, key=lambda found: found[0])[1] if hits else None


def _first_score(check: FirstScoreCheck, context: CourseContext) -> Hit | None:
    """No score since the only session; on its own day nothing is due yet."""
    course = context.course
    if course.count != 1 or not course.counted or course.last >= context.as_of:
        return None
    days = [day_of(entry) for name in check.instruments for entry in _series(name, context)]
    scored = any(day and day > course.last for day in days)
    return None if scored else Hit(day=DaySpan(course.last, course.last))
