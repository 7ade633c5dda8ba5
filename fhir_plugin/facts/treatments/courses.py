"""Sessions grouped into courses, with their number, days, completion and the response at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise

import msgspec

from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.facts.treatments.sessions import EvidenceStrength, Session
from mappings.schema.instruments import Instruments
from mappings.schema.treatments import Treatments
from mappings.schema.treatments.model import Treatment

RESPONSE, PARTIAL, NO_RESPONSE = "response", "partial response", "no response"


class CourseOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The change over a course on one scale, or why it cannot be judged."""

    kind: str | None
    """``response``, ``partial response``, ``no response``; ``None`` where it cannot be judged."""
    why: str = ""
    baseline: Assessment | None = None
    end: Assessment | None = None
    percent: float | None = None
    """Fall from baseline in percent; negative for a rise."""


class TreatmentCourse(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions of one treatment without a long pause between them."""

    treatment: str
    modality: str
    sessions: tuple[Session, ...]
    """Entries, oldest first."""
    first: date
    last: date
    count: int
    """Sessions that can be distinguished: at least this many were given."""
    counted: bool
    """Whether every session has its own entry; otherwise there may have been more."""
    longest_pause_days: int
    completed: bool | None
    """``None``: the number of sessions is not recorded, or no number is defined that completes a course."""
    ended: bool
    together_with: tuple[str, ...] = ()
    """Other modalities given during the same period."""
    outcome: CourseOutcome = CourseOutcome(kind=None, why="not judged")


def build_courses(sessions: Iterable[Session], treatments: Treatments, as_of: date) -> tuple[TreatmentCourse, ...]:
    """Group the sessions that were given into courses, oldest first."""
    courses: list[TreatmentCourse] = []
    by_treatment: dict[str, list[Session]] = {}
    for session in sessions:
        if (
            session.strength in (EvidenceStrength.GIVEN, EvidenceStrength.DISPENSED)
            and session.span
            and not session.other_use
        ):
            by_treatment.setdefault(session.treatment, []).append(session)
    for identifier, own_sessions in by_treatment.items():
        treatment = treatments[identifier]
        given_spans = {session.span for session in own_sessions if session.strength is EvidenceStrength.GIVEN}
        proven = [
            session
            for session in own_sessions
            if session.strength is EvidenceStrength.GIVEN or session.span not in given_spans
        ]
        courses += [_course(treatment, run, as_of) for run in _runs(proven, treatment.course.gap_days.value)]
    courses.sort(key=lambda course: (course.first, course.last, course.treatment))
    return tuple(_with_concurrent(course, courses) for course in courses)


def _runs(sessions: Iterable[Session], gap_days: int) -> list[list[Session]]:
    runs: list[list[Session]] = []
    reach = date.min
    for session in sorted(sessions, key=lambda entry: (entry.span or (), entry.moment or "", entry.reference)):
        if session.span is None:
            continue
        if not runs or (session.span.first - reach).days > gap_days:
            runs.append([])
            reach = session.span.last
        runs[-1].append(session)
        reach = max(reach, session.span.last)
    return runs


def _course(treatment: Treatment, run: Sequence[Session], as_of: date) -> TreatmentCourse:
    spans = [session.span for session in run if session.span]
    first, last = min(span.first for span in spans), max(span.last for span in spans)
    times = _session_times(run)
    count = sum(max(1, len(at - {""})) for at in times.values())
    days = sorted(times)
    counted = all(session.day for session in run)
    needed = treatment.course.completed_at
    final = treatment.course.ends_at
    enough = needed is not None and count >= needed.value
    return TreatmentCourse(
        treatment=treatment.id,
        modality=treatment.modality,
        sessions=tuple(run),
        first=first,
        last=last,
        count=count,
        counted=counted,
        longest_pause_days=max(((after - day).days for day, after in pairwise(days)), default=0),
        completed=True if enough else (False if needed and counted else None),
        ended=(as_of - last).days > treatment.course.gap_days.value or (final is not None and count >= final.value),
    )


def _session_times(run: Sequence[Session]) -> dict[date, set[str]]:
    """The times of the sessions, by day.

    Two entries on one day are two sessions only if their times differ: the same session is often entered twice.
    """
    times: dict[date, set[str]] = {}
    for session in run:
        if session.day:
            times.setdefault(session.day, set()).add(_clock(session.moment))
    return times


def _clock(moment: str | None) -> str:
    return moment.partition("T")[2] if moment else ""


def _with_concurrent(course: TreatmentCourse, courses: Iterable[TreatmentCourse]) -> TreatmentCourse:
    concurrent = {
        other.modality
        for other in courses
        if other.modality != course.modality and other.first <= course.last and course.first <= other.last
    }
    return msgspec.structs.replace(course, together_with=tuple(sorted(concurrent)))


def judge_courses(
    courses: Sequence[TreatmentCourse],
    assessments: Sequence[Assessment],
    treatments: Treatments,
    instruments: Instruments,
) -> tuple[TreatmentCourse, ...]:
    """The courses with the response at their end."""
    return tuple(
        msgspec.structs.replace(course, outcome=_outcome(course, courses, assessments, treatments, instruments))
        for course in courses
    )


def _outcome(
    course: TreatmentCourse,
    courses: Sequence[TreatmentCourse],
    assessments: Sequence[Assessment],
    treatments: Treatments,
    instruments: Instruments,
) -> CourseOutcome:
    rule = treatments.response
    later = [other.first for other in courses if other.modality != course.modality and other.first > course.last]
    until = min([course.last + timedelta(days=rule.end_days_after.value), *(day - timedelta(days=1) for day in later)])
    outcomes = list(_changes(course, until, assessments, treatments, instruments))
    judged = [outcome for outcome in outcomes if outcome.kind]
    if not judged:
        return (
            outcomes[0] if outcomes else CourseOutcome(kind=None, why="no scale both before the course and at its end")
        )
    if len({outcome.kind == RESPONSE for outcome in judged}) > 1:
        return CourseOutcome(kind=None, why="the scales disagree")
    return judged[0]


def _changes(
    course: TreatmentCourse,
    until: date,
    assessments: Sequence[Assessment],
    treatments: Treatments,
    instruments: Instruments,
) -> Iterator[CourseOutcome]:
    """The change on each scale that was administered both before the course and at its end."""
    rule = treatments.response
    for scale in rule.scales:
        series = [
            entry for entry in assessments if entry.instrument == scale and entry.total is not None and _day(entry)
        ]
        before = _within(series, course.first - timedelta(days=rule.baseline_days_before.value), course.first)
        after = _within(series, max(course.last - timedelta(days=rule.end_days_before.value), course.first), until)
        after = [entry for entry in after if before and entry is not before[-1] and _after(entry, before[-1])]
        if before and after:
            yield _change(before[-1], after[-1], treatments, instruments)


def _within(series: Iterable[Assessment], first: date, last: date) -> list[Assessment]:
    return [entry for entry in series if (day := _day(entry)) and first <= day <= last]


def _day(assessment: Assessment) -> date | None:
    day = assessment.day
    return day.first if day and day.first == day.last else None


def _after(assessment: Assessment, baseline: Assessment) -> bool:
    return bool(assessment.day and baseline.day and assessment.day > baseline.day)


def _change(baseline: Assessment, end: Assessment, treatments: Treatments, instruments: Instruments) -> CourseOutcome:
    rule, instrument = treatments.response, instruments[baseline.instrument]
    start, now = baseline.total or 0, end.total or 0
    least = max(1, instrument.response.baseline_at_least or 1) if instrument.response else 1
    if start < least:
        return CourseOutcome(
            kind=None, why=f"{instrument.short} before the course was below {least}", baseline=baseline, end=end
        )
    fall = (start - now) * 100
    if fall >= rule.response_percent.value * start:
        kind = RESPONSE
    else:
        kind = PARTIAL if fall >= rule.partial_percent.value * start else NO_RESPONSE
    return CourseOutcome(kind=kind, baseline=baseline, end=end, percent=fall / start)
