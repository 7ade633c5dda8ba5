"""Without a rule of how a trial ended, or of when the episode began."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_plugin.facts.days import days as day_maps
from fhir_plugin.facts.medications import histories, indications, reasons, supply
from fhir_plugin.facts.trials import changes, counting, episodes, outcomes
from fhir_plugin.facts.trials import read as trials
from mappings.schema.medications import Medications
from tests.support.medications.mutants.registry import mutant, nothing


@mutant
def scores_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(outcomes, "_by_scores", nothing)


@mutant
def changes_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(outcomes, "_by_change", nothing)


@mutant
def failing_while_taken_not_seen(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(outcomes, "_failing", nothing)


@mutant
def reasons_not_read(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(histories, "meanings", lambda reasons, notes, known: frozenset())


@mutant
def notes_not_read(patch: pytest.MonkeyPatch, known: Medications) -> None:
    kept = histories.meanings
    patch.setattr(histories, "meanings", lambda reasons, notes, known: kept(reasons, (), known))


@mutant
def denials_not_heard(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(reasons, "_denied", lambda before, denials: False)


@mutant
def allergies_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(counting, "allergies_of", lambda record, known: [])


@mutant
def intolerance_before_efficacy(patch: pytest.MonkeyPatch, known: Medications) -> None:
    kept = counting.outcome_of

    def judge(course: Any, *rest: Any) -> Any:
        if "intolerance" in course.meanings:
            course = course._replace(meanings=course.meanings - {"no_efficacy"})
        return kept(course, *rest)

    patch.setattr(counting, "outcome_of", judge)


@mutant
def a_hypnotic_is_a_switch(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(changes, "_is_switch", lambda drug, start, stop, known: drug.begins(start, stop))


@mutant
def an_antidepressant_is_no_switch(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(changes, "_is_switch", lambda drug, start, stop, known: False)


@mutant
def inference_counts_as_documented(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(trials, "PRESUMED", "nothing")


@mutant
def failure_needs_no_adequacy(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(trials, "has_failed", lambda trial: trial.outcome in outcomes.FAILURES)


@mutant
def gaps_are_not_told(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(trials, "_missing", lambda record, history: ())


@mutant
def enantiomers_not_flagged(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(counting, "_ENANTIOMERS", frozenset(("nobody",)))


@mutant
def diagnosis_dates_nothing(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(episodes, "_begun", nothing)


@mutant
def supply_left_is_taken(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(day_maps, "_until_stopped", lambda taken, exposures, flags: taken)


@mutant
def statuses_do_not_matter(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(supply, "_uncertain", lambda window, start: window)


@mutant
def indications_of_orders_are_their_own(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(indications.IndicationReader, "of", lambda self, resource, orders=(): "")


@mutant
def partial_dates_at_their_first_day(patch: pytest.MonkeyPatch, known: Medications) -> None:
    kept = supply.ordinal_span

    def first(text: str | None) -> tuple[int, int] | None:
        span = kept(text)
        return (span[0], span[0]) if span else None

    patch.setattr(supply, "ordinal_span", first)
