"""Courses as they are told: the cases beside the knowledge, with the sentences that a clinician reads."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from fhir_plugin.courses.report import CourseReport, course_report
from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.facts.scores.read import ScoreHistory
from fhir_plugin.facts.treatments.courses import TreatmentCourse
from fhir_plugin.facts.treatments.read import TreatmentHistory
from fhir_plugin.record.dates import DaySpan
from mappings.schema.base.entries import Entry
from mappings.schema.base.files import KNOWLEDGE, read_yaml
from mappings.schema.instruments import Instruments
from mappings.schema.treatments import Treatments
from tests.support.shipped import shipped

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


def case(values: tuple[str, ...], **courses: str) -> CourseCase:
    return CourseCase(name="", values={"phq9": values}, courses=courses, alerts=())


def test_the_report_holds_what_is_told(instruments: Instruments, treatments: Treatments) -> None:
    found = report(case(("01-03 22", "20-03 16", "02-05 22"), ketamine="02-03 to 02-05"), instruments, treatments)
    (trend,) = found.trends
    assert (trend.change, trend.change_since_last, trend.worse_by) == (0, 6, 6)
    assert trend.previous
    assert trend.worse_since
    assert (trend.previous.total, trend.worse_since.day, trend.best.total) == (16, "2026-03-20", 16)
    assert (trend.outcome, trend.worsening, trend.response) == ("partial_lost", "reliable", False)
    (_, during) = trend.windows
    assert (during.start, during.start_day, during.start_is_before) == (22, "2026-03-01", True)
    assert (during.lowest, during.lowest_day, during.end, during.end_day) == (16, "2026-03-20", 22, "2026-05-02")


def test_a_suicide_item_is_told_although_its_form_has_no_total(
    instruments: Instruments, treatments: Treatments
) -> None:
    blank = Assessment(
        instrument="phq9", total=None, day=DaySpan(AS_OF, AS_OF), reference="Observation/1", suicide_item_positive=True
    )
    history = TreatmentHistory(
        courses=(), sessions=(), as_of=AS_OF, treatments=treatments, missing={}, looked_in={}, silent=frozenset()
    )
    found = course_report(ScoreHistory((blank,), instruments, AS_OF), history)
    assert not found.trends
    assert [alert.kind for alert in found.alerts] == ["suicide"]
    assert not found.well


@pytest.mark.parametrize(
    ("values", "well"),
    [
        (("01-06 16", "20-11 2"), True),
        (("01-06 16", "20-11 5"), False),
        (("01-06 16", "01-08 2"), False),
        (("01-06 16", "20-11 2!"), False),
    ],
    ids=["in remission", "not in remission", "long ago", "suicidal thoughts"],
)
def test_who_is_well(instruments: Instruments, treatments: Treatments, values: tuple[str, ...], well: bool) -> None:
    assert report(case(values), instruments, treatments).well == well


def test_another_scale_may_say_that_the_patient_is_not_well(instruments: Instruments, treatments: Treatments) -> None:
    both = CourseCase(name="", values={"phq9": ("20-11 2",), "madrs": ("21-11 25",)}, alerts=())
    assert not report(both, instruments, treatments).well


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 27), min_size=2, max_size=6),
    st.sampled_from([{}, {"tms": "03-01 to 20-03 ended"}, {"ketamine": "10-02 to 20-11"}]),
)
def test_a_reliable_rise_since_the_last_value_is_always_told_first(totals: list[int], courses: dict[str, str]) -> None:
    instruments, treatments = shipped().instruments, shipped().treatments
    values = tuple(f"01-{month:02} {total}" for month, total in enumerate(totals, start=1))
    (trend,) = report(case(values, **courses), instruments, treatments).trends
    rise = totals[-1] - totals[-2]
    worse = [alert for alert in trend.alerts if alert.kind == "worse" and alert.tone == "bad"]
    if rise >= 5:
        assert worse
        assert trend.told[0] == worse[0].text
    if totals[-1] == min(totals):
        assert not worse
