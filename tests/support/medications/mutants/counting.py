"""Without a rule of runs, episodes and augmentations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from fhir_plugin.facts.days import days, intervals, stretches
from fhir_plugin.facts.trials import counting
from fhir_plugin.facts.trials import read as trials
from mappings.schema.medications import Medications
from tests.support.medications.mutants.registry import mutant, nothing

best_run = intervals.best_run


@mutant
def each_exposure_a_trial(patch: pytest.MonkeyPatch, known: Medications) -> None:
    kept = counting.TrialScope.trials
    patch.setattr(
        counting.TrialScope,
        "trials",
        lambda self: tuple(each for each in kept(self) for _ in range(1 + ("restarted" in each.flags))),
    )


@mutant
def half_the_minimum_suffices(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(stretches, "ADEQUATE_RATIO", 0.4)


@mutant
def milligrams_of_two_forms_added(patch: pytest.MonkeyPatch, known: Medications) -> None:
    def by_milligrams(pieces: Any, flags: Any) -> Any:
        return [replace(each, ratio=each.mg / each.minimum) for each in stretches.summed(pieces, flags)]

    patch.setattr(days, "summed", by_milligrams)


@mutant
def holes_are_counted(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(
        counting, "best_run", lambda found, first, last, gap: best_run(
            intervals.joined(found, gap), first, last, gap
        )
    )  # fmt: skip


@mutant
def all_days_count_for_the_episode(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(counting, "best_run", lambda found, first, last, gap: best_run(found, 1, last, gap))


@mutant
def lifetime_is_the_episode(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(trials.TrialHistory, "lifetime", trials.TrialHistory.counters)


@mutant
def lookback_not_flagged(patch: pytest.MonkeyPatch, known: Medications) -> None:
    kept = counting.TrialScope

    def scope(*each: Any) -> Any:
        return kept(*each[:-1], ())

    patch.setattr(trials, "TrialScope", scope)


@mutant
def agents_not_beside_the_antidepressant(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(counting, "intersection", lambda first, second: list(first))


@mutant
def agents_alone_augment(patch: pytest.MonkeyPatch, known: Medications) -> None:
    def length(first: Sequence[tuple[int, int]], second: Sequence[tuple[int, int]]) -> int:
        return sum(stop - start for start, stop in first)

    patch.setattr(counting, "overlap", length)


@mutant
def agents_below_their_range_augment(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(Medications, "augmentation_minimum", nothing)


@mutant
def augmentations_are_never_trials(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(counting.TrialScope, "_counted_augmentations", lambda self: [])
