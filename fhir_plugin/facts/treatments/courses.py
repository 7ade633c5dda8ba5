"""Sessions grouped into courses, with their number, days, completion and the response at the end."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

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
    others = _by_modality(courses)
    return tuple(_with_concurrent(course, others) for course in courses)


class _CourseDays(NamedTuple):
    """The courses of one modality: their first days, ascending, and the latest last day up to each."""

    firsts: list[date]
    reached: list[date]

    def is_during(self, course: TreatmentCourse) -> bool:
        """Whether one of them shares a day, or the days between, with the course."""
        begun = bisect_right(self.firsts, course.last)
        return begun > 0 and self.reached[begun - 1] >= course.first

    def next_after(self, day: date) -> Iterator[date]:
        """The first day of the next one after a day, if there is one."""
        yield from self.firsts[(at := bisect_right(self.firsts, day)) : at + 1]


def _by_modality(courses: Iterable[TreatmentCourse]) -> dict[str, _CourseDays]:
    """The days of the courses (sorted by their first day), by modality."""
    days: dict[str, _CourseDays] = {}
    for course in courses:
        firsts, reached = days.setdefault(course.modality, _CourseDays([], []))
        firsts.append(course.first)
        reached.append(max(course.last, reached[-1]) if reached else course.last)
    return days


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


def _with_concurrent(course: TreatmentCourse, days: Mapping[str, _CourseDays]) -> TreatmentCourse:
    concurrent = (name for name, others in days.items() if name != course.modality and others.is_during(course))
    return msgspec.structs.replace(course, together_with=tuple(sorted(concurrent)))


def judge_courses(
    courses: Sequence[TreatmentCourse],
    assessments: Sequence[Assessment],
    treatments: Treatments,
    instruments: Instruments,
) -> tuple[TreatmentCourse, ...]:
    """The courses (oldest first) with the response at their end."""
    if not courses:
        return ()
    days, series = _by_modality(courses), _series(assessments, treatments)
    return tuple(
        msgspec.structs.replace(course, outcome=_outcome(course, days, series, treatments, instruments))
        for course in courses
    )


class _Totals(NamedTuple):
    """The dated totals on one scale, oldest first."""

    days: list[date]
    assessments: list[Assessment]

    def last_within(self, first: date, last: date) -> Assessment | None:
        """The last one of these days."""
        end = bisect_right(self.days, last)
        return self.assessments[end - 1] if end and self.days[end - 1] >= first else None


def _series(assessments: Iterable[Assessment], treatments: Treatments) -> dict[str, _Totals]:
    """The totals on each scale by which a course is judged."""
    series = {scale: _Totals([], []) for scale in treatments.response.scales}
    dated = [(day, entry) for entry in assessments if entry.total is not None and (day := _day(entry))]
    for day, entry in sorted(dated, key=itemgetter(0)):
        if entry.instrument in series:
            series[entry.instrument].days.append(day)
            series[entry.instrument].assessments.append(entry)
    return series


def _outcome(
    course: TreatmentCourse,
    days: Mapping[str, _CourseDays],
    series: Mapping[str, _Totals],
    treatments: Treatments,
    instruments: Instruments,
) -> CourseOutcome:
    rule = treatments.response
    later = [day for name, others in days.items() if name != course.modality for day in others.next_after(course.last)]
    until = min([course.last + timedelta(days=rule.end_days_after.value), *(day - timedelta(days=1) for day in later)])
    outcomes = list(_changes(course, until, series, treatments, instruments))
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
    series: Mapping[str, _Totals],
    treatments: Treatments,
    instruments: Instruments,
) -> Iterator[CourseOutcome]:
    """The change on each scale that was administered both before the course and at its end."""
    rule = treatments.response
    for totals in series.values():
        before = totals.last_within(course.first - timedelta(days=rule.baseline_days_before.value), course.first)
        after = totals.last_within(max(course.last - timedelta(days=rule.end_days_before.value), course.first), until)
        if before and after and after is not before and _after(after, before):
            yield _change(before, after, treatments, instruments)


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
