"""The week of a course in which a patient is, as far as the record shows. Pure."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from fhir_plugin.facts.fact import Presence
from fhir_plugin.facts.read import Facts

_DAYS = 7


class Week(NamedTuple):
    """Week of treatment: 0 before the first session; ``None`` where it cannot be determined."""

    number: int | None
    since: date | None = None
    """The first session on the record."""
    earlier: bool = False
    """Whether an earlier course has ended, so that the label's weeks no longer determine what is next."""


def week_of(facts: Facts, treatment: str) -> Week:
    """The week of the day of assessment, counted from the first session of the current course."""
    fact = facts.named[f"treatments.{treatment}.received"]
    if not isinstance(fact.value, Presence) or fact.missing or fact.value.possible:
        return Week(None)
    courses = [course for course in facts.treatments.courses if course.treatment == treatment]
    current = [course for course in courses if not course.ended]
    if not current:
        return Week(None, earlier=True) if courses or fact.value.past else Week(0)
    if len(courses) > 1 or not current[0].counted:
        return Week(None)
    first = current[0].first
    return Week((facts.as_of - first).days // _DAYS + 1, first)
