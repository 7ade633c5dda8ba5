"""The course of symptoms and of treatments as one plain object, for the command line and the pages. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import msgspec

from fhir_plugin.courses.trend import Advisory, GroupChange, Trend, phase_of, read_trend
from fhir_plugin.courses.trend_words import trend_sentences, window_name
from fhir_plugin.facts.scores.read import Assessment, ScoreHistory
from fhir_plugin.facts.treatments.courses import CourseOutcome, TreatmentCourse
from fhir_plugin.facts.treatments.read import TreatmentHistory
from mappings.schema.instruments import Instruments
from mappings.schema.treatments import Treatments


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
    end: float | None
    change: float | None
    groups: tuple[GroupChange, ...]


class TrendReport(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument over time."""

    instrument: str
    series: tuple[Value, ...]
    baseline: Value
    baseline_treatment: str | None
    latest: Value
    best: Value
    change: float | None
    percent: float | None
    response: bool | None
    remission: bool | None
    worsening: str
    relapse: bool | None
    advisories: tuple[Advisory, ...]
    groups: tuple[GroupChange, ...]
    windows: tuple[WindowReport, ...]
    told: tuple[str, ...]


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


class CourseReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole course of one patient."""

    as_of: date
    trends: tuple[TrendReport, ...]
    treatments: tuple[CourseLine, ...]
    missing: tuple[str, ...]


def course_report(scores: ScoreHistory, treatments: TreatmentHistory) -> CourseReport:
    """Every instrument that has a total, and every course of treatment."""
    instruments, knowledge = scores.instruments, treatments.treatments
    gaps = [*scores.missing, *(gap for gaps in treatments.missing.values() for gap in gaps)]
    return CourseReport(
        as_of=treatments.as_of,
        trends=tuple(_trends(scores, treatments.courses, instruments, knowledge)),
        treatments=tuple(_course(course) for course in treatments.courses),
        missing=tuple(dict.fromkeys(gaps)),
    )


def _trends(
    scores: ScoreHistory, courses: Sequence[TreatmentCourse], instruments: Instruments, treatments: Treatments
) -> Iterator[TrendReport]:
    for name, form in instruments.forms.items():
        series = scores.series(name)
        trend = read_trend(series, courses, form)
        if trend is not None:
            values = tuple(_value(assessment, courses) for assessment in series)
            yield _trend(trend, values, courses, instruments, treatments)


def _trend(
    trend: Trend,
    values: tuple[Value, ...],
    courses: Sequence[TreatmentCourse],
    instruments: Instruments,
    treatments: Treatments,
) -> TrendReport:
    return TrendReport(
        instrument=trend.instrument,
        series=values,
        baseline=_value(trend.baseline, courses),
        baseline_treatment=trend.baseline_treatment,
        latest=_value(trend.latest, courses),
        best=_value(trend.best, courses),
        change=trend.change,
        percent=None if trend.percent is None else round(trend.percent, 1),
        response=trend.response,
        remission=trend.remission,
        worsening=trend.worsening.value,
        relapse=trend.relapse,
        advisories=trend.advisories,
        groups=trend.groups,
        windows=tuple(_window(place, trend, instruments, treatments) for place in range(len(trend.windows))),
        told=trend_sentences(trend, instruments, treatments),
    )


def _value(assessment: Assessment, courses: Sequence[TreatmentCourse]) -> Value:
    phase = phase_of(assessment, courses)
    return Value(
        day=str(assessment.day) if assessment.day else "",
        total=assessment.total,
        severity=assessment.severity,
        phase=phase.value if phase else None,
        source=assessment.reference,
        flags=assessment.flags,
    )


def _window(place: int, trend: Trend, instruments: Instruments, treatments: Treatments) -> WindowReport:
    window = trend.windows[place]
    return WindowReport(
        name=window_name(place, trend.windows, instruments.words, treatments),
        first=window.span.first,
        last=window.span.last,
        start=window.start.total if window.start else None,
        end=window.assessments[-1].total if window.assessments else None,
        change=window.change,
        groups=trend.window_groups[place],
    )


def _course(course: TreatmentCourse) -> CourseLine:
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
    )
