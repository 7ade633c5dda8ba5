"""The newest blood pressure and weight that can be believed."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_plugin.facts.fact import Fact, Measurement
from fhir_plugin.facts.observations.sorting import sort_observations
from fhir_plugin.facts.observations.vitals import VitalReading, _maximal, read_vitals
from fhir_plugin.record.dates import DaySpan
from mappings.schema.load import Knowledge
from tests.support.knowledge.charts import AS_OF, chart, observation, pressure


def latest(knowledge: Knowledge, name: str, *contents: dict, **inputs: tuple[str, ...]) -> Fact:
    record = chart(*contents, **inputs)
    return read_vitals(record, sort_observations(record, knowledge), knowledge, AS_OF).facts()[f"{name}.latest"]


def components(fact: Fact) -> dict[str, float]:
    assert isinstance(fact.value, Measurement)
    return dict(fact.value.components)


def test_the_newest_panel_counts_whatever_the_order(knowledge: Knowledge) -> None:
    readings = [pressure(150, 95, "2026-05-01"), pressure(128, 82, "2026-05-20"), pressure(160, 99, "2026-01-20")]
    for order in (readings, readings[::-1]):
        assert components(latest(knowledge, "blood_pressure", *order)) == {"diastolic": 82, "systolic": 128}


def test_of_one_day_the_later_time_counts_across_time_zones(knowledge: Knowledge) -> None:
    morning = pressure(150, 95, "2026-05-20T10:00:00+02:00")
    noon = pressure(128, 82, "2026-05-20T09:30:00Z")
    assert components(latest(knowledge, "blood_pressure", morning, noon))["systolic"] == 128


def test_of_one_moment_the_higher_counts(knowledge: Knowledge) -> None:
    pair = pressure(150, 95, "2026-05-20"), pressure(128, 82, "2026-05-20")
    assert components(latest(knowledge, "blood_pressure", *pair))["systolic"] == 150


def test_of_one_day_the_higher_counts_where_a_time_is_missing(knowledge: Knowledge) -> None:
    pair = pressure(150, 95, "2026-05-20"), pressure(128, 82, "2026-05-20T09:30:00Z")
    assert components(latest(knowledge, "blood_pressure", *pair))["systolic"] == 150


@pytest.mark.parametrize(
    "code",
    [{"coding": [{"system": "http://loinc.org", "code": "55284-4"}]}, {"text": "Blood pressure"}],
    ids=["an older panel", "a panel in words"],
)
def test_a_panel_is_known_by_its_components_too(knowledge: Knowledge, code: dict) -> None:
    newest = pressure(190, 120, "2026-05-25") | {"code": code}
    assert components(latest(knowledge, "blood_pressure", pressure(120, 80, "2026-05-20"), newest))["systolic"] == 190


@pytest.mark.parametrize("place", ["valueString", "component"])
def test_a_newer_reading_in_words_is_told(knowledge: Knowledge, place: str) -> None:
    newest = pressure(190, 120, "2026-05-25")
    if place == "valueString":
        del newest["component"]
        newest["valueString"] = "190/120 mmHg"
    else:
        for part in newest["component"]:
            part["valueString"] = f"{part.pop('valueQuantity')['value']} mmHg"
    fact = latest(knowledge, "blood_pressure", pressure(120, 80, "2026-05-20"), newest)
    assert fact.missing == ("a blood pressure that may be newer cannot be used",)


def test_a_unit_does_not_outvote_its_code(knowledge: Knowledge) -> None:
    quantity = {"value": 120, "unit": "mmHg", "code": "kPa"}
    assert latest(
        knowledge, "blood_pressure", observation("8480-6", 120, "", "2026-05-20", valueQuantity=quantity)
    ).missing


def test_single_components_of_one_moment_are_one_reading(knowledge: Knowledge) -> None:
    systolic = observation("8480-6", 141, "mmHg", "2026-05-20T08:00:00Z")
    diastolic = observation("8462-4", 88, "mm[Hg]", "2026-05-20T08:00:00Z")
    assert components(latest(knowledge, "blood_pressure", systolic, diastolic)) == {"diastolic": 88, "systolic": 141}


@pytest.mark.parametrize(
    "entry",
    [
        pressure(82, 128, "2026-05-25"),
        pressure(900, 82, "2026-05-25"),
        observation("8480-6", 120, "kPa", "2026-05-25"),
        observation(
            "8480-6", 120, "mmHg", "2026-05-25", valueQuantity={"value": 120, "unit": "mmHg", "comparator": ">"}
        ),
    ],
    ids=["upside down", "implausible", "unknown unit", "comparator"],
)
def test_a_newer_reading_that_cannot_be_believed_is_passed_over_and_told(knowledge: Knowledge, entry: dict) -> None:
    fact = latest(knowledge, "blood_pressure", pressure(128, 82, "2026-05-01"), entry)
    assert components(fact)["systolic"] == 128
    assert fact.missing


@pytest.mark.parametrize(
    ("member", "told"),
    [
        ({}, True),
        ({"hasMember": [{"reference": "Observation/1"}]}, False),
        ({"dataAbsentReason": {"coding": [{"code": "not-performed"}]}}, False),
    ],
    ids=["lost", "on the members", "not measured"],
)
def test_a_newer_reading_without_any_value_is_told(knowledge: Knowledge, member: dict, told: bool) -> None:
    newest = pressure(190, 120, "2026-05-25", **member)
    del newest["component"]
    fact = latest(knowledge, "blood_pressure", pressure(120, 80, "2026-05-20"), newest)
    assert bool(fact.missing) is told


def test_a_component_that_a_panel_lost_is_not_taken_from_another_reading(knowledge: Knowledge) -> None:
    newest = pressure(190, 80, "2026-05-25T10:00:00Z")
    del newest["component"][0]
    fact = latest(knowledge, "blood_pressure", pressure(120, 70, "2026-05-25T09:00:00Z"), newest)
    assert components(fact) == {"diastolic": 80}


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
def test_a_withdrawn_reading_is_no_reading(knowledge: Knowledge, status: str) -> None:
    fact = latest(knowledge, "blood_pressure", pressure(128, 82, "2026-05-01", status=status))
    assert fact.value is None
    assert fact.missing == ("no blood pressure on the record",)


@pytest.mark.parametrize("status", ["preliminary", "registered", "unknown", None])
def test_a_newer_reading_that_is_not_final_is_told(knowledge: Knowledge, status: str | None) -> None:
    newest = pressure(190, 112, "2026-05-25", status=status)
    fact = latest(knowledge, "blood_pressure", pressure(122, 78, "2026-05-20"), newest)
    assert components(fact)["systolic"] == 122
    assert fact.missing == ("a blood pressure that may be newer cannot be used",)


def test_a_reading_after_the_day_of_assessment_is_not_known_yet(knowledge: Knowledge) -> None:
    fact = latest(knowledge, "blood_pressure", pressure(128, 82, "2026-05-01"), pressure(190, 120, "2026-06-02"))
    assert components(fact)["systolic"] == 128


def test_an_undated_reading_is_never_newer_than_a_dated_one(knowledge: Knowledge) -> None:
    dated, undated = pressure(128, 82, "2026-05-01"), pressure(150, 95, None)
    assert components(latest(knowledge, "blood_pressure", undated, dated))["systolic"] == 128
    alone = latest(knowledge, "blood_pressure", undated).value
    assert isinstance(alone, Measurement)
    assert alone.day is None


@pytest.mark.parametrize(
    ("value", "unit", "kilograms"), [(80, "kg", 80), (176, "[lb_av]", 79.832), (176, "lbs", 79.832), (80000, "g", 80)]
)
def test_weight_is_given_in_kilograms(knowledge: Knowledge, value: float, unit: str, kilograms: float) -> None:
    fact = latest(knowledge, "weight", observation("29463-7", value, unit, "2026-05-01"))
    assert components(fact)["value"] == pytest.approx(kilograms, abs=0.001)


def test_observations_that_were_not_read_are_named(knowledge: Knowledge) -> None:
    assert latest(knowledge, "weight", without=("observations",)).missing == ("observations: not retrieved",)


@pytest.mark.parametrize("loose", ["2026", "2026-05"])
def test_a_reading_of_a_year_or_a_month_never_outranks_one_with_a_day(knowledge: Knowledge, loose: str) -> None:
    dated = pressure(172, 104, "2026-05-20")
    fact = latest(knowledge, "blood_pressure", pressure(118, 70, loose), dated)
    assert components(fact)["systolic"] == 172
    assert fact.missing == ("a blood pressure that may be newer cannot be used",)


def test_a_reading_of_an_earlier_year_is_passed_over_in_silence(knowledge: Knowledge) -> None:
    fact = latest(knowledge, "blood_pressure", pressure(190, 99, "2025"), pressure(118, 70, "2026-05-20"))
    assert components(fact)["systolic"] == 118
    assert not fact.missing


def test_a_reading_of_a_year_counts_where_all_others_are_older(knowledge: Knowledge) -> None:
    fact = latest(knowledge, "blood_pressure", pressure(150, 95, "2026"), pressure(118, 70, "2025-05-20"))
    assert components(fact)["systolic"] == 150


VISIT = [
    pressure(168, 98, "2026-05-20T09:00:00Z", id="first"),
    pressure(150, 92, "2026-05-20T09:10:00Z", id="second"),
    pressure(128, 80, "2026-05-20T09:20:00Z", id="third"),
]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_last_reading_of_a_visit_counts_and_not_the_worst(knowledge: Knowledge, order: tuple[int, ...]) -> None:
    fact = latest(knowledge, "blood_pressure", *(VISIT[number] for number in order))
    assert components(fact) == {"diastolic": 80, "systolic": 128}
    assert [evidence.reference for evidence in fact.evidence] == ["Observation/third"]
    assert not fact.missing


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([VISIT[0], VISIT[2], pressure(132, 84, "2026-05-20")], (132, 84)),
        ([VISIT[0], VISIT[2], pressure(126, 92, "2026-05-20")], (128, 92)),
        ([pressure(185, 85, "2026-05-20"), pressure(150, 112, "2026-05-20")], (185, 112)),
        ([VISIT[2], pressure(145, 79, "2026-05-20T09:20:00Z")], (145, 80)),
        ([VISIT[2], pressure(145, 79, "2026-05-20T04:20:00-05:00")], (145, 80)),
        ([pressure(168, 98, "2026-05-19"), pressure(128, 80, "2026-05-20")], (128, 80)),
        ([pressure(168, 98, "2026-05-20T23:30:00-05:00"), pressure(128, 80, "2026-05-21T01:00:00Z")], (168, 98)),
        ([pressure(168, 98, "2026-05-21T01:00:00Z"), pressure(128, 80, "2026-05-20T23:30:00-05:00")], (128, 80)),
        ([pressure(168, 98, "2026-05-20T09:00:00"), pressure(128, 80, "2026-05-20T12:00:00Z")], (168, 98)),
        ([pressure(168, 98, "2026-05-20T09:00:00"), pressure(128, 80, "2026-05-20T12:00:00")], (128, 80)),
    ],
    ids=[
        "a reading without a time may be the last, those known to be earlier are not",
        "of two that may be the last, each component's higher value",
        "no reading is the worst in both components",
        "at the same time",
        "at the same time in another zone",
        "the day before",
        "the later moment has the earlier date",
        "the later moment has the earlier date, and is the lower",
        "a time without a zone cannot be compared",
        "two times without a zone can",
    ],
)
def test_what_may_be_the_last_reading_decides(
    knowledge: Knowledge, readings: list[dict], expected: tuple[int, int]
) -> None:
    for order in (readings, readings[::-1]):
        found = components(latest(knowledge, "blood_pressure", *order))
        assert (found["systolic"], found["diastolic"]) == expected


@pytest.mark.parametrize("encounters", [("Encounter/1", "Encounter/1"), ("Encounter/1", "Encounter/2"), (None, None)])
def test_an_encounter_does_not_change_which_reading_is_the_last(
    knowledge: Knowledge, encounters: tuple[str | None, str | None]
) -> None:
    readings = [
        reading | ({"encounter": {"reference": encounter}} if encounter else {})
        for reading, encounter in zip((VISIT[0], VISIT[2]), encounters, strict=True)
    ]
    assert components(latest(knowledge, "blood_pressure", *readings))["systolic"] == 128


def test_components_that_were_measured_apart_are_read_together(knowledge: Knowledge) -> None:
    systolic = observation("8480-6", 178, "mmHg", "2026-05-20T09:00:00Z", id="s")
    diastolic = observation("8462-4", 84, "mmHg", "2026-05-20T09:00:05Z", id="d")
    fact = latest(knowledge, "blood_pressure", pressure(118, 70, "2026-05-19"), systolic, diastolic)
    assert components(fact) == {"diastolic": 84, "systolic": 178}
    assert {evidence.reference for evidence in fact.evidence} == {"Observation/s", "Observation/d"}


def test_a_component_alone_keeps_the_other_one_of_its_day_and_of_no_other(knowledge: Knowledge) -> None:
    again = observation("8480-6", 138, "mmHg", "2026-05-20T09:30:00Z")
    assert components(latest(knowledge, "blood_pressure", VISIT[0], again)) == {"diastolic": 98, "systolic": 138}
    next_day = observation("8480-6", 138, "mmHg", "2026-05-21T09:30:00Z")
    assert components(latest(knowledge, "blood_pressure", VISIT[0], next_day)) == {"systolic": 138}


def test_components_measured_apart_that_cannot_go_together_are_not_mixed(knowledge: Knowledge) -> None:
    lower = observation("8480-6", 90, "mmHg", "2026-05-20T09:30:00Z")
    assert components(latest(knowledge, "blood_pressure", VISIT[0], lower)) == {"systolic": 90}


def test_components_of_one_moment_the_wrong_way_round_are_passed_over(knowledge: Knowledge) -> None:
    swapped = [
        observation("8480-6", 82, "mmHg", "2026-05-20T09:30:00Z"),
        observation("8462-4", 128, "mmHg", "2026-05-20T09:30:00Z"),
    ]
    fact = latest(knowledge, "blood_pressure", pressure(122, 78, "2026-05-19"), *swapped)
    assert components(fact) == {"diastolic": 78, "systolic": 122}
    assert fact.missing


@pytest.mark.parametrize(
    ("when", "told"), [("2026-05-20T09:30:00Z", True), ("2026-05-20", True), ("2026-05-20T08:00:00Z", False)]
)
def test_an_unreadable_reading_of_a_visit_is_told_unless_a_later_one_can_be_read(
    knowledge: Knowledge, when: str, told: bool
) -> None:
    unreadable = pressure(82, 128, when)
    fact = latest(knowledge, "blood_pressure", *VISIT, unreadable)
    assert components(fact)["systolic"] == 128
    assert bool(fact.missing) is told


READINGS = st.builds(
    VitalReading,
    day=st.builds(
        lambda first, length: DaySpan(date(2026, 5, first), date(2026, 5, first + length)),
        st.integers(1, 20),
        st.sampled_from([0, 0, 0, 6]),
    ),
    moment=st.none() | st.integers(0, 8).map(float),
    zoned=st.booleans(),
    components=st.just({"systolic": 120.0}),
    reference=st.uuids().map(str),
)


@given(readings=st.lists(READINGS, max_size=9))
def test_those_that_none_is_certainly_after_are_found_in_one_pass(readings: list[VitalReading]) -> None:
    slowly = [reading for reading in readings if not any(map(reading.is_before, readings))]
    assert _maximal(readings) == (slowly or readings)


PANEL = {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]}


def named(systolic: dict, diastolic: dict, code: dict | None = None, **values: dict) -> dict:
    """A reading of today under other codes or under words only."""
    reading = pressure(190, 120, "2026-05-25") | {"code": code or {"text": "Blood pressure"}}
    for part, name in zip(reading["component"], (systolic, diastolic), strict=True):
        part["code"] = name
        if values:
            del part["valueQuantity"]
            part.update(values)
    return reading


def in_system(system: str | None, systolic: str, diastolic: str) -> tuple[dict, dict]:
    one, other = ({"coding": [{"system": system, "code": code}]} for code in (systolic, diastolic))
    return one, other


@pytest.mark.parametrize(
    "names",
    [
        in_system("http://loinc.org/", "8480-6", "8462-4"),
        in_system("https://loinc.org", "8480-6", "8462-4"),
        in_system(None, "8480-6", "8462-4"),
        in_system("http://snomed.info/sct", "271649006", "271650006"),
        in_system("http://loinc.org", "76534-7", "76535-4"),
        ({"text": "Systolic blood pressure"}, {"text": "Diastolic blood pressure"}),
        ({"text": "BP systolic"}, {"text": "BP diastolic"}),
        ({"coding": [{"display": "Systolic blood pressure--sitting"}]}, {"text": "DBP"}),
    ],
)
def test_a_reading_is_known_by_other_codes_and_by_its_words(knowledge: Knowledge, names: tuple[dict, dict]) -> None:
    fact = latest(knowledge, "blood_pressure", pressure(120, 80, "2026-05-20"), named(*names))
    assert components(fact) == {"systolic": 190, "diastolic": 120}


@pytest.mark.parametrize(
    "reading",
    [
        named({"text": "first"}, {"text": "second"}, PANEL),
        named({"text": "SBP"}, {"text": "DBP"}, valueInteger=190),
        named({"text": "SBP"}, {"text": "DBP"}, valueRange={"low": {"value": 170}, "high": {"value": 190}}),
        named({"text": "SBP"}, {"text": "DBP"}, valueCodeableConcept={"text": "190"}),
        {**pressure(190, 120, "2026-05-25"), "effectiveDateTime": None},
    ],
    ids=["components that are not known", "bare numbers", "ranges", "concepts", "without a day"],
)
def test_a_reading_that_may_be_newer_and_cannot_be_used_is_told(knowledge: Knowledge, reading: dict) -> None:
    fact = latest(knowledge, "blood_pressure", pressure(120, 80, "2026-05-20"), reading)
    assert fact.missing == ("a blood pressure that may be newer cannot be used",)


@pytest.mark.parametrize(
    "name", ["Blood pressure goal", "Mean blood pressure", "BP location", "Pulmonary artery systolic pressure"]
)
def test_what_is_no_blood_pressure_of_the_arm_is_passed_over(knowledge: Knowledge, name: str) -> None:
    other = {**pressure(190, 120, "2026-05-25"), "code": {"text": name}, "valueString": "130/80"}
    del other["component"]
    assert not latest(knowledge, "blood_pressure", pressure(120, 80, "2026-05-20"), other).missing
