"""What got worse, was lost again, or stands still in a series of totals. Pure; oldest first throughout.

A rise is measured from the lowest value since the start of the treatment, else within the last year. By the
instrument's own numbers it is small, a single worse value, a second worse value in a row, or a reliable change:

    PHQ-9 16, 2, 11: a rise of 9 since 2, at least the 5 of a reliable change; after remission, so a possible relapse
    PHQ-9 22, 16, 22: a rise of 6 since 16; a fall of 27 % was a partial response, and it is lost
    PHQ-9 14, 16, 15 over five weeks of TMS: all within less than 5 points, a plateau
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from math import inf

import msgspec

from fhir_plugin.courses.windows import day_of, days_between
from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.facts.treatments.courses import TreatmentCourse
from mappings.schema.instruments.model import ImportantChange, Instrument, OwnChange
from mappings.schema.treatments.model import ResponseRule


class Worsening(StrEnum):
    """How certain a worsening is."""

    NONE = "none"
    SINGLE = "single"
    """One worse value: to be repeated."""
    CONFIRMED = "confirmed"
    """A second worse value in a row."""
    RELIABLE = "reliable"
    """At least the change that counts on this instrument."""


class Outcome(StrEnum):
    """What became of a fall from the first value of a period."""

    RESPONSE = "response"
    PARTIAL = "partial"
    NONE = "none"
    RESPONSE_LOST = "response_lost"
    PARTIAL_LOST = "partial_lost"


class Rise(msgspec.Struct, frozen=True, kw_only=True):
    """A rise of the latest value above an earlier, lower one."""

    since: Assessment
    latest: Assessment
    points: float
    worsening: Worsening
    relapse: bool | None
    """``None``: no rule."""
    notable: bool
    """Whether it is at least the smallest difference that patients notice, and the patient is no longer well."""


class Plateau(msgspec.Struct, frozen=True, kw_only=True):
    """The latest values under treatment, none of which differs from another by a change that counts."""

    values: tuple[Assessment, ...]
    treatments: tuple[str, ...]


class ScorePath(msgspec.Struct, frozen=True, kw_only=True):
    """A period in two to four values: its ends, and the turns between them."""

    start: Assessment
    turns: tuple[Assessment, ...]
    """The lowest value, if it is below both ends, and a peak well above both ends, in their order."""
    end: Assessment
    outcome: Outcome | None
    """``None`` where no response can be judged."""


def total_of(assessment: Assessment) -> float:
    """The total of an assessment that has one."""
    return assessment.total or 0.0


def reliable_change(instrument: Instrument) -> ImportantChange | None:
    """The published change that can be relied on from a single second value."""
    return next((change for change in instrument.changes if change.kind == "reliable" and change.points), None)


def counting_change(instrument: Instrument) -> ImportantChange | OwnChange | None:
    """The reliable change, else the product's own number for the instrument, labelled as such."""
    return reliable_change(instrument) or instrument.own_change


def counting_points(instrument: Instrument) -> float | None:
    """The points of the change that counts."""
    change = counting_change(instrument)
    return change.points if change else None


def _least_noticed(instrument: Instrument) -> float:
    """The smallest rise that is told; without any number for the instrument, none is."""
    published = (change.points for change in instrument.changes if change.kind == "minimal" and change.points)
    own = instrument.own_change.noticed if instrument.own_change else counting_points(instrument)
    return next(published, inf if own is None else own)


def is_remission(instrument: Instrument, total: float) -> bool | None:
    """Whether a total counts as remission; ``None`` without a rule."""
    return total <= instrument.remission.at_most if instrument.remission else None


def is_response(instrument: Instrument, baseline: float, total: float) -> bool | None:
    """Whether the fall counts as response; ``None``: no rule, or a baseline too low to judge."""
    rule = instrument.response
    if rule is None or baseline <= 0 or (rule.baseline_at_least is not None and baseline < rule.baseline_at_least):
        return None
    return 100 * (baseline - total) >= rule.percent * baseline


def read_rise(instrument: Instrument, baseline: Assessment | None, values: Sequence[Assessment]) -> Rise | None:
    """The rise of the last of ``values`` above the lowest of them; ``None`` if none is lower.

    ``baseline`` is the value from which a response is judged, besides the first of ``values``.
    """
    latest = values[-1]
    best = min(reversed(values), key=total_of)
    rise = total_of(latest) - total_of(best)
    if rise <= 0:
        return None
    starts = [value for value in (baseline, values[0]) if value is not None]
    return Rise(
        since=best,
        latest=latest,
        points=rise,
        worsening=_worsening(instrument, values, best),
        relapse=_relapse(instrument, starts, best, latest),
        notable=rise >= _least_noticed(instrument) and not is_remission(instrument, total_of(latest)),
    )


