"""Courses as they are told: the cases beside the knowledge, with the sentences that a clinician reads."""

from __future__ import annotations

import re
from datetime import date

import pytest
from pydantic import Field

from fhir_plugin.courses.report import CourseReport, course_report
from fhir_plugin.facts.scores.read import Assessment, ScoreHistory
from fhir_plugin.facts.treatments.courses import TreatmentCourse
from fhir_plugin.facts.treatments.read import TreatmentHistory
from fhir_plugin.record.dates import DaySpan
from mappings.schema.base.entries import Entry
from mappings.schema.base.files import KNOWLEDGE, read_yaml
from mappings.schema.instruments import Instruments
from mappings.schema.treatments import Treatments

AS_OF = date(2026, 11, 27)
_VALUE = re.compile(r"(?P<day>[\d-]+) (?P<total>[\d.]+)(?P<suicide>!?)")


class CourseCase(Entry):
    name: str
    values: dict[str, tuple[str, ...]]
    courses: dict[str, str] = Field(default_factory=dict)
    alerts: tuple[str, ...]
    changes: tuple[str, ...] | None = None
    told: tuple[str, ...] = ()
    first: str | None = None


CASES = read_yaml(KNOWLEDGE / "instruments" / "_courses.cases.yaml", tuple[CourseCase, ...])


def day(text: str) -> date:
    number, month, *year = (int(part) for part in text.split("-"))
    return date(*year or [AS_OF.year], month, number)


def assessment(instrument: str, written: str) -> Assessment:
    found = _VALUE.fullmatch(written)
    assert found, written
    when = day(found["day"])
    return Assessment(
        instrument=instrument,
        total=float(found["total"]),
        day=DaySpan(when, when),
        reference=f"Observation/{instrument}-{when}",
        suicide_item_positive=bool(found["suicide"]) if instrument == "phq9" else None,
    )


def course(treatment: str, written: str) -> TreatmentCourse:
    first, _, last, *ended = written.split()
    return TreatmentCourse(
        treatment=treatment,
        modality="ketamine" if "ketamine" in treatment else treatment,
        sessions=(),
        first=day(first),
        last=day(last),
        count=2,
        counted=True,
        longest_pause_days=7,
        completed=None,
        ended=bool(ended),
    )


def report(case: CourseCase, instruments: Instruments, treatments: Treatments) -> CourseReport:
    assessments = [assessment(name, written) for name, values in case.values.items() for written in values]
    assessments.sort(key=lambda entry: entry.day or DaySpan(AS_OF, AS_OF))
    courses = tuple(course(treatment, written) for treatment, written in case.courses.items())
    history = TreatmentHistory(
        courses=courses, sessions=(), as_of=AS_OF, treatments=treatments, missing={}, looked_in={}, silent=frozenset()
    )
    return course_report(ScoreHistory(tuple(assessments), instruments, AS_OF), history)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_course_is_told_by_what_got_worse_then_by_its_changes(
    instruments: Instruments, treatments: Treatments, case: CourseCase
) -> None:
    found = report(case, instruments, treatments)
    assert tuple(alert.text for alert in found.alerts) == case.alerts
    first = found.trends[0]
    if case.changes is not None:
        assert first.changes == case.changes
    assert set(case.told) <= set(first.told)
    assert case.first in (None, first.instrument)
    for trend in found.trends:
        assert trend.told == (*(alert.text for alert in trend.alerts), *trend.changes, *trend.details)
