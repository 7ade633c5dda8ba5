"""Windows of days before, during and after treatments, with the scores in them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import pairwise

import msgspec

from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.facts.treatments.courses import TreatmentCourse

_DAY = timedelta(days=1)


class TreatmentSpan(msgspec.Struct, frozen=True):
    """Consecutive days with the same treatments; no treatments before, between and after courses."""

    first: date
    last: date
    treatments: tuple[str, ...]


class TreatmentWindow(msgspec.Struct, frozen=True, kw_only=True):
    """One span and the assessments that describe it."""

    span: TreatmentSpan
    assessments: tuple[Assessment, ...]
    """The assessments in the span, preceded by the value with which it began, if a recent one is on the record."""
    preceded: bool
    """Whether the first of them was made before the span or on its first day."""

    @property
    def inside(self) -> tuple[Assessment, ...]:
        """The assessments made during the span."""
        return self.assessments[self.preceded :]

    @property
    def start(self) -> Assessment | None:
        """The first value, where a later one follows."""
        return self.assessments[0] if len(self.assessments) > 1 else None

    @property
    def change(self) -> float | None:
        """Last total less first; ``None`` where there are not two values."""
        if not self.start or self.start.total is None or self.assessments[-1].total is None:
            return None
        return self.assessments[-1].total - self.start.total


def day_of(assessment: Assessment) -> date | None:
    """The day of an assessment that is dated to the day."""
    day = assessment.day
    return day.first if day and day.first == day.last else None


def days_between(first: date | None, last: date | None) -> int:
    """The days from one to the other; none where one of them is not known to the day."""
    return (last - first).days if first and last else 0


def spans(courses: Iterable[TreatmentCourse], first: date, last: date) -> tuple[TreatmentSpan, ...]:
    """Split the days from ``first`` to ``last`` where a course begins or ends."""
    within = [course for course in courses if course.first <= last and course.last >= first]
    cuts = {first, last + _DAY}
    for course in within:
        cuts |= {max(course.first, first), min(course.last, last) + _DAY}
    result: list[TreatmentSpan] = []
    for begin, end in pairwise(sorted(cuts)):
        active = tuple(sorted({course.treatment for course in within if course.first <= begin <= course.last}))
        if result and result[-1].treatments == active:
            result[-1] = TreatmentSpan(result[-1].first, end - _DAY, active)
        else:
            result.append(TreatmentSpan(begin, end - _DAY, active))
    return tuple(result)


def windows(
    series: Sequence[Assessment], courses: Sequence[TreatmentCourse], days_before: float
) -> tuple[TreatmentWindow, ...]:
    """The assessments of one instrument by span; empty where no treatment is on the record.

    A span begins with the last value of at most ``days_before`` days before it; an older one says nothing about it.
    """
    dated = [(day, assessment) for assessment in series if (day := day_of(assessment))]
    if not courses or not dated:
        return ()
    first = min(dated[0][0], *(course.first for course in courses))
    last = max(dated[-1][0], *(course.last for course in courses))
    result = []
    for span in spans(courses, first, last):
        inside = [assessment for day, assessment in dated if span.first < day <= span.last]
        earlier = [assessment for day, assessment in dated if 0 <= (span.first - day).days <= days_before]
        result.append(TreatmentWindow(span=span, assessments=(*earlier[-1:], *inside), preceded=bool(earlier)))
    return tuple(result)
