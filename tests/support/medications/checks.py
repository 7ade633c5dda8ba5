"""Holds what is read of a case against what the case expects."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date
from typing import Any

from fhir_plugin.facts.medications.intakes import milligrams
from fhir_plugin.facts.medications.sigs import read_sig
from fhir_plugin.facts.medications.sigs.stages import Sig
from fhir_plugin.facts.trials.read import TrialHistory, read_trials
from fhir_plugin.facts.trials.trial import Trial
from fhir_plugin.record.dates import day_span
from fhir_plugin.record.record import InputState
from mappings.schema.medications import FOLDER, Medications, ProductPart
from tests.support.medications.records import assessments, record_of, resources
from tests.support.shipped import load_yaml

COUNTERS = ("adequate", "failed", "failed_documented", "intolerance", "indeterminate", "augmentation")


def cases() -> dict[str, dict[str, Any]]:
    """Every case beside the tables, by the first word of its id."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(FOLDER.glob("*.cases.yaml")):
        for case in load_yaml(path):
            if isinstance(case, dict) and "expect" in case:
                name = case["id"].split()[0]
                assert name not in found, name
                found[name] = case
    return found


def history_of(case: Mapping[str, Any], known: Medications) -> TrialHistory:
    states = {name: InputState(state) for name, state in case.get("inputs", {}).items()}
    start = case.get("episode_start", "2025-01-01")
    return read_trials(
        record_of(resources(case), case.get("medications", []), **states),
        with_parameters(known, case.get("parameters", {})),
        date.fromisoformat(str(case.get("as_of", "2026-01-01"))),
        assessments=assessments(case),
        episode_start=day_span(str(start)) if start else None,
        policy=case.get("policy"),
    )


def with_parameters(known: Medications, values: Mapping[str, float]) -> Medications:
    """The knowledge of a site that has set some numbers itself."""
    if not values:
        return known
    changed = {name: known.parameters[name].model_copy(update={"value": value}) for name, value in values.items()}
    return dataclasses.replace(known, parameters={**known.parameters, **changed})


def check(case: Mapping[str, Any], known: Medications) -> None:
    """Raises ``AssertionError`` where the case does not come out as it says."""
    history = history_of(case, known)
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


def sigs() -> list[tuple[str, str, Any]]:
    """The corpus of text sigs: strength, sig, phases."""
    corpus = load_yaml(FOLDER / "sigs.cases.yaml")
    return [tuple(row) for row in corpus["sigs"]]


def check_sig(strength: str, text: str, expected: Any, known: Medications) -> None:
    """Raises ``AssertionError`` where a sig is not read as the corpus says."""
    sig = read_sig(text, known)
    if expected == "prn":
        assert sig is not None
        assert sig.prn
        return
    if expected == "restricted":
        assert sig is not None
        assert sig.restricted
        return
    read = phases_of(sig, part_of(strength), known) if sig is not None and not sig.prn else None
    assert read == (None if expected == "unknown" else expected)


def part_of(strength: str) -> ProductPart:
    value, _, per = strength.partition("/")
    return ProductPart("drug", float(value), f"MG/{per.upper()}" if per else "MG")


def phases_of(sig: Sig, part: ProductPart, known: Medications) -> list[list[float | None]] | None:
    found: list[list[float | None]] = []
    for phase in sig.phases:
        total = 0.0
        for intake in phase.intakes:
            mg = milligrams(intake, part, known.parameters["dose_disagreement"].value).mg
            if mg is None:
                return None
            total += mg * intake.per_day
        found.append([round(total, 6), phase.days])
    return found
