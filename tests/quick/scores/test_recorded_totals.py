"""Totals that servers record: under the code of the panel, with LOINC by any address, and contradictory ones."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from fhir_plugin.facts.fact import Measurement, Presence
from fhir_plugin.facts.scores.read import ScoreHistory, read_scores
from fhir_plugin.record.decoding import record_from_bundle
from tests.support.shipped import shipped

INSTRUMENTS = shipped().instruments
ADDRESSES = [
    "http://loinc.org",
    "https://loinc.org",
    "http://loinc.org/",
    "http://www.loinc.org",
    "LOINC",
    "urn:oid:2.16.840.1.113883.6.1",
    "2.16.840.1.113883.6.1",
]


def observation(
    code: str, when: str = "2026-11-20T10:00:00Z", system: str = ADDRESSES[0], **value: Any
) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": when,
        "code": {"coding": [{"system": system, "code": code}]},
        **value,
    }


def history(*observations: dict[str, Any]) -> ScoreHistory:
    entries = [{"resource": {**body, "id": f"o{place}"}} for place, body in enumerate(observations)]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    return read_scores(record_from_bundle(json.dumps(bundle).encode()), INSTRUMENTS, date(2026, 11, 27))


def latest(found: ScoreHistory, instrument: str = "phq9") -> float | None:
    value = found.facts()[f"scores.{instrument}.latest"].value
    return next(iter(value.components.values())) if isinstance(value, Measurement) else None


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("code", ["44249-1", "44261-6"])
@pytest.mark.parametrize("value", [{"valueInteger": 17}, {"valueQuantity": {"value": 17, "unit": "{score}"}}])
def test_a_total_under_either_code(code: str, value: dict[str, Any], address: str) -> None:
    assert latest(history(observation(code, system=address, **value))) == 17


def test_a_panel_of_another_system_is_no_total() -> None:
    assert not history(observation("44249-1", system="http://example.org", valueInteger=17)).assessments


@pytest.mark.parametrize(
    "value",
    [{"valueString": "moderately severe"}, {"valueCodeableConcept": {"text": "moderate"}}, {"valueInteger": 31}],
)
def test_a_panel_whose_value_cannot_be_read_is_on_the_record(value: dict[str, Any]) -> None:
    found = history(observation("44249-1", **value))
    assert [entry.usable for entry in found.assessments] == [False]
    assert found.facts()["scores.phq9.latest"].missing == ("PHQ-9: no completed assessment could be scored",)


@pytest.mark.parametrize(
    ("value", "many"),
    [({}, 2), ({"valueCodeableConcept": {}}, 2), ({"dataAbsentReason": {"coding": [{"code": "not-performed"}]}}, 1)],
    ids=["lost", "empty", "not asked"],
)
@pytest.mark.parametrize("code", ["44261-6", "44260-8"], ids=["total", "suicide item"])
def test_a_value_that_was_lost_leaves_an_assessment_that_cannot_be_scored(
    code: str, value: dict[str, Any], many: int
) -> None:
    found = history(observation("44261-6", "2026-11-01", valueInteger=4), observation(code, **value))
    assert len(found.assessments) == many
    assert bool(found.facts()["scores.phq9.latest"].missing) is (many > 1)


def test_a_suicide_item_that_lost_its_answer_is_a_possible_signal() -> None:
    lost, worded = observation("44260-8"), observation("44260-8", valueCodeableConcept={"text": "Nearly every day"})
    found = history(observation("44260-8", "2026-11-01", valueInteger=0), lost).facts()["suicide.signal"].value
    assert isinstance(found, Presence)
    assert found.possible
    told = history(worded).facts()["suicide.signal"].value
    assert isinstance(told, Presence)
    assert told.current


def test_words_on_a_panel_do_not_spoil_its_total() -> None:
    component = {"code": {"coding": [{"system": ADDRESSES[0], "code": "44261-6"}]}, "valueInteger": 17}
    assert latest(history(observation("44249-1", valueString="see total", component=[component]))) == 17


def test_a_risk_level_under_the_code_of_the_panel() -> None:
    level = {"coding": [{"system": ADDRESSES[1], "code": "LA9193-9"}]}
    found = history(observation("93373-9", valueCodeableConcept=level))
    assert [entry.severity for entry in found.assessments] == ["high"]


@pytest.mark.parametrize("when", ["2026-11-20T10:00:00Z", "2026-11-20"])
@pytest.mark.parametrize("totals", [(3, 18), (18, 3)])
@pytest.mark.parametrize("codes", [("44261-6", "44261-6"), ("44249-1", "44261-6")])
def test_of_two_contradictory_totals_of_one_time_the_higher_stands(
    totals: tuple[int, int], codes: tuple[str, str], when: str
) -> None:
    found = history(*(observation(code, when, valueInteger=total) for code, total in zip(codes, totals, strict=True)))
    assert latest(found) == 18
    assert "contradictory_total:3" in found.assessments[-1].flags
    assert "3" in found.facts()["scores.phq9.latest"].evidence[0].note


def test_contradictory_levels_of_one_time() -> None:
    levels = [{"coding": [{"system": ADDRESSES[0], "code": code}]} for code in ("LA9194-7", "LA9193-9")]
    found = history(*(observation("93374-7", valueCodeableConcept=level) for level in levels))
    assert (found.assessments[-1].severity, found.assessments[-1].suicide_item_positive) == ("high", True)


def test_two_totals_of_two_times_do_not_contradict_each_other() -> None:
    found = history(
        observation("44261-6", "2026-11-20T09:00:00Z", valueInteger=18),
        observation("44261-6", "2026-11-20T16:00:00Z", valueInteger=12),
    )
    assert (latest(found), found.assessments[-1].flags) == (12, ("total_as_recorded",))


@pytest.mark.parametrize(
    "name", ["PHQ-9 total score", "PHQ9 score", "PHQ-9", "Total: see note", "PHQ-9 follow-up plan"]
)
def test_a_total_under_the_name_of_the_instrument(name: str) -> None:
    entry = observation("", valueQuantity={"value": 22}) | {"code": {"text": name}}
    assessments = history(entry).assessments
    assert [(found.instrument, found.total) for found in assessments] == (
        [("phq9", 22)] if name.startswith("PHQ") and "plan" not in name else []
    )
