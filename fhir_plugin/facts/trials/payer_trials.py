"""Failed trials as one payer counts them, from the trials already counted by `counting`.

The minimum doses are those of the default table. Where the duration that a policy requires has not been seen in its
source, only trials that are long enough for every policy count with certainty, and those that are long enough for one
may count. Trials before this episode may count as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fhir_plugin.facts.fact import Count, Evidence, Fact
from fhir_plugin.facts.trials.outcomes import FAILURES, INTOLERANT, OPEN
from fhir_plugin.facts.trials.read import TrialHistory, may_have_failed
from fhir_plugin.facts.trials.trial import Trial
from mappings.schema.load import Knowledge
from mappings.schema.payers.model import OPEN as OPEN_DURATION
from mappings.schema.payers.model import TrialsItem


def failures(item: TrialsItem, history: TrialHistory, knowledge: Knowledge) -> tuple[Fact, str]:
    """The count with its bounds, and one sentence on how it was obtained."""
    policies, words = knowledge.medications.policies, knowledge.dossier.durations
    if item.duration == OPEN_DURATION:
        days = [policy.adequate_days for policy in policies.values()]
        least, most = min(days), max(days)
        how = words["open"].format(least=least, most=most)
    else:
        chosen = policies[item.duration]
        least = most = chosen.adequate_days
        how = words["seen"].format(days=most, label=chosen.label)
    missing = (*history.missing, *history.undated)
    sure = [trial for trial in history.trials if _counts(trial, most, item) and not history.undated]
    perhaps = [trial for trial in (*history.trials, *history.lifetime_trials) if _may_count(trial, least, item)]
    low, high = _number(sure, item), _number([*sure, *perhaps], item)
    shown = {trial.references: trial for trial in (*sure, *perhaps) if trial.references}
    return (
        Fact(
            name="trials.failed",
            value=Count(low=low, high=None if missing else high),
            evidence=tuple(_evidence(trial) for trial in shown.values()),
            missing=missing,
            looked_in=history.looked_in,
        ),
        how,
    )


def _counts(trial: Trial, days: int, item: TrialsItem) -> bool:
    if item.or_intolerance and trial.outcome == INTOLERANT:
        return True
    return trial.outcome in FAILURES and trial.adequate_days >= days


def _may_count(trial: Trial, days: int, item: TrialsItem) -> bool:
    if may_have_failed(trial) or _counts(trial, days, item):
        return True
    return trial.adequate_days >= days and trial.outcome in OPEN


def _number(trials: Sequence[Trial], item: TrialsItem) -> int:
    return len(set(_classes(trials) if item.count == "classes" else (trial.ingredient for trial in trials)))


def _classes(trials: Iterable[Trial]) -> Iterable[str]:
    return (trial.drug_class for trial in trials)


def _evidence(trial: Trial) -> Evidence:
    return Evidence(reference=trial.references[0], label=trial.ingredient, name=trial.ingredient, note=trial.line)
