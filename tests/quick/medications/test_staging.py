"""The two staging methods: known parts, open parts, and never a guess between them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from fhir_plugin.facts.trials.read import read_trials
from fhir_plugin.facts.trials.staging import StagedDepression, read_staging
from fhir_plugin.record.dates import day_span
from tests.support.medications.records import record_of, resources
from tests.support.shipped import shipped

KNOWN = shipped().medications
AS_OF = date(2026, 1, 1)


def failed(rxnorm: int, start: str, supply: int = 60) -> dict[str, Any]:
    short = {"rxnorm": rxnorm, "sig": "3 tablets daily", "start": start, "supply": supply, "status": "stopped"}
    return {"order": short | {"valid_until": "2025-12-01", "reason": "lack of efficacy"}}


def staged(records: list[dict[str, Any]], episode: str | None = "2025-01-01") -> StagedDepression:
    record = record_of(resources({"records": records}))
    history = read_trials(record, KNOWN, AS_OF, episode_start=day_span(episode))
    return read_staging(record, history, KNOWN, AS_OF)


SERTRALINE, VENLAFAXINE, AMITRIPTYLINE, PHENELZINE = 312941, 313586, 856845, 312347
SEVERE = {"condition": {"icd10": "F33.2", "onset": "2025-01-01"}}
OTHER_PROCEDURE = {"procedure": {"cpt": "99213", "day": "2025-03-01"}}
ECT = {"procedure": {"cpt": "90870", "day": "2025-11-01"}}


def test_maudsley_with_every_part_known() -> None:
    method = staged([failed(SERTRALINE, "2025-02-01"), SEVERE, ECT]).maudsley
    points = {part.name: part.points for part in method.parts}
    assert points == {"duration": 1, "severity": 4, "treatment failures": 1, "augmentation": 0, "ECT": 1}
    assert (method.total, method.band) == (7, "moderate")


def test_maudsley_stays_partial_when_a_part_is_open() -> None:
    method = staged([failed(SERTRALINE, "2025-02-01"), OTHER_PROCEDURE]).maudsley
    assert {part.name for part in method.parts if part.points is None} == {"severity"}
    assert (method.total, method.band, method.lowest, method.highest) == (None, None, 3, 7)


def test_an_empty_list_of_procedures_does_not_exclude_ect() -> None:
    method = staged([failed(SERTRALINE, "2025-02-01"), SEVERE]).maudsley
    assert next(part.points for part in method.parts if part.name == "ECT") is None


@pytest.mark.parametrize(
    ("start", "points"), [("2025-01-01", 1), ("2024-12-31", 2), ("2024-01-01", 2), ("2023-12-31", 3)]
)
def test_duration_in_months(start: str, points: int) -> None:
    method = staged([], start).maudsley
    assert next(part.points for part in method.parts if part.name == "duration") == points


@pytest.mark.parametrize(
    ("drugs", "stage", "at_least"),
    [
        ((), "0", "0"),
        ((SERTRALINE,), "I", "I"),
        ((SERTRALINE, VENLAFAXINE), "II", "II"),
        ((SERTRALINE, AMITRIPTYLINE), "III", "III"),
        ((SERTRALINE, AMITRIPTYLINE, PHENELZINE), None, "IV"),
    ],
)
def test_thase_rush(drugs: tuple[int, ...], stage: str | None, at_least: str) -> None:
    none_failed = {"order": {"rxnorm": 312940, "sig": "1 tablet daily", "start": "2025-02-01", "supply": 10}}
    method = staged([failed(drug, "2025-02-01") for drug in drugs] or [none_failed]).thase_rush
    assert (method.stage, method.at_least) == (stage, at_least)


def test_an_open_trial_leaves_the_stage_open() -> None:
    unclear = {"order": {"rxnorm": VENLAFAXINE, "sig": "as directed", "start": "2025-06-01", "supply": 60}}
    method = staged([failed(SERTRALINE, "2025-02-01"), unclear]).thase_rush
    assert (method.stage, method.at_least) == (None, "I")
