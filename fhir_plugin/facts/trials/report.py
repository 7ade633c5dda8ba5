"""The trials of a patient as one document: counters, then the trials, then the basis of the counting."""

from __future__ import annotations

from typing import Any

import msgspec

from fhir_plugin.facts.trials.read import TrialHistory
from fhir_plugin.facts.trials.staging import StagedDepression
from fhir_plugin.facts.trials.trial import Trial
from mappings.schema.medications import Medications

_SHOWN = (
    "ingredient",
    "class",
    "start",
    "stop",
    "adequate_days",
    "highest_daily_dose",
    "minimum_daily_dose",
    "unit",
    "instrument",
    "adequate",
    "outcome",
    "outcome_because",
    "evidence_grade",
    "references",
    "flags",
)


def trial_document(history: TrialHistory, staged: StagedDepression, medications: Medications) -> dict[str, Any]:
    """The document as JSON types; dates are ISO strings."""
    counters = msgspec.to_builtins(history.counters)
    lifetime = msgspec.to_builtins(history.lifetime)
    bounds = {name: msgspec.to_builtins(fact.value) for name, fact in history.facts().items()}
    return {
        **counters,
        "lifetime": {**lifetime, "trials": [shown_trial(trial) for trial in history.lifetime_trials]},
        "trials": [shown_trial(trial) for trial in history.trials],
        "augmentations": msgspec.to_builtins(history.augmentations),
        "unmapped": [entry._asdict() for entry in history.unmapped],
        "bounds": bounds,
        "episode": {"start": history.episode.start.isoformat(), "source": history.episode.source},
        "parameters": {
            "policy": history.policy,
            "adequate_days": history.adequate_days_required,
            **{name: msgspec.to_builtins(dict(entry)) for name, entry in medications.parameters.items()},
        },
        "staging": msgspec.to_builtins(staged),
        "missing": list(history.missing),
        "looked_in": list(history.looked_in),
    }


def trial_lines(history: TrialHistory, staged: StagedDepression) -> list[str]:
    """The document as text: a line of counters, a line per trial, a line per staging method."""
    counters = history.counters
    shown = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in msgspec.to_builtins(counters).items())
    lines = [f"Episode from {history.episode.start} ({history.episode.source}), policy {history.policy}: {shown}"]
    lines += [trial.line for trial in history.trials]
    for added in history.augmentations:
        certainty = "added" if added.certain else "perhaps added"
        lines.append(f"{added.ingredient}: {certainty} on {added.start}")
    lines += [f"not recognised: {entry.label} ({entry.reference})" for entry in history.unmapped]
    lines += [f"missing: {gap}" for gap in history.missing]
    return [*lines, *_staging_lines(staged)]


def shown_trial(trial: Trial) -> dict[str, Any]:
    """One trial as JSON types, with its public fields."""
    fields = msgspec.to_builtins(trial)
    return {name: fields[name] for name in _SHOWN}


def _staging_lines(staged: StagedDepression) -> list[str]:
    maudsley, thase_rush = staged.maudsley, staged.thase_rush
    if maudsley.total is None:
        score = f"between {maudsley.lowest} and {maudsley.highest}"
    else:
        score = f"{maudsley.total} ({maudsley.band})"
    parts = ", ".join(f"{p.name} {p.points if p.points is not None else 'open'} ({p.because})" for p in maudsley.parts)
    stage = thase_rush.stage if thase_rush.stage is not None else f"at least {thase_rush.at_least}"
    return [
        f"Maudsley Staging Method [{maudsley.verification}]: {score}; {parts}; {maudsley.note}",
        f"Thase and Rush [{thase_rush.verification}]: stage {stage}; {thase_rush.note}",
    ]
