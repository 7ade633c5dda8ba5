"""Drug tests, laboratory numbers and answers that only make something possible."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fhir_plugin.facts.fact import Fact, Measurement, Presence
from fhir_plugin.facts.read import read_facts
from mappings.schema.load import Knowledge
from tests.support.knowledge.charts import AS_OF, chart, observation, patient
from tests.support.scores.responses import response

LOINC = "http://loinc.org"


def drug_test(code: dict[str, Any], when: str = "2026-05-20", **value: Any) -> dict[str, Any]:
    content = observation("", 0, "", when, id="u1")
    del content["valueQuantity"]
    return content | {"code": code} | value


def facts(knowledge: Knowledge, *contents: dict[str, Any]) -> dict[str, Fact]:
    return dict(read_facts(chart(patient(), *contents), knowledge, AS_OF).named)


def result(knowledge: Knowledge, content: dict[str, Any]) -> str:
    """``positive``, ``unclear`` or ``none``."""
    named = facts(knowledge, content)
    value = named["tests.drug_screen"].value
    assert isinstance(value, Presence)
    found = "positive" if value.current else "unclear" if value.possible else "none"
    screened = named["screens.substance_use"].value
    assert isinstance(screened, Presence)
    assert not screened.current
    assert bool(screened.possible) is (found != "none")
    return found


WORDS = {"text": "Urine drug screen"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("POSITIVE: methamphetamine, THC", "positive"),
        ("positive", "positive"),
        ("Amphetamines: Pos", "positive"),
        ("Cocaine detected", "positive"),
        ("Negative for opiates; positive for benzodiazepines", "positive"),
        ("presumptive positive", "positive"),
        ("Negative", "none"),
        ("All negative", "none"),
        ("None detected", "none"),
        ("Not detected", "none"),
        ("not positive", "unclear"),
        ("see report", "unclear"),
    ],
)
def test_a_drug_test_in_words(knowledge: Knowledge, text: str, expected: str) -> None:
    assert result(knowledge, drug_test(WORDS, valueString=text)) == expected
    assert result(knowledge, drug_test(WORDS, valueCodeableConcept={"text": text})) == expected


@pytest.mark.parametrize(
    "name", ["UDS", "Urine Drug Screen, 10 panel", "Drugs of abuse panel", "Toxicology screen, urine"]
)
def test_a_drug_test_by_its_name(knowledge: Knowledge, name: str) -> None:
    assert result(knowledge, drug_test({"text": name}, valueString="positive")) == "positive"


@pytest.mark.parametrize("name", ["Drug level", "Tox consult", "Udson score", "Screen for diabetes"])
def test_another_test_by_its_name(knowledge: Knowledge, name: str) -> None:
    assert result(knowledge, drug_test({"text": name}, valueString="positive")) == "none"


@pytest.mark.parametrize("system", [LOINC, "https://loinc.org/", "urn:oid:2.16.840.1.113883.6.1"])
@pytest.mark.parametrize("code", ["3397-7", "18282-4", "19659-2", "65750-2"])
def test_a_drug_test_by_its_code(knowledge: Knowledge, code: str, system: str) -> None:
    coded = {"coding": [{"system": system, "code": code}]}
    positive = {"coding": [{"system": "http://snomed.info/sct", "code": "10828004"}]}
    assert result(knowledge, drug_test(coded, valueCodeableConcept=positive)) == "positive"
    assert result(knowledge, drug_test(coded, valueBoolean=True)) == "positive"
    assert result(knowledge, drug_test(coded, valueBoolean=False)) == "none"


def test_a_panel_with_its_results_in_components_or_in_members(knowledge: Knowledge) -> None:
    panel = {"coding": [{"system": LOINC, "code": "65750-2"}]}
    parts = [{"code": {"text": name}, "valueString": word} for name, word in (("THC", "negative"), ("COC", "positive"))]
    assert result(knowledge, drug_test(panel, component=parts)) == "positive"
    assert result(knowledge, drug_test(panel, component=parts[:1])) == "none"
    assert result(knowledge, drug_test(panel, hasMember=[{"reference": "Observation/u2"}])) == "none"


def test_a_result_that_is_not_final_is_open(knowledge: Knowledge) -> None:
    assert result(knowledge, drug_test(WORDS, valueString="negative", status="preliminary")) == "unclear"
    assert result(knowledge, drug_test(WORDS, valueString="positive", status="entered-in-error")) == "none"


@pytest.mark.parametrize(
    ("form", "screen", "answers", "missing"),
    [
        ("tms_safety", "tms_heart", [0, 0, 0, 0, None, 0, 0, 0], ("the last TMS safety screen lacks an answer",)),
        ("tms_safety", "tms_heart", [0, 0, 0, 0, 0, None, 0, 0], ()),
        ("tms_safety", "tms_heart", [0] * 8, ()),
        ("asrm", "mania", [1, None, 1, 1, 1], ("the last ASRM lacks an answer",)),
        ("asrm", "mania", [1, 1, 1, 1, 1], ()),
    ],
)
def test_an_answer_that_is_missing_may_have_been_a_yes(
    knowledge: Knowledge, form: str, screen: str, answers: list[int | None], missing: tuple[str, ...]
) -> None:
    instrument = knowledge.instruments[form]
    made = json.loads(response(knowledge.instruments, instrument, answers, authored="2026-05-20"))
    assert facts(knowledge, made)[f"screens.{screen}"].missing == missing


# Laboratory numbers


def number(knowledge: Knowledge, *contents: dict[str, Any], test: str = "bilirubin") -> Fact:
    return facts(knowledge, *contents)[f"labs.{test}.latest"]


def value_of(fact: Fact) -> float | None:
    return round(fact.value.components["value"], 2) if isinstance(fact.value, Measurement) else None


@pytest.mark.parametrize(
    ("code", "value", "unit", "test", "expected"),
    [
        ("1975-2", 6.1, "mg/dL", "bilirubin", 6.1),
        ("14631-6", 104, "umol/L", "bilirubin", 6.08),
        ("1751-7", 21, "g/L", "albumin", 2.1),
        ("6301-6", 2.4, "", "inr", 2.4),
        ("34714-6", 2.4, "{INR}", "inr", 2.4),
        ("14334-7", 0.8, "mmol/L", "lithium", 0.8),
        ("2951-2", 131, "mEq/L", "sodium", 131),
        ("3016-3", 0.02, "mIU/L", "tsh", 0.02),
        ("1742-6", 88, "U/L", "alt", 88),
        ("98979-8", 28, "mL/min/{1.73_m2}", "egfr", 28),
        ("1975-2", 6.1, "", "bilirubin", None),
        ("1975-2", 610, "mg/dL", "bilirubin", None),
        ("14334-7", 0.8, "mg/dL", "lithium", None),
    ],
)
def test_a_number_with_its_unit(
    knowledge: Knowledge, code: str, value: float, unit: str, test: str, expected: float | None
) -> None:
    fact = number(knowledge, observation(code, value, unit, "2026-05-20"), test=test)
    assert value_of(fact) == expected
    assert bool(fact.missing) is (expected is None)
    assert not fact.absent


def test_the_newest_number_counts_and_one_that_may_be_newer_is_a_gap(knowledge: Knowledge) -> None:
    old, new = observation("2951-2", 138, "mmol/L", "2026-05-01"), observation("2951-2", 129, "mmol/L", "2026-05-20")
    assert value_of(number(knowledge, new | {"id": "a"}, old | {"id": "b"}, test="sodium")) == 129
    later = observation("2951-2", 140, "furlongs", "2026-05-25") | {"id": "c"}
    fact = number(knowledge, new | {"id": "a"}, later, test="sodium")
    assert (value_of(fact), len(fact.missing)) == (129, 1)
    earlier = observation("2951-2", 140, "furlongs", "2026-05-02") | {"id": "c"}
    assert not number(knowledge, new | {"id": "a"}, earlier, test="sodium").missing
    undated = observation("2951-2", 140, "mmol/L", "2026-05-25") | {"id": "c", "effectiveDateTime": None}
    assert number(knowledge, new | {"id": "a"}, undated, test="sodium").missing


def test_the_reference_range_goes_with_the_number(knowledge: Knowledge) -> None:
    limits = [{"low": {"value": 0.2}, "high": {"value": 1.2}}]
    fact = number(knowledge, observation("1975-2", 6.1, "mg/dL", "2026-05-20") | {"referenceRange": limits})
    assert [entry.label for entry in fact.evidence] == ["6.1 mg/dL (0.2-1.2)"]


def test_no_number_is_a_question_and_an_unread_list_a_gap(knowledge: Knowledge) -> None:
    assert facts(knowledge)["labs.sodium.latest"].absent
    unread = read_facts(chart(patient(), without=("observations",)), knowledge, AS_OF).named["labs.sodium.latest"]
    assert (unread.value, unread.absent, unread.unread) == (None, False, ("observations",))


def test_a_comparator_or_a_preliminary_status_is_no_number(knowledge: Knowledge) -> None:
    content = observation("2951-2", 120, "mmol/L", "2026-05-20")
    below = content | {"valueQuantity": content["valueQuantity"] | {"comparator": "<"}}
    for unusable in (below, content | {"status": "preliminary"}):
        assert number(knowledge, unusable, test="sodium").missing
