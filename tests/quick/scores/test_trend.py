"""One instrument over time: baseline, response, what a worse value says, and the windows between treatments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from fhir_plugin.courses.trend import CoursePhase, Trend, group_sum, phase_of, read_trend
from fhir_plugin.courses.trend_words import tell_trend
from fhir_plugin.courses.windows import spans, windows
from fhir_plugin.courses.worsening import Worsening
from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.facts.treatments.courses import TreatmentCourse
from fhir_plugin.facts.treatments.sessions import EvidenceStrength, Session
from fhir_plugin.record.dates import DaySpan
from mappings.schema.instruments import Instruments
from mappings.schema.treatments import Treatments

START = date(2024, 1, 1)


def day(number: int) -> date:
    return START + timedelta(days=number)


def value(
    number: int, total: float, moment: str | None = None, items: dict[str, int | None] | None = None
) -> Assessment:
    return Assessment(
        instrument="phq9",
        total=total,
        day=DaySpan(day(number), day(number)),
        moment=moment,
        reference=f"Observation/{number}-{moment}",
        items=items or {},
    )


def course(treatment: str, first: int, last: int, moment: str | None = None) -> TreatmentCourse:
    session = Session(
        treatment=treatment,
        strength=EvidenceStrength.GIVEN,
        span=DaySpan(day(first), day(first)),
        moment=moment,
        reference="Procedure/1",
    )
    return TreatmentCourse(
        treatment=treatment,
        modality="ketamine" if "ketamine" in treatment else treatment,
        sessions=(session,),
        first=day(first),
        last=day(last),
        count=1,
        counted=True,
        longest_pause_days=0,
        completed=None,
        ended=False,
    )


@pytest.fixture
def trend(instruments: Instruments, treatments: Treatments) -> Callable[..., Trend]:
    def read(*series: Assessment, courses: tuple[TreatmentCourse, ...] = ()) -> Trend:
        found = read_trend(series, courses, instruments.forms["phq9"], treatments.response)
        assert found is not None
        return found

    return read


def test_the_baseline_is_the_last_value_before_the_treatment(trend: Callable[..., Trend]) -> None:
    found = trend(value(0, 22), value(60, 20), value(95, 9), courses=(course("tms", 61, 90),))
    assert (found.baseline.total, found.baseline_treatment, found.change) == (20, "tms", -11)
    old = trend(value(0, 22), value(95, 9), courses=(course("tms", 61, 90),))
    assert (old.baseline.total, old.baseline_treatment) == (22, None)


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        ((20, 10), Worsening.NONE),
        ((20, 10, 14), Worsening.SINGLE),
        ((20, 10, 14, 13), Worsening.CONFIRMED),
        ((20, 10, 15), Worsening.RELIABLE),
        ((20,), Worsening.NONE),
        ((20, 21), Worsening.SINGLE),
    ],
)
def test_one_worse_value_is_not_yet_a_failure(
    trend: Callable[..., Trend], totals: tuple[int, ...], expected: Worsening
) -> None:
    found = trend(*(value(20 * place, total) for place, total in enumerate(totals)))
    assert found.worsening is expected


@pytest.mark.parametrize(
    ("totals", "expected"), [((20, 8, 13), True), ((20, 8, 12), False), ((20, 4, 9), False), ((20, 11, 17), False)]
)
def test_a_relapse_needs_an_earlier_recovery(
    trend: Callable[..., Trend], totals: tuple[int, ...], expected: bool
) -> None:
    found = trend(*(value(20 * place, total) for place, total in enumerate(totals)))
    assert found.relapse is expected


def test_values_after_a_session_are_never_compared_with_values_before(trend: Callable[..., Trend]) -> None:
    given = course("ketamine", 10, 10, "2024-01-11T12:00:00Z")
    before, after = value(10, 20, "2024-01-11T11:00:00Z"), value(10, 6, "2024-01-11T15:00:00Z")
    assert (phase_of(before, [given]), phase_of(after, [given])) == (CoursePhase.BEFORE, CoursePhase.AFTER)
    assert phase_of(value(10, 20), [given]) is None
    found = trend(before, after, courses=(given,))
    assert (found.latest.total, found.change) == (20, None)


def test_windows_are_cut_where_treatments_begin_and_end() -> None:
    courses = (course("tms", 10, 40), course("ketamine", 30, 50))
    found = [
        (span.treatments, (span.first - START).days, (span.last - START).days)
        for span in spans(courses, day(0), day(60))
    ]
    assert found == [
        ((), 0, 9),
        (("tms",), 10, 29),
        (("ketamine", "tms"), 30, 40),
        (("ketamine",), 41, 50),
        ((), 51, 60),
    ]


def test_a_window_begins_with_the_value_it_found() -> None:
    series = [value(0, 22), value(9, 20), value(20, 16), value(29, 15), value(40, 9)]
    courses = (course("tms", 10, 40), course("ketamine", 30, 50))
    changes = [window.change for window in windows(series, courses, 30)]
    assert changes == [-2, -5, -6, None]


def test_an_old_value_begins_no_window() -> None:
    (before, during) = windows([value(0, 22), value(40, 16), value(50, 22)], (course("ketamine", 31, 50),), 30)
    assert (before.start, during.start, during.preceded, during.change) == (None, value(40, 16), False, 6)
    (_, during) = windows([value(1, 22), value(40, 16), value(50, 22)], (course("ketamine", 31, 50),), 30)
    assert (during.start, during.preceded, during.change) == (value(1, 22), True, 0)


def test_words_are_a_description_and_say_so(
    trend: Callable[..., Trend], instruments: Instruments, treatments: Treatments
) -> None:
    items = {item.key: 2 for item in instruments["phq9"].items}
    found = trend(
        value(0, 18, items=items),
        value(95, 9, items={**items, "44250-9": 0}),
        courses=(course("tms", 1, 90),),
    )
    told = tell_trend(found, instruments, treatments, day(100)).sentences
    assert told[0] == "PHQ-9 18 (1 Jan) to 9 (5 Apr): response; down 9 (50 %) since the start of TMS (2 Jan)"
    assert "Pleasure and interest: 2 to 0 of 3" in told
    assert "does not prove" in told[-1]
    assert not any("caused" in sentence for sentence in told[:-1])


def test_the_sleep_domain_of_qids_counts_once(instruments: Instruments) -> None:
    instrument = instruments["qids_sr16"]
    items: dict[str, int | None] = {f"item{number}": None for number in range(1, 17)}
    items |= {"item1": 3, "item4": 2, "item10": 1, "item14": 1}
    assert group_sum(instrument, instrument.groups["concentration_sleep_energy"], items) == 5
    assert group_sum(instrument, instrument.groups["concentration_sleep_energy"], {**items, "item14": None}) is None


def test_no_dated_total_has_no_course(instruments: Instruments, treatments: Treatments) -> None:
    undated = Assessment(instrument="phq9", total=9, day=None, reference="Observation/1")
    assert read_trend([undated], (), instruments.forms["phq9"], treatments.response) is None
