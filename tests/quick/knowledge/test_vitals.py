"""The newest blood pressure and weight that can be believed."""

import pytest

from fhir_plugin.facts.fact import Fact, Measurement
from fhir_plugin.facts.vitals import read_vitals
from mappings.schema.load import Knowledge
from tests.support.knowledge.charts import AS_OF, chart, observation, pressure


def latest(knowledge: Knowledge, name: str, *contents: dict, **inputs: tuple[str, ...]) -> Fact:
    return read_vitals(chart(*contents, **inputs), knowledge, AS_OF).facts()[f"{name}.latest"]


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


@pytest.mark.parametrize("status", ["preliminary", "entered-in-error", "cancelled", "registered"])
def test_a_reading_without_a_final_status_is_no_reading(knowledge: Knowledge, status: str) -> None:
    fact = latest(knowledge, "blood_pressure", pressure(128, 82, "2026-05-01", status=status))
    assert fact.value is None
    assert fact.missing == ("no blood pressure on the record",)


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
