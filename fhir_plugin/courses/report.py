"""The course of symptoms and of treatments as one plain object, for the command line and the pages. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

import msgspec

from fhir_plugin.courses.alerts import CourseAlert, suicide_alerts
from fhir_plugin.courses.path_words import PathWords
from fhir_plugin.courses.trend import Advisory, GroupChange, Trend, phase_of, read_trend
from fhir_plugin.courses.trend_words import ToldTrend, tell_course, tell_trend, window_name
from fhir_plugin.courses.worsening import total_of
from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.facts.scores.read import ScoreHistory
from fhir_plugin.facts.treatments.courses import CourseOutcome, TreatmentCourse
from fhir_plugin.facts.treatments.read import TreatmentHistory
from mappings.schema.instruments import Instruments

_RANKS = [
    ("suicide", "bad"), ("worse", "bad"), ("suicide", "open"), ("worse", "open"), ("plateau", "open"),
]  # fmt: skip
"""The kinds of alerts, the gravest first."""


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """One assessment in a series."""

    day: str
    total: float | None
    severity: str | None
    phase: str | None
    """Before or after the session of its day; ``None`` where that is not known."""
    source: str
    flags: tuple[str, ...]


class WindowReport(msgspec.Struct, frozen=True, kw_only=True):
    """The change of one instrument before, during or after treatments."""

    name: str
    first: date
    last: date
    start: float | None
    start_day: str
    start_is_before: bool
    """Whether the first value was made shortly before the window, or on its first day."""
    lowest: float | None
    lowest_day: str
    end: float | None
    end_day: str
    change: float | None
    """End less start; ``None`` where there are not two values."""
    groups: tuple[GroupChange, ...]


class TrendReport(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument over time."""

    instrument: str
    alerts: tuple[CourseAlert, ...]
    """What has to be read first: a positive suicide item, a worsening, a plateau."""
    latest: Value
    previous: Value | None
    """The value before the latest."""
    change_since_last: float | None
    worsening: str
    worse_since: Value | None
    """The lowest value above which the latest has risen."""
    worse_by: float | None
    relapse: bool | None
    plateau: tuple[Value, ...]
    """The values of a plateau under treatment; empty without one."""
    baseline: Value
    baseline_treatment: str | None
    best: Value
    """The lowest value since the baseline."""
    change: float | None
    """Latest less baseline."""
    percent: float | None
    outcome: str | None
    """``response``, ``partial``, ``none``, ``response_lost``, ``partial_lost``; ``None`` where none can be judged."""
    response: bool | None
    remission: bool | None
    series: tuple[Value, ...]
    advisories: tuple[Advisory, ...]
    groups: tuple[GroupChange, ...]
    windows: tuple[WindowReport, ...]
    changes: tuple[str, ...]
    """The change since the last value, then since the baseline, in sentences."""
    details: tuple[str, ...]
    told: tuple[str, ...]
    """All sentences: the alerts, the changes, the details."""


class CourseLine(msgspec.Struct, frozen=True, kw_only=True):
    """One course of treatment."""

    treatment: str
    first: date
    last: date
    sessions: int
    sessions_are_exact: bool
    longest_pause_days: int
    completed: bool | None
    ended: bool
    together_with: tuple[str, ...]
    outcome: str | None
    scale: str | None
    percent: float | None
    why: str
    told: str


class CourseReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole course of one patient."""

    as_of: date
    alerts: tuple[CourseAlert, ...]
    """Of all instruments, the gravest first; a suicide item also where its instrument has no total."""
    well: bool
    """Whether every recent depression scale is in remission and nothing got worse."""
    trends: tuple[TrendReport, ...]
    """Those with an alert come first."""
    treatments: tuple[CourseLine, ...]
    missing: tuple[str, ...]


class CourseNotes(NamedTuple):
    """The sentences of a report for a document about one patient."""

    alerts: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    """On each scale with an alert, or on which a response can be judged."""


NO_NOTES = CourseNotes()


def course_notes(report: CourseReport) -> CourseNotes:
    """The alerts of a report, and the changes that matter to a reader who did not see the values."""
    shown = [trend for trend in report.trends if trend.outcome is not None or trend.alerts]
    alerts = tuple(f"{alert.text}." for alert in report.alerts)
    return CourseNotes(alerts, tuple(f"{sentence}." for trend in shown for sentence in trend.changes))


def course_report(scores: ScoreHistory, treatments: TreatmentHistory) -> CourseReport:
    """Every instrument that has a total, and every course of treatment."""
    say = PathWords(scores.instruments.words, treatments.treatments, treatments.as_of)
    gaps = [*scores.missing, *(gap for gaps in treatments.missing.values() for gap in gaps)]
    suicide = tuple(suicide_alerts(scores, say))
    trends = sorted(_trends(scores, treatments.courses, suicide, say), key=lambda trend: _gravity(trend.alerts))
    own = [alert for trend in trends for alert in trend.alerts if alert.kind != "suicide"]
    alerts = tuple(sorted((*suicide, *own), key=_rank))
    return CourseReport(
        as_of=treatments.as_of,
        alerts=alerts,
        well=not alerts and _in_remission(trends, scores, say),
        trends=tuple(trends),
        treatments=tuple(_course(course, scores.instruments, say) for course in treatments.courses),
        missing=tuple(dict.fromkeys(gaps)),
    )


def _in_remission(trends: Sequence[TrendReport], scores: ScoreHistory, say: PathWords) -> bool:
    """Whether every depression scale of recent days is in remission, and there is one."""
    days = say.names.response.remission_for_days.value
    recent = [
        trend.remission
        for trend in trends
        if scores.instruments[trend.instrument].measures == "depression"
        and trend.remission is not None
        and (say.as_of - date.fromisoformat(trend.latest.day)).days <= days
    ]
    return bool(recent) and all(recent)


def _rank(alert: CourseAlert) -> int:
    return _RANKS.index((alert.kind, alert.tone))


def _gravity(alerts: Sequence[CourseAlert]) -> int:
    return min((_rank(alert) for alert in alerts), default=len(_RANKS))


def _trends(
    scores: ScoreHistory, courses: Sequence[TreatmentCourse], suicide: Sequence[CourseAlert], say: PathWords
) -> Iterator[TrendReport]:
    for name, form in scores.instruments.forms.items():
        series = scores.series(name)
        trend = read_trend(series, courses, form, say.names.response)
        if trend is not None:
            values = tuple(_value(assessment, courses) for assessment in series)
            told = tell_trend(trend, scores.instruments, say.names, say.as_of)
            alerts = (*(alert for alert in suicide if alert.instrument == name), *told.alerts)
            told = msgspec.structs.replace(told, alerts=alerts)
            yield _trend(trend, values, courses, told, say)


def _trend(
    trend: Trend, values: tuple[Value, ...], courses: Sequence[TreatmentCourse], told: ToldTrend, say: PathWords
) -> TrendReport:
    rise, outcome = trend.rise, trend.path.outcome if trend.path else None
    return TrendReport(
        instrument=trend.instrument,
        alerts=told.alerts,
        latest=_value(trend.latest, courses),
        previous=_value(trend.previous, courses) if trend.previous else None,
        change_since_last=trend.change_since_last,
        worsening=trend.worsening.value,
        worse_since=_value(rise.since, courses) if rise else None,
        worse_by=rise.points if rise else None,
        relapse=trend.relapse,
        plateau=tuple(_value(value, courses) for value in trend.plateau.values) if trend.plateau else (),
        baseline=_value(trend.baseline, courses),
        baseline_treatment=trend.baseline_treatment,
        best=_value(trend.best, courses),
        change=trend.change,
        percent=None if trend.percent is None else round(trend.percent, 1),
        outcome=outcome.value if outcome else None,
        response=trend.response,
        remission=trend.remission,
        series=values,
        advisories=trend.advisories,
        groups=trend.groups,
        windows=tuple(_window(place, trend, say) for place in range(len(trend.windows))),
        changes=told.changes,
        details=told.details,
        told=told.sentences,
    )


def _value(assessment: Assessment, courses: Sequence[TreatmentCourse]) -> Value:
    phase = phase_of(assessment, courses)
    return Value(
        day=_day(assessment),
        total=assessment.total,
        severity=assessment.severity,
        phase=phase.value if phase else None,
        source=assessment.reference,
        flags=assessment.flags,
    )


def _window(place: int, trend: Trend, say: PathWords) -> WindowReport:
    window = trend.windows[place]
    start, inside = window.start, window.inside
    lowest = min(window.assessments, key=total_of) if start else None
    end = inside[-1] if inside else None
    return WindowReport(
        name=window_name(place, trend.windows, say),
        first=window.span.first,
        last=window.span.last,
        start=start.total if start else None,
        start_day=_day(start),
        start_is_before=bool(start) and window.preceded,
        lowest=lowest.total if lowest else None,
        lowest_day=_day(lowest),
        end=end.total if end else None,
        end_day=_day(end),
        change=window.change,
        groups=trend.window_groups[place],
    )


def _day(assessment: Assessment | None) -> str:
    return str(assessment.day) if assessment and assessment.day else ""


def _course(course: TreatmentCourse, instruments: Instruments, say: PathWords) -> CourseLine:
    outcome: CourseOutcome = course.outcome
    return CourseLine(
        treatment=course.treatment,
        first=course.first,
        last=course.last,
        sessions=course.count,
        sessions_are_exact=course.counted,
        longest_pause_days=course.longest_pause_days,
        completed=course.completed,
        ended=course.ended,
        together_with=course.together_with,
        outcome=outcome.kind,
        scale=outcome.baseline.instrument if outcome.baseline else None,
        percent=None if outcome.percent is None else round(outcome.percent, 1),
        why=outcome.why,
        told=tell_course(course, instruments, say),
    )
