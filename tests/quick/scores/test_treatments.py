"""Courses of treatment read from a record, and what came of them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from fhir_plugin.facts.fact import Presence
from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.facts.treatments.read import TreatmentHistory, read_treatments
from fhir_plugin.record.bundles import RESOURCE_TYPES, AnyResource
from fhir_plugin.record.dates import DaySpan
from fhir_plugin.record.record import Input, InputState, Record
from mappings.schema.instruments import Instruments
from mappings.schema.treatments import Treatments

CPT = "http://www.ama-assn.org/go/cpt"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
START = date(2024, 1, 8)
AS_OF = date(2024, 6, 1)
INPUT_OF = {
    "Procedure": "procedures",
    "MedicationAdministration": "medicationAdministrations",
    "MedicationDispense": "medicationDispenses",
    "MedicationRequest": "medicationRequests",
    "MedicationStatement": "medicationStatements",
}


def tms(day: date, place: int, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Procedure",
        "id": f"t{place}",
        "status": "completed",
        "code": {"coding": [{"system": CPT, "code": "90868"}]},
        "performedDateTime": day.isoformat(),
        **more,
    }


def ketamine(day: date, place: int, dose: float = 40, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "MedicationAdministration",
        "id": f"k{place}",
        "status": "completed",
        "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": "6130"}]},
        "effectiveDateTime": day.isoformat(),
        "dosage": {"dose": {"value": dose, "code": "mg"}, "route": {"text": "Intravenous"}},
        **more,
    }


def tms_course(many: int, start: date = START) -> list[dict[str, Any]]:
    return [tms(start + timedelta(days=place), place) for place in range(many)]


def phq9(day: date, total: float) -> Assessment:
    return Assessment(instrument="phq9", total=total, day=DaySpan(day, day), reference=f"Observation/{day}")


@pytest.fixture
def read(instruments: Instruments, treatments: Treatments) -> Any:
    def reader(entries: list[dict[str, Any]], *assessments: Assessment, as_of: date = AS_OF) -> TreatmentHistory:
        resources: dict[str, list[AnyResource]] = {name: [] for name in INPUT_OF.values()}
        for entry in entries:
            view = RESOURCE_TYPES[entry["resourceType"]]
            resources[INPUT_OF[entry["resourceType"]]].append(msgspec.convert(entry, view))  # type: ignore[arg-type]
        inputs = {name: Input(InputState.COMPLETE, tuple(found)) for name, found in resources.items()}
        return read_treatments(Record("p", inputs), treatments, as_of, assessments, instruments)

    return reader


def presence(history: TreatmentHistory, name: str) -> tuple[int, int, int]:
    value = history.facts()[name].value
    assert isinstance(value, Presence)
    return len(value.current), len(value.past), len(value.possible)


def test_sessions_become_a_course(read: Any) -> None:
    (course,) = read(tms_course(30)).courses
    assert (course.treatment, course.count, course.completed, course.ended) == ("tms", 30, True, True)
    assert (course.first, course.last) == (START, START + timedelta(days=29))


def test_a_pause_longer_than_the_gap_starts_a_new_course(read: Any) -> None:
    after_gap = [tms(START + timedelta(days=19 + 21), 90)]
    assert [course.count for course in read(tms_course(20) + after_gap).courses] == [21]
    after_gap = [tms(START + timedelta(days=19 + 22), 90)]
    assert [course.count for course in read(tms_course(20) + after_gap).courses] == [20, 1]


def test_a_session_entered_twice_counts_once_unless_the_times_differ(read: Any) -> None:
    assert read([tms(START, 1), tms(START, 2)]).courses[0].count == 1
    timed = [tms(START, place, performedDateTime=f"{START}T{9 + place:02}:00:00Z") for place in range(10)]
    assert read(timed).courses[0].count == 10


@pytest.mark.parametrize(
    ("sessions", "end", "expected"),
    [(20, 10, (0, 0)), (20, 11, (1, 0)), (19, 11, (0, 1)), (20, None, (0, 1))],
    ids=["exactly half is a response", "just under half", "one session short", "no score at the end"],
)
def test_inadequate_response(read: Any, sessions: int, end: int | None, expected: tuple[int, int]) -> None:
    last = START + timedelta(days=sessions - 1)
    scores = [phq9(START, 20)] + ([phq9(last + timedelta(days=1), end)] if end else [])
    current, _, possible = presence(read(tms_course(sessions), *scores), "treatments.tms.inadequate_response")
    assert (current, possible) == expected


def test_partial_response_is_between(read: Any) -> None:
    after = START + timedelta(days=20)
    for end, expected in ((10, 0), (11, 1), (15, 1), (16, 0)):
        history = read(tms_course(20), phq9(START, 20), phq9(after, end))
        assert presence(history, "treatments.tms.partial_response")[0] == expected


def test_a_mild_baseline_is_not_judged(read: Any) -> None:
    history = read(tms_course(20), phq9(START, 9), phq9(START + timedelta(days=20), 8))
    assert presence(history, "treatments.tms.inadequate_response") == (0, 0, 1)


def test_scores_after_another_treatment_began_do_not_judge_the_first(read: Any) -> None:
    end = START + timedelta(days=22)
    entries = tms_course(20) + [ketamine(START + timedelta(days=21 + 2 * place), place) for place in range(6)]
    history = read(entries, phq9(START, 20), phq9(end, 18))
    assert presence(history, "treatments.tms.inadequate_response") == (0, 0, 1)


def test_treatments_given_together_are_no_single_failure(read: Any) -> None:
    entries = tms_course(20) + [ketamine(START + timedelta(days=2 * place), place) for place in range(6)]
    history = read(entries, phq9(START, 20), phq9(START + timedelta(days=21), 20))
    assert presence(history, "treatments.single_modality.inadequate_response") == (0, 0, 2)


def test_one_dose_of_ketamine_may_have_been_anaesthesia(read: Any) -> None:
    assert presence(read([ketamine(START, 1)]), "treatments.ketamine.received") == (0, 0, 1)
    two = [ketamine(START, 1), ketamine(START + timedelta(days=3), 2)]
    assert presence(read(two), "treatments.ketamine.received") == (0, 1, 0)
    high = [ketamine(START, 1, dose=101), ketamine(START + timedelta(days=3), 2, dose=101)]
    assert presence(read(high), "treatments.ketamine.received") == (0, 0, 2)


@pytest.mark.parametrize(("sessions", "expected"), [(35, (1, 0, 0)), (36, (0, 1, 0))])
def test_a_course_of_tms_is_over_with_its_last_session(
    read: Any, sessions: int, expected: tuple[int, int, int]
) -> None:
    course = tms_course(sessions, AS_OF - timedelta(days=sessions))
    assert presence(read(course), "treatments.tms.received") == expected


def test_a_course_under_way_is_current(read: Any) -> None:
    history = read(tms_course(5), as_of=START + timedelta(days=6))
    assert presence(history, "treatments.tms.received") == (1, 0, 0)


@pytest.mark.parametrize(
    "entry",
    [
        {"resourceType": "Procedure", "id": "p", "status": "not-done", "code": {"text": "rTMS"}},
        {"resourceType": "Procedure", "id": "p", "status": "entered-in-error", "code": {"text": "rTMS"}},
        {"resourceType": "Procedure", "id": "p", "status": "completed", "code": {"text": "TMS consult"}},
        {"resourceType": "Procedure", "id": "p", "status": "completed", "code": {"text": "Appendectomy"}},
    ],
)
def test_what_was_not_given_is_not_received(read: Any, entry: dict[str, Any]) -> None:
    assert presence(read([entry]), "treatments.tms.received") == (0, 0, 0)


def test_a_status_that_nobody_knows_leaves_open_whether_it_was_given(read: Any) -> None:
    assert presence(read([tms(START, 0, status="no-such-status")]), "treatments.tms.received") == (0, 0, 1)


def test_an_order_proves_nothing(read: Any) -> None:
    order = {
        "resourceType": "MedicationRequest",
        "id": "r",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "Spravato 56 mg"},
        "authoredOn": "2024-05-01",
    }
    assert presence(read([order]), "treatments.esketamine.received") == (0, 0, 1)


def test_a_record_without_any_procedure_does_not_deny_tms(read: Any) -> None:
    fact = read([]).facts()["treatments.tms.received"]
    assert fact.value is None
    assert fact.missing == ("no entry of the kind that records a procedure",)


@pytest.mark.parametrize(
    ("system", "code", "text", "expected"),
    [
        (CPT, "90867", None, "tms"),
        ("urn:oid:2.16.840.1.113883.6.12", "90869", None, "tms"),
        (RXNORM, "2119365", None, "esketamine"),
        ("http://hl7.org/fhir/sid/ndc", "50458-028-03", None, "esketamine"),
        ("http://hl7.org/fhir/sid/ndc", "50458-0281-03", None, None),
        ("https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "J3490", None, None),
        ("http://www.cms.gov/Medicare/Coding/ICD10", "GZB1ZZZ", None, "ect"),
        (None, None, "Ketamine 0.5 mg/kg IV over 40 min", "ketamine"),
        (None, None, "esketamine nasal spray", "esketamine"),
        (None, None, "ketamine 10 % cream", None),
        (None, None, "iTBS left DLPFC", "tms"),
        (None, None, "ketamine with TMS", None),
        (RXNORM, "90868", None, None),
    ],
)
def test_a_treatment_is_recognised(
    treatments: Treatments, system: str | None, code: str | None, text: str | None, expected: str | None
) -> None:
    assert treatments.treatment_of([(system, code)], text) == expected


@pytest.mark.parametrize(
    ("before", "after", "judged"), [(-30, 28, 1), (-31, 28, 0), (0, 29, 0), (0, -7, 1), (0, -8, 0)]
)
def test_scores_count_only_near_the_start_and_the_end(read: Any, before: int, after: int, judged: int) -> None:
    last = START + timedelta(days=19)
    scores = [phq9(START + timedelta(days=before), 20), phq9(last + timedelta(days=after), 19)]
    history = read(tms_course(20), *scores)
    assert presence(history, "treatments.tms.inadequate_response")[0] == judged


@pytest.mark.parametrize(
    ("treatment", "code", "gap", "needed"), [("ketamine", "6130", 35, 6), ("esketamine", "2119365", 28, 8)]
)
def test_each_drug_has_its_own_course(read: Any, treatment: str, code: str, gap: int, needed: int) -> None:
    drug = {"coding": [{"system": RXNORM, "code": code}]}

    def doses(many: int, start: date) -> list[dict[str, Any]]:
        days = (start + timedelta(days=2 * place) for place in range(many))
        return [ketamine(day, place, medicationCodeableConcept=drug) for place, day in enumerate(days)]

    (whole,) = read(doses(needed, START)).courses
    (short,) = read(doses(needed - 1, START)).courses
    assert (whole.treatment, whole.completed, short.completed) == (treatment, True, False)
    last = START + timedelta(days=2)
    again = [ketamine(last + timedelta(days=gap), 9, medicationCodeableConcept=drug)]
    assert len(read(doses(2, START) + again).courses) == 1
    again = [ketamine(last + timedelta(days=gap + 1), 9, medicationCodeableConcept=drug)]
    assert len(read(doses(2, START) + again).courses) == 2


def test_scales_that_disagree_settle_nothing(read: Any) -> None:
    last = START + timedelta(days=20)
    madrs = [
        Assessment(instrument="madrs", total=total, day=DaySpan(day, day), reference=f"Observation/m{total}")
        for total, day in ((30, START), (15, last))
    ]
    history = read(tms_course(20), phq9(START, 20), phq9(last, 12), *madrs)
    assert presence(history, "treatments.tms.inadequate_response") == (0, 0, 1)
    assert history.courses[0].outcome.why == "the scales disagree"


def test_an_entry_for_a_whole_course_does_not_say_how_many(read: Any) -> None:
    period = {"start": "2024-01-08", "end": "2024-02-16"}
    entry = tms(START, 1, performedPeriod=period)
    del entry["performedDateTime"]
    (course,) = read([entry]).courses
    assert (course.counted, course.completed, course.last) == (False, None, date(2024, 2, 16))
    assert presence(read([entry]), "treatments.tms.inadequate_response") == (0, 0, 1)
