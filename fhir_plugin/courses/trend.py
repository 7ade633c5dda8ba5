"""One instrument over time: baseline and change, response, remission, and what a change may mean. Pure.

Scales are never mixed, and the result is a description: it never claims that a treatment caused a change.

* The baseline is the last value within 30 days before, or on, the start of the latest course of treatment that has
  one, else the first value on the record.
* Values made after a session of the same day are left out.
* Change and percent compare the latest value with the baseline; response and remission follow the instrument's rules.
* A worse value than the best since the baseline is ``single``; a second one in a row is ``confirmed``; a rise by the
  instrument's reliable change is ``reliable``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from enum import StrEnum

import msgspec

from fhir_plugin.courses.windows import TreatmentWindow, day_of, windows
from fhir_plugin.facts.scores.read import Assessment
from fhir_plugin.facts.treatments.courses import TreatmentCourse
from fhir_plugin.record.dates import instant
from mappings.schema.instruments import PreparedInstrument
from mappings.schema.instruments.model import ImportantChange, Instrument, SumOfMaxima

_BASELINE_DAYS = timedelta(days=30)


class CoursePhase(StrEnum):
    """When, on a day of treatment, an assessment was made."""

    BEFORE = "before the session"
    AFTER = "after the session"


class Worsening(StrEnum):
    """How certain a worsening is."""

    NONE = "none"
    SINGLE = "single"
    """One worse value: not yet a failure."""
    CONFIRMED = "confirmed"
    """A second worse value in a row."""
    RELIABLE = "reliable"
    """At least the instrument's reliable change."""


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
    baseline: Assessment
    baseline_treatment: str | None
    """The treatment at whose start it was measured; ``None``: the first on the record."""
    latest: Assessment
    best: Assessment
    change: float | None
    """Latest less baseline; ``None`` with a single value."""
    percent: float | None
    response: bool | None
    """``None``: no rule, a single value, or a baseline too low to judge."""
    remission: bool | None
    advisories: tuple[Advisory, ...]
    worsening: Worsening
    relapse: bool | None
    groups: tuple[GroupChange, ...]
    windows: tuple[TreatmentWindow, ...]
    window_groups: tuple[tuple[GroupChange, ...], ...]
    """The changes of the groups of items, by window."""


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
    series: Sequence[Assessment], courses: Sequence[TreatmentCourse], form: PreparedInstrument
) -> Trend | None:
    """The course of one instrument, from its assessments, oldest first; ``None`` without a dated total.

    Values made after a session of the same day are left out, so that before and after are never compared.
    """
    instrument = form.instrument
    maxima = {item.key: max(item.values) for item in form.items}
    usable = _comparable(series, courses)
    if not usable:
        return None
    baseline, treatment = _baseline(usable, courses)
    since = usable[usable.index(baseline) :]
    latest = since[-1]
    best = min(since, key=lambda assessment: (_total(assessment), since.index(assessment)))
    several = latest is not baseline
    treatment_windows = windows(usable, courses)
    fall = _total(baseline) - _total(latest)
    percent = -100 * fall / _total(baseline) if several and _total(baseline) else None
    return Trend(
        instrument=instrument.id,
        series=usable,
        baseline=baseline,
        baseline_treatment=treatment,
        latest=latest,
        best=best,
        change=-fall if several else None,
        percent=percent,
        response=_response(instrument, _total(baseline), fall) if several else None,
        remission=_total(latest) <= instrument.remission.at_most if instrument.remission else None,
        advisories=tuple(_advisory(change, fall, percent) for change in instrument.changes) if several else (),
        worsening=_worsening(instrument, since, best),
        relapse=_relapse(instrument, _total(baseline), _total(best), _total(latest)),
        groups=_groups(instrument, baseline, latest, maxima) if several else (),
        windows=treatment_windows,
        window_groups=tuple(
            _groups(instrument, window.start, window.assessments[-1], maxima) if window.start else ()
            for window in treatment_windows
        ),
    )


def _comparable(series: Sequence[Assessment], courses: Sequence[TreatmentCourse]) -> tuple[Assessment, ...]:
    return tuple(
        assessment
        for assessment in series
        if assessment.total is not None
        and day_of(assessment)
        and phase_of(assessment, courses) is not CoursePhase.AFTER
    )


def _total(assessment: Assessment) -> float:
    return assessment.total or 0.0


def _baseline(series: Sequence[Assessment], courses: Sequence[TreatmentCourse]) -> tuple[Assessment, str | None]:
    """The last value near the start of the latest course that has one, else the first on the record."""
    for course in sorted(courses, key=lambda candidate: candidate.first, reverse=True):
        before = [assessment for assessment in series if (day := day_of(assessment)) and _near_start(day, course.first)]
        if before:
            return before[-1], course.treatment
    return series[0], None


def _near_start(day: date, start: date) -> bool:
    return start - _BASELINE_DAYS <= day <= start


def _response(instrument: Instrument, baseline: float, fall: float) -> bool | None:
    rule = instrument.response
    if rule is None or baseline <= 0 or (rule.baseline_at_least is not None and baseline < rule.baseline_at_least):
        return None
    return 100 * fall >= rule.percent * baseline


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


def reliable_change(instrument: Instrument) -> ImportantChange | None:
    """The change that can be relied on from a single second value."""
    return next((change for change in instrument.changes if change.kind == "reliable" and change.points), None)


def _worsening(instrument: Instrument, since: Sequence[Assessment], best: Assessment) -> Worsening:
    rise = _total(since[-1]) - _total(best)
    if rise <= 0:
        return Worsening.NONE
    reliable = reliable_change(instrument)
    if reliable and reliable.points is not None and rise >= reliable.points:
        return Worsening.RELIABLE
    before = since[-2]
    return Worsening.CONFIRMED if before is not best and _total(before) > _total(best) else Worsening.SINGLE


def _relapse(instrument: Instrument, baseline: float, best: float, latest: float) -> bool | None:
    """A marked rise after response or remission; without either there is no relapse."""
    rule = instrument.relapse
    if rule is None:
        return None
    recovered = _response(instrument, baseline, baseline - best) or (
        instrument.remission is not None and best <= instrument.remission.at_most
    )
    return bool(recovered) and latest - best >= rule.rise and latest >= rule.total_at_least


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
