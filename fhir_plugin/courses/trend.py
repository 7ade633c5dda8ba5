"""One instrument over time: what got worse, the change since the last value and since the baseline. Pure.

Scales are never mixed, and the result is a description: it never claims that a treatment caused a change.

* The baseline is the last value shortly before, or on, the start of the latest course of treatment that has one and a
  later value, else the first value on the record.
* Values made after a session of the same day are left out.
* Change and percent compare the latest value with the baseline; response and remission follow the instrument's rules.
  Response is not judged from a value that is older than the window before the treatment.
* What got worse, was lost, or stands still: :mod:`fhir_plugin.courses.worsening`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from fhir_plugin.courses.windows import TreatmentWindow, day_of, days_between, windows
from fhir_plugin.courses.worsening import (
    Plateau,
    Rise,
    ScorePath,
    Worsening,
    counting_points,
    is_remission,
    is_response,
    read_path,
    read_plateau,
    read_rise,
    total_of,
)
from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.facts.treatments.courses import TreatmentCourse
from fhir_plugin.record.dates import instant
from mappings.schema.instruments import PreparedInstrument
from mappings.schema.instruments.model import ImportantChange, Instrument, SumOfMaxima
from mappings.schema.treatments.model import ResponseRule


class CoursePhase(StrEnum):
    """When, on a day of treatment, an assessment was made."""

    BEFORE = "before the session"
    AFTER = "after the session"


class Advisory(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a fall reaches what one source calls important; never a verdict."""

    reached: bool
    points: float | None
    percent: float | None
    kind: str
    meaning: str
    source: str
    verification: str


class GroupChange(msgspec.Struct, frozen=True, kw_only=True):
    """The sum of a group of items at the start and at the end."""

    group: str
    start: int
    end: int
    most: int


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """The course of one instrument."""

    instrument: str
    series: tuple[Assessment, ...]
    """Comparable values, oldest first, without those made after a session."""
    rise: Rise | None
    """What got worse since the best value; ``None`` if the latest is as low as any."""
    relapse: bool | None
    """``None``: no rule."""
    plateau: Plateau | None
    latest: Assessment
    previous: Assessment | None
    """The value before the latest, whatever its age."""
    baseline: Assessment
    baseline_course: TreatmentCourse | None
    """The course at whose start it was measured; ``None``: the first on the record."""
    judged: bool
    """Whether the baseline may be compared with: no treatment began since it that was not measured."""
    unmeasured: TreatmentCourse | None
    """The latest course, if no value is on the record from shortly before its start."""
    best: Assessment
    """The lowest since the baseline."""
    path: ScorePath | None
    """From the baseline to the latest value."""
    change: float | None
    """Latest less baseline; ``None`` with a single value."""
    percent: float | None
    response: bool | None
    """``None``: no rule, a single value, a baseline too low to judge, or none before the treatment."""
    remission: bool | None
    advisories: tuple[Advisory, ...]
    groups: tuple[GroupChange, ...]
    windows: tuple[TreatmentWindow, ...]
    window_groups: tuple[tuple[GroupChange, ...], ...]
    """The changes of the groups of items, by window."""

    @property
    def worsening(self) -> Worsening:
        """How certain a worsening is."""
        return self.rise.worsening if self.rise else Worsening.NONE

    @property
    def change_since_last(self) -> float | None:
        """Latest less the value before it; ``None`` with a single value."""
        return total_of(self.latest) - total_of(self.previous) if self.previous else None

    @property
    def baseline_treatment(self) -> str | None:
        """The treatment of that course."""
        return self.baseline_course.treatment if self.baseline_course else None


def phase_of(assessment: Assessment, courses: Sequence[TreatmentCourse]) -> CoursePhase | None:
    """Before or after the session of its day; ``None`` without a session or without times of day."""
    moment, day = instant(assessment.moment), day_of(assessment)
    if moment is None or day is None:
        return None
    times = [
        at
        for course in courses
        for session in course.sessions
        if session.day == day and (at := instant(session.moment)) is not None
    ]
    if not times:
        return None
    return CoursePhase.BEFORE if moment <= min(times) else CoursePhase.AFTER


def read_trend(
    series: Sequence[Assessment], courses: Sequence[TreatmentCourse], form: PreparedInstrument, rule: ResponseRule
) -> Trend | None:
    """The course of one instrument, from its assessments, oldest first; ``None`` without a dated total.

    Values made after a session of the same day are left out, so that before and after are never compared.
    """
    instrument = form.instrument
    maxima = {item.key: max(item.values) for item in form.items}
    usable = _comparable(series, courses)
    if not usable:
        return None
    baseline, course = _baseline(usable, courses, rule)
    unmeasured = _unmeasured(usable, courses, rule)
    since = usable[usable.index(baseline) :]
    latest = since[-1]
    several = latest is not baseline
    judged = several and (course is not None or not _started(courses, latest))
    rise = _rise(instrument, usable, baseline, rule, treated=course is not None)
    relapse = rise.relapse if rise else (False if instrument.relapse else None)
    change, percent = _change(baseline, latest)
    treatment_windows = windows(usable, courses, rule.baseline_days_before.value)
    return Trend(
        instrument=instrument.id,
        series=usable,
        rise=rise,
        relapse=relapse,
        plateau=read_plateau(instrument, usable, courses, rule),
        latest=latest,
        previous=usable[-2] if len(usable) > 1 else None,
        baseline=baseline,
        baseline_course=course,
        judged=judged,
        unmeasured=unmeasured,
        best=min(since, key=total_of),
        path=read_path(instrument, since, rule, judged=judged),
        change=change,
        percent=percent,
        response=is_response(instrument, total_of(baseline), total_of(latest)) if judged else None,
        remission=is_remission(instrument, total_of(latest)),
        advisories=_advisories(instrument, change, percent),
        groups=_groups(instrument, baseline, latest, maxima) if several else (),
        windows=treatment_windows,
        window_groups=tuple(_window_groups(instrument, window, maxima) for window in treatment_windows),
    )