def _worsening(instrument: Instrument, values: Sequence[Assessment], best: Assessment) -> Worsening:
    least = counting_points(instrument)
    if least is not None and total_of(values[-1]) - total_of(best) >= least:
        return Worsening.RELIABLE
    before = values[-2]
    return Worsening.CONFIRMED if before is not best and total_of(before) > total_of(best) else Worsening.SINGLE


def _relapse(instrument: Instrument, starts: Sequence[Assessment], best: Assessment, latest: Assessment) -> bool | None:
    """A marked rise after response or remission; without either there is no relapse."""
    rule = instrument.relapse
    if rule is None:
        return None
    recovered = is_remission(instrument, total_of(best)) or any(
        is_response(instrument, total_of(start), total_of(best)) for start in starts
    )
    marked = total_of(latest) - total_of(best) >= rule.rise and total_of(latest) >= rule.total_at_least
    return bool(recovered) and marked


def read_path(
    instrument: Instrument, values: Sequence[Assessment], rule: ResponseRule, *, judged: bool
) -> ScorePath | None:
    """A period of two or more values; ``judged`` where its first value may count as a baseline."""
    if len(values) < 2:  # noqa: PLR2004 - one value has no path
        return None
    start, end = values[0], values[-1]
    low, high = min(values, key=total_of), max(values, key=total_of)
    ends = total_of(start), total_of(end)
    points = counting_points(instrument)
    turns = [low] if total_of(low) < min(ends) else []
    if points is not None and total_of(high) - max(ends) >= points:
        turns.append(high)
    outcome = _outcome(instrument, start, low, end, rule) if judged else None
    return ScorePath(start=start, turns=tuple(sorted(turns, key=values.index)), end=end, outcome=outcome)


def _outcome(
    instrument: Instrument, start: Assessment, low: Assessment, end: Assessment, rule: ResponseRule
) -> Outcome | None:
    best, last = (_reached(instrument, total_of(start), total_of(value), rule) for value in (low, end))
    if best is None or last is None:
        return None
    points, rise = counting_points(instrument), total_of(end) - total_of(low)
    if best is last or points is None or rise < points:
        return last
    return Outcome.RESPONSE_LOST if best is Outcome.RESPONSE else Outcome.PARTIAL_LOST


def _reached(instrument: Instrument, start: float, total: float, rule: ResponseRule) -> Outcome | None:
    response = is_response(instrument, start, total)
    if response is None:
        return None
    if response:
        return Outcome.RESPONSE
    return Outcome.PARTIAL if 100 * (start - total) >= rule.partial_percent.value * start else Outcome.NONE


def read_plateau(
    instrument: Instrument, series: Sequence[Assessment], courses: Sequence[TreatmentCourse], rule: ResponseRule
) -> Plateau | None:
    """The plateau on which a series ends; ``None`` in remission, and without a rule of response."""
    points = counting_points(instrument)
    if points is None or instrument.response is None or is_remission(instrument, total_of(series[-1])):
        return None
    values: list[Assessment] = []
    for value in reversed(series):
        totals = [total_of(entry) for entry in (*values, value)]
        if not _treatments_on(value, courses) or max(totals) - min(totals) >= points:
            break
        values.insert(0, value)
    needed = rule.plateau_values.value
    totals = [total_of(value) for value in values]
    if values and max(totals) - min(totals) < _least_noticed(instrument):
        needed = rule.plateau_equal_values.value
    if len(values) < needed or days_between(day_of(values[0]), day_of(values[-1])) < rule.plateau_days.value:
        return None
    return Plateau(values=tuple(values), treatments=_treatments_on(values[-1], courses))


def _treatments_on(value: Assessment, courses: Sequence[TreatmentCourse]) -> tuple[str, ...]:
    """The treatments given on the day of a value: from the day after the first session, in a course not ended on."""
    day = day_of(value)
    return tuple(
        dict.fromkeys(
            course.treatment
            for course in courses
            if day and course.first < day and (day <= course.last or not course.ended)
        )
    )
