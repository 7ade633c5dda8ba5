"""The cases that stand beside the medication tables, each a patient a pharmacist can read."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import yaml

from fhir_plugin.dates import day_span
from fhir_plugin.facts.medications.trial import Trial
from fhir_plugin.facts.trials import TrialHistory, read_trials
from fhir_plugin.record import InputState
from mappings.medications import FOLDER, load_medications
from tests.medications.records import assessments, record_of, resources

KNOWN = load_medications()
LEAST_CASES = 120
COUNTERS = ("adequate", "failed", "failed_documented", "intolerance", "indeterminate", "augmentation")


def cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in sorted(FOLDER.glob("*.cases.yaml")):
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        found += [case for case in loaded if isinstance(case, dict) and "expect" in case]
    return found


CASES = cases()


def history_of(case: dict[str, Any]) -> TrialHistory:
    states = {name: InputState(state) for name, state in case.get("inputs", {}).items()}
    start = case.get("episode_start", "2025-01-01")
    return read_trials(
        record_of(resources(case), case.get("medications", []), **states),
        KNOWN,
        date.fromisoformat(str(case.get("as_of", "2026-01-01"))),
        assessments=assessments(case),
        episode_start=day_span(str(start)) if start else None,
        policy=case.get("policy"),
    )


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    history = history_of(case)
    expect = case["expect"]
    for name in COUNTERS:
        if name in expect:
            assert getattr(history.counters, name) == expect[name], (name, [t.line for t in history.trials])
    for name, value in expect.get("lifetime", {}).items():
        assert getattr(history.lifetime, name) == value, (name, [t.line for t in history.lifetime_trials])
    found = {trial.ingredient: trial for trial in history.trials}
    for name in expect.get("absent", ()):
        assert name not in found
    for name, wanted in expect.get("trials", {}).items():
        assert name in found, sorted(found)
        check_trial(found[name], wanted)
    check_facts(history, expect)
    if "unmapped" in expect:
        assert [entry.label for entry in history.unmapped] == expect["unmapped"]
    if "episode" in expect:
        assert (history.episode.start.isoformat(), history.episode.source) == tuple(expect["episode"])


def check_trial(trial: Trial, wanted: dict[str, Any]) -> None:
    fields = {
        "adequate": trial.adequate,
        "days": trial.adequate_days,
        "outcome": trial.outcome,
        "dose": trial.highest_daily_dose,
        "minimum": trial.minimum_daily_dose,
        "evidence": trial.evidence_grade,
        "instrument": trial.instrument,
        "start": trial.start.isoformat() if trial.start else None,
        "stop": trial.stop.isoformat() if trial.stop else None,
        "class": trial.drug_class,
    }
    for name, value in wanted.items():
        if name == "flags":
            assert set(value) <= set(trial.flags), trial.line
        elif name == "not_flags":
            assert not set(value) & set(trial.flags), trial.line
        elif name == "because":
            assert value in trial.outcome_because, trial.line
        else:
            expected = str(value) if name in ("start", "stop") and value is not None else value
            assert fields[name] == expected, (name, trial.line)


def check_facts(history: TrialHistory, expect: dict[str, Any]) -> None:
    for name, bounds in expect.get("facts", {}).items():
        fact = history.facts()[name]
        assert [fact.value.low, fact.value.high] == bounds, name  # type: ignore[union-attr]
        assert bool(fact.missing) == (bounds[1] is None)


def test_there_are_enough_cases() -> None:
    names = [case["id"] for case in CASES]
    assert len(names) >= LEAST_CASES
    assert len(names) == len(set(names))
    assert {f"E{number:02d}" for number in range(1, 26)} - {"E19"} <= set(names)