def _comparable(series: Sequence[Assessment], courses: Sequence[TreatmentCourse]) -> tuple[Assessment, ...]:
    return tuple(
        assessment
        for assessment in series
        if assessment.total is not None
        and day_of(assessment)
        and phase_of(assessment, courses) is not CoursePhase.AFTER
    )


def _baseline(
    series: Sequence[Assessment], courses: Sequence[TreatmentCourse], rule: ResponseRule
) -> tuple[Assessment, TreatmentCourse | None]:
    """The last value near the start of the latest course that has one and a later value, else the first of all."""
    for course in sorted(courses, key=lambda candidate: candidate.first, reverse=True):
        before = _near_start(series, course, rule)
        if before and (before[-1] is not series[-1] or len(series) == 1):
            return before[-1], course
    return series[0], None


def _near_start(series: Sequence[Assessment], course: TreatmentCourse, rule: ResponseRule) -> list[Assessment]:
    days = rule.baseline_days_before.value
    return [entry for entry in series if (day := day_of(entry)) and 0 <= (course.first - day).days <= days]


def _started(courses: Sequence[TreatmentCourse], latest: Assessment) -> list[TreatmentCourse]:
    """The courses that began before the latest value."""
    day = day_of(latest)
    return [course for course in courses if day and course.first < day]


def _unmeasured(
    series: Sequence[Assessment], courses: Sequence[TreatmentCourse], rule: ResponseRule
) -> TreatmentCourse | None:
    started = _started(courses, series[-1])
    newest = max(started, key=lambda course: course.first, default=None)
    return newest if newest and not _near_start(series, newest, rule) else None


def _rise(
    instrument: Instrument, series: Sequence[Assessment], baseline: Assessment, rule: ResponseRule, *, treated: bool
) -> Rise | None:
    """The rise since the best value of the last year, of which the value before the latest is always one.

    Since the baseline only, where the latest value is better than that by a change that counts: what was lost before
    the treatment is then no news.
    """
    latest, points = series[-1], counting_points(instrument)
    day, begin = day_of(latest), series.index(baseline)
    improved = points is None or total_of(baseline) - total_of(latest) >= points
    if not (treated and improved):
        days = rule.worse_within_days.value
        begin = min(place for place, value in enumerate(series) if days_between(day_of(value), day) <= days)
    values = series[min(begin, max(len(series) - 2, 0)) :]
    return read_rise(instrument, None if baseline is latest else baseline, values)


def _change(baseline: Assessment, latest: Assessment) -> tuple[float | None, float | None]:
    """The change since the baseline, in points and in percent; ``None`` with a single value."""
    if latest is baseline:
        return None, None
    change = total_of(latest) - total_of(baseline)
    return change, 100 * change / total_of(baseline) if total_of(baseline) else None


def _advisories(instrument: Instrument, change: float | None, percent: float | None) -> tuple[Advisory, ...]:
    return () if change is None else tuple(_advisory(known, -change, percent) for known in instrument.changes)


def _window_groups(
    instrument: Instrument, window: TreatmentWindow, maxima: Mapping[str, int]
) -> tuple[GroupChange, ...]:
    return _groups(instrument, window.start, window.assessments[-1], maxima) if window.start else ()


def _advisory(change: ImportantChange, fall: float, percent: float | None) -> Advisory:
    if change.points is not None:
        reached = fall >= change.points
    else:
        reached = percent is not None and change.percent is not None and -percent > change.percent
    return Advisory(
        reached=reached,
        points=change.points,
        percent=change.percent,
        kind=change.kind,
        meaning=change.meaning,
        source=change.source,
        verification=change.verification.value,
    )


def _groups(
    instrument: Instrument, baseline: Assessment, latest: Assessment, maxima: Mapping[str, int]
) -> tuple[GroupChange, ...]:
    changes = []
    for group, numbers in instrument.groups.items():
        start = group_sum(instrument, numbers, baseline.items)
        end = group_sum(instrument, numbers, latest.items)
        most = group_sum(instrument, numbers, maxima)
        if start is not None and end is not None and most is not None:
            changes.append(GroupChange(group=group, start=start, end=end, most=most))
    return tuple(changes)


def group_sum(instrument: Instrument, numbers: Sequence[str], items: Mapping[str, int | None]) -> int | None:
    """The sum of the items of a group; ``None`` where one that counts is blank."""
    values = {number: items.get(instrument.item(number).key) for number in numbers}
    if not isinstance(instrument.formula, SumOfMaxima):
        return None if None in values.values() else sum(value for value in values.values() if value is not None)
    total = 0
    for domain in instrument.formula.domains.values():
        members = [number for number in domain if number in values]
        answered = [value for number in members if (value := values[number]) is not None]
        if members and not answered:
            return None
        total += max(answered, default=0)
    return total
