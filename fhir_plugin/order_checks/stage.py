"""Where in a course of treatment the patient is, as far as the record can tell."""

from __future__ import annotations

import msgspec

from fhir_plugin.facts.read import Facts
from fhir_plugin.facts.treatments.sessions import EvidenceStrength
from mappings.schema.treatments import Treatments

_DAYS = 7


class TreatmentStage(msgspec.Struct, frozen=True, kw_only=True):
    """Three answers each: ``None`` where the record does not tell."""

    first: bool | None
    """Whether the next session is the first of a course."""
    maintenance: bool | None
    """Whether a course is completed and kept up."""
    week: int | None
    """The week since the first session, which is in week 1."""


def stage_of(treatment: str, facts: Facts, treatments: Treatments) -> TreatmentStage:
    """From the sessions on record; an entry that may or may not be a session leaves it open."""
    history = facts.treatments
    way = treatments[treatment].given_as
    courses = [course for course in history.courses if course.treatment == treatment]
    counted = {session.reference for course in courses for session in course.sessions}
    doubtful = any(
        session.treatment == treatment
        and session.reference not in counted
        and session.strength is not EvidenceStrength.ORDERED
        for session in history.sessions
    )
    certain = not history.missing[way] and way not in history.silent and not doubtful
    active = [course for course in courses if not course.ended]
    if active:
        course = active[0]
        known = certain and len(active) == 1 and course.counted
        week = (facts.as_of - course.first).days // _DAYS + 1 if known else None
        return TreatmentStage(first=False, maintenance=course.completed, week=week)
    if courses or not certain:
        return TreatmentStage(first=None, maintenance=None, week=None)
    return TreatmentStage(first=True, maintenance=False, week=1)
