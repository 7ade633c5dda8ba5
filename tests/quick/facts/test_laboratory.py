"""Pregnancy by tests, by an amount of hCG and by an answer; what later results do to earlier ones."""

from datetime import timedelta
from typing import Any

import pytest

from fhir_plugin.facts.fact import Fact, Presence
from fhir_plugin.facts.observations.laboratory import read_laboratory
from fhir_plugin.facts.observations.sorting import sort_observations
from mappings.schema.load import Knowledge
from tests.support.knowledge.charts import AS_OF, SCT, chart

LOINC = "http://loinc.org"


def result(code: str, days_ago: int = 3, **value: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"{code}-{days_ago}",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "effectiveDateTime": (AS_OF - timedelta(days=days_ago)).isoformat(),
    } | value


def coded(code: str, system: str = SCT) -> dict[str, Any]:
    return {"valueCodeableConcept": {"coding": [{"system": system, "code": code}]}}


def amount(value: float, unit: str = "mIU/mL", **more: Any) -> dict[str, Any]:
    return {"valueQuantity": {"value": value, "unit": unit} | more}


def fact(knowledge: Knowledge, name: str, *contents: dict[str, Any]) -> Fact:
    record = chart(*contents)
    return read_laboratory(record, sort_observations(record, knowledge), knowledge, AS_OF)[f"tests.{name}"]


def places(found: Fact) -> list[str]:
    assert isinstance(found.value, Presence)
    return [name for name in ("current", "past", "possible") if getattr(found.value, name)]


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (coded("77386006"), ["current"]),
        (coded("60001007"), []),
        (coded("261665006"), ["possible"]),
        (coded("LA15173-0", LOINC), ["current"]),
        (coded("LA26683-5", LOINC), []),
        (coded("LA4489-6", LOINC), ["possible"]),
        ({"valueBoolean": True}, ["current"]),
        ({"valueBoolean": False}, []),
        ({"valueString": "Pregnant"}, ["current"]),
        ({}, ["possible"]),
    ],
)
def test_the_pregnancy_status_is_an_answer(knowledge: Knowledge, value: dict[str, Any], place: list[str]) -> None:
    assert places(fact(knowledge, "pregnancy", result("82810-3", **value))) == place


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (amount(24_000), ["current"]),
        (amount(26), ["current"]),
        (amount(25), ["possible"]),
        (amount(5), ["possible"]),
        (amount(4.9), []),
        (amount(5, comparator="<"), []),
        (amount(30, comparator="<"), ["possible"]),
        (amount(25, comparator=">"), ["current"]),
        (amount(2, comparator=">"), ["possible"]),
        (amount(24, unit="IU/L"), ["possible"]),
        (amount(24_000, unit="{score}"), ["possible"]),
        (amount(24_000, unit=""), ["possible"]),
        (amount(2, unit="ng/mL"), ["possible"]),
    ],
)
def test_an_amount_of_hcg_is_read_by_its_unit(knowledge: Knowledge, value: dict[str, Any], place: list[str]) -> None:
    assert places(fact(knowledge, "pregnancy", result("21198-7", **value))) == place


@pytest.mark.parametrize(
    ("first", "then", "place"),
    [
        (result("2106-3", 10, **coded("10828004")), result("2106-3", 0, **coded("260385009")), ["possible"]),
        (result("2106-3", 10, **coded("10828004")), result("82810-3", 0, **coded("60001007")), ["possible"]),
        (result("21198-7", 40, **amount(900)), result("21198-7", 10, **amount(1)), ["possible"]),
        (result("21198-7", 41, **amount(900)), result("21198-7", 10, **amount(1)), ["past"]),
        (result("2106-3", 10, **coded("260385009")), result("2106-3", 0, **coded("10828004")), ["current"]),
        (result("82810-3", 200, **coded("77386006")), result("82810-3", 5, **coded("60001007")), ["past"]),
    ],
    ids=["two tests", "a test and an answer", "30 days apart", "31 days apart", "the other way round", "delivered"],
)
def test_a_later_negative_result_contradicts_a_positive_one_before_it_supersedes_it(
    knowledge: Knowledge, first: dict[str, Any], then: dict[str, Any], place: list[str]
) -> None:
    found = fact(knowledge, "pregnancy", first, then)
    assert places(found) == place
    contradictory = knowledge.wording.entries["contradictory_tests"]
    assert isinstance(found.value, Presence)
    assert any(entry.note == contradictory for entry in found.value.possible) is (place == ["possible"])


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (coded("413712001"), ["current"]),
        (coded("LA29252-6", LOINC), ["current"]),
        (coded("LA29253-4", LOINC), []),
        (coded("169750002"), ["possible"]),
    ],
)
def test_breastfeeding_is_an_answer(knowledge: Knowledge, value: dict[str, Any], place: list[str]) -> None:
    assert places(fact(knowledge, "breastfeeding_status", result("63895-7", **value))) == place


def finding(name: str, **value: Any) -> dict[str, Any]:
    """A result of three days ago under a name instead of a code."""
    return result("", **value) | {"code": {"text": name}}


@pytest.mark.parametrize(
    ("test", "entry", "place"),
    [
        ("pregnancy", finding("Urine pregnancy test", valueString="POSITIVE"), ["current"]),
        ("pregnancy", finding("beta hCG quant", valueQuantity={"value": 8500, "unit": "mIU/mL"}), ["current"]),
        ("pregnancy", finding("hCG tumor marker", valueString="POSITIVE"), []),
        ("pregnancy", result("11778-8", valueDateTime=(AS_OF + timedelta(days=100)).isoformat()), ["current"]),
        ("pregnancy", result("11778-8", valueDateTime=(AS_OF - timedelta(days=1)).isoformat()), []),
        ("drug_screen", finding("Fentanyl, urine screen", valueString="POSITIVE"), ["current"]),
        ("suicide_finding", finding("Suicidal ideation", valueString="Present, with plan"), ["current"]),
        ("suicide_finding", finding("Suicidal ideation", valueBoolean=True), ["current"]),
        ("suicide_finding", finding("C-SSRS risk level", valueString="Low risk"), ["possible"]),
        ("suicide_finding", finding("Suicidal ideation", valueString="Denies"), []),
        ("suicide_finding", finding("Suicide prevention education", valueString="yes"), []),
    ],
)
def test_a_test_is_known_by_its_name_and_a_due_date_to_come_is_a_pregnancy(
    knowledge: Knowledge, test: str, entry: dict[str, Any], place: list[str]
) -> None:
    assert places(fact(knowledge, test, entry)) == place
