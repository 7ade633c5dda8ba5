"""The days before, during one treatment, during both and after: what the scores did in each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import pairwise

import msgspec

from fhir_plugin.facts.scores.read import Assessment
from fhir_plugin.facts.treatments.courses import TreatmentCourse

_DAY = timedelta(days=1)


class TreatmentSpan(msgspec.Struct, frozen=True):
    """Days through which the same treatments were given; without any, before, between or after them."""

    first: date
    last: date
    treatments: tuple[str, ...]


class TreatmentWindow(msgspec.Struct, frozen=True, kw_only=True):
    """One span and the assessments that describe it."""

    span: TreatmentSpan
    assessments: tuple[Assessment, ...]
    """In the span; the first may be the value with which it began."""

    @property
    def start(self) -> Assessment | None:
        """The value with which the span began, where a later one follows."""
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


def spans(courses: Iterable[TreatmentCourse], first: date, last: date) -> tuple[TreatmentSpan, ...]:
    """Cut the days from ``first`` to ``last`` where a course begins or ends."""
    within = [course for course in courses if course.first <= last and course.last >= first]
    cuts = {first, last + _DAY}
    for course in within:
        cuts |= {max(course.first, first), min(course.last, last) + _DAY}
    found: list[TreatmentSpan] = []
    for begin, end in pairwise(sorted(cuts)):
        active = tuple(sorted({course.treatment for course in within if course.first <= begin <= course.last}))
        if found and found[-1].treatments == active:
            found[-1] = TreatmentSpan(found[-1].first, end - _DAY, active)
        else:
            found.append(TreatmentSpan(begin, end - _DAY, active))
    return tuple(found)


def windows(series: Sequence[Assessment], courses: Sequence[TreatmentCourse]) -> tuple[TreatmentWindow, ...]:
    """What one instrument did in each span; empty where no treatment is on the record."""
    dated = [(day, each) for each in series if (day := day_of(each))]
    if not courses or not dated:
        return ()
    first = min(dated[0][0], *(course.first for course in courses))
    last = max(dated[-1][0], *(course.last for course in courses))
    found = []
    for span in spans(courses, first, last):
        inside = [each for day, each in dated if span.first < day <= span.last]
        begun = [each for day, each in dated if day <= span.first]
        found.append(TreatmentWindow(span=span, assessments=(*begun[-1:], *inside)))
    return tuple(found)
