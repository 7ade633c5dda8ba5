"""The courses under way on the day of a session. Pure.

A single dose of a drug with other uses proves no course. Where it is recent, ordered and the depression is current, it
is taken for the first session all the same: before the second one the rules matter most.
"""

from __future__ import annotations

from collections.abc import Iterator

from fhir_plugin.deciding.decide import Decision
from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.facts.treatments.courses import TreatmentCourse
from fhir_plugin.facts.treatments.read import ONE_DOSE
from fhir_plugin.facts.treatments.sessions import Session
from fhir_plugin.record.resources import MedicationRequest
from mappings.schema.load import Knowledge


def courses_under_way(decision: Decision, knowledge: Knowledge) -> tuple[TreatmentCourse, ...]:
    """The courses to which some rule applies, the one with the latest session first."""
    treated = {treatment for rule in knowledge.sessions.rules for treatment in rule.treatments}
    courses = [
        course
        for course in (*decision.facts.treatments.courses, *_first_doses(decision, knowledge))
        if not course.ended and course.treatment in treated and course.last <= decision.facts.as_of
    ]
    return tuple(sorted(courses, key=lambda course: (course.last, course.treatment), reverse=True))


def _first_doses(decision: Decision, knowledge: Knowledge) -> Iterator[TreatmentCourse]:
    finding = decision.finding(knowledge.sessions.one_dose_if)
    if finding is None or finding.verdict is not Verdict.MET:
        return
    sessions = decision.facts.treatments.sessions
    active = _active_orders(decision)
    ordered = {session.treatment for session in sessions if session.reference in active}
    for session in sessions:
        if session.other_use == ONE_DOSE and session.treatment in ordered and session.day:
            yield _course(session, decision, knowledge)


def _active_orders(decision: Decision) -> frozenset[str]:
    requests = decision.record.all("medicationRequests", MedicationRequest)
    return frozenset(request.reference for request in requests if request.status == "active")


def _course(session: Session, decision: Decision, knowledge: Knowledge) -> TreatmentCourse:
    treatment = knowledge.treatments[session.treatment]
    day = session.day or decision.facts.as_of
    return TreatmentCourse(
        treatment=treatment.id,
        modality=treatment.modality,
        sessions=(session,),
        first=day,
        last=day,
        count=1,
        counted=True,
        longest_pause_days=0,
        completed=False,
        ended=(decision.facts.as_of - day).days > treatment.course.gap_days.value,
    )
