"""Everything that the rules say before a session, worst first. Pure.

Of several rules about the same matter a course shows only the worst. The same rule for two courses is one reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

import msgspec

from fhir_plugin.deciding.decide import Decision
from fhir_plugin.facts.treatments.courses import TreatmentCourse
from fhir_plugin.facts.unread_entries import unread_diagnoses_since
from fhir_plugin.record.record import InputState
from fhir_plugin.sessions.checks import CourseContext, hit_of
from fhir_plugin.sessions.entries import recorded_days
from fhir_plugin.sessions.hit import Hit
from fhir_plugin.sessions.under_way import courses_under_way
from mappings.schema.load import Knowledge
from mappings.schema.sessions import LEVELS, EntryCheck, Level, SessionRule

_SAME = "same"


class SessionReason(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that holds, or may hold, and the courses for which it does."""

    rule: SessionRule
    level: Level
    """That of the rule, or ``review`` where it is only possible."""
    treatments: tuple[str, ...]
    hit: Hit


class SessionReview(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be said before a session."""

    courses: tuple[TreatmentCourse, ...] = ()
    """The courses under way to which some rule applies, the latest session first."""
    reasons: tuple[SessionReason, ...] = ()
    """The worst first; within a level in the order of the rules."""
    unread: tuple[str, ...] = ()
    """Inputs that could hold a reason and were not read, or not in full."""
    unread_entries: int = 0
    """Diagnoses since the first session, or undated, in codes that are not known here."""


def review_session(decision: Decision, knowledge: Knowledge) -> SessionReview:
    """The reasons for each course under way; empty without one."""
    courses = courses_under_way(decision, knowledge)
    if not courses:
        return SessionReview()
    recorded = recorded_days(decision.record)
    reasons: list[SessionReason] = []
    for course in courses:
        context = CourseContext(course, decision, knowledge, recorded)
        reasons += _worst_by_matter(_reasons(context))
    return SessionReview(
        courses=courses,
        reasons=tuple(sorted(_joined(reasons), key=_weight)),
        unread=tuple(_unread(decision, knowledge)),
        unread_entries=unread_diagnoses_since(decision.record, knowledge, _first(courses)),
    )


def _joined(reasons: Iterable[SessionReason]) -> list[SessionReason]:
    """The same finding of the same rule in several courses, as one reason."""
    joined: list[SessionReason] = []
    for reason in reasons:
        for place, other in enumerate(joined):
            if (other.rule.id, other.hit) == (reason.rule.id, reason.hit):
                joined[place] = msgspec.structs.replace(other, treatments=(*other.treatments, *reason.treatments))
                break
        else:
            joined.append(reason)
    return joined


def _first(courses: Iterable[TreatmentCourse]) -> date:
    return min(course.first for course in courses)


def _reasons(context: CourseContext) -> Iterator[SessionReason]:
    for rule in context.knowledge.sessions.rules:
        if context.course.treatment in rule.treatments and (hit := hit_of(rule.check, context)):
            yield SessionReason(rule=rule, level=_level(rule, hit), treatments=(context.course.treatment,), hit=hit)


def _level(rule: SessionRule, hit: Hit) -> Level:
    keeps = isinstance(rule.check, EntryCheck) and rule.check.possible == _SAME
    if (hit.possible and not keeps) or hit.capped:
        return max(rule.level, "review", key=LEVELS.index)
    return rule.level


def _weight(reason: SessionReason) -> tuple[int, bool]:
    """Sort key: the level, then what is certain; equal ones stay in the order of the rules."""
    return LEVELS.index(reason.level), reason.hit.possible


def _worst_by_matter(reasons: Iterable[SessionReason]) -> Iterator[SessionReason]:
    worst: dict[str, SessionReason] = {}
    for reason in reasons:
        other = worst.get(reason.rule.about)
        if other is None or _weight(reason) < _weight(other):
            worst[reason.rule.about] = reason
    yield from worst.values()


def _unread(decision: Decision, knowledge: Knowledge) -> Iterator[str]:
    rule = knowledge.sessions.unread
    for name in (*rule.always, *rule.in_part):
        entry = decision.record.input(name)
        if not entry.whole and (name in rule.always or entry.state is not InputState.NOT_RETRIEVED):
            yield name
