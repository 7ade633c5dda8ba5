"""The stage of a course of treatment that the patient is in, as far as the record shows."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fhir_plugin.facts.read import Facts
from fhir_plugin.facts.treatments.courses import TreatmentCourse
from fhir_plugin.facts.treatments.read import TreatmentHistory
from fhir_plugin.facts.treatments.sessions import EvidenceStrength
from mappings.schema.treatments import Treatments

_DAYS = 7


class TreatmentStage(msgspec.Struct, frozen=True, kw_only=True):
    """The stage; ``None`` where the record does not show it."""

    first: bool | None
    """Whether the next session is the first of a course."""
    maintenance: bool | None
    """Whether the initial course is completed and treatment goes on."""
    week: int | None
    """The week since the first session, which is in week 1."""


def stage_of(treatment: str, facts: Facts, treatments: Treatments) -> TreatmentStage:
    """From the sessions on the record; an entry that may or may not be a session leaves the stage unknown."""
    history = facts.treatments
    given_as = treatments[treatment].given_as
    courses = [course for course in history.courses if course.treatment == treatment]
    certain = (
        not history.missing[given_as]
        and given_as not in history.silent
        and not _may_have_more(treatment, history, courses)
    )
    active = [course for course in courses if not course.ended]
    if active:
        course = active[0]
        is_known = certain and len(active) == 1 and course.counted
        week = (facts.as_of - course.first).days // _DAYS + 1 if is_known else None
        return TreatmentStage(first=False, maintenance=course.completed, week=week)
    if courses or not certain:
        return TreatmentStage(first=None, maintenance=None, week=None)
    return TreatmentStage(first=True, maintenance=False, week=1)


def _may_have_more(treatment: str, history: TreatmentHistory, courses: Sequence[TreatmentCourse]) -> bool:
    """Whether an entry that belongs to no course may still have been a session."""
    counted = {session.reference for course in courses for session in course.sessions}
    return any(
        session.treatment == treatment
        and session.reference not in counted
        and session.strength is not EvidenceStrength.ORDERED
        for session in history.sessions
    )
