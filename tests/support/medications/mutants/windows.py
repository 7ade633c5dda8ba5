"""Without a rule of from when to when a record speaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from fhir_plugin.facts.days import days, intervals, stops
from fhir_plugin.facts.medications import histories, lines, supply
from fhir_plugin.facts.trials import counting
from mappings.schema.medications import Medications
from tests.support.medications.mutants.registry import before, mutant, nothing

best_run = intervals.best_run


def _window(patch: pytest.MonkeyPatch, name: str, change: Callable[[Any], Any]) -> None:
    kept = getattr(histories, name)

    def window(*each: Any, **named: Any) -> Any:
        found = kept(*each, **named)
        return found if found is None else change(found)

    patch.setattr(histories, name, window)


@mutant
def days_are_closed(patch: pytest.MonkeyPatch, known: Medications) -> None:
    _window(patch, "dispense_window", lambda window: replace(window, stop=window.stop + 1))


@mutant
def day_of_assessment_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    kept = histories.order_window
    patch.setattr(histories, "order_window", lambda order, fill, as_of, known: kept(order, fill, as_of + 60, known))
    patch.setattr(counting, "best_run", lambda intervals, first, last, gap: best_run(intervals, first, last + 60, gap))


@mutant
def orders_not_to_be_performed_read(patch: pytest.MonkeyPatch, known: Medications) -> None:
    before(patch, histories, "order_window", lambda order: replace(order, do_not_perform=None))


@mutant
def day_of_preparation_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    before(patch, histories, "dispense_window", lambda dispense: replace(dispense, when_prepared=None))


@mutant
def day_of_preparation_first(patch: pytest.MonkeyPatch, known: Medications) -> None:
    before(
        patch,
        histories,
        "dispense_window",
        lambda dispense: replace(dispense, when_handed_over=dispense.when_prepared or dispense.when_handed_over),
    )


@mutant
def stated_days_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    kept = lines.fill_of
    patch.setattr(lines, "fill_of", lambda stated, quantity, units, known: kept(None, quantity, units, known))


@mutant
def quantity_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(supply, "_by_quantity", nothing)


@mutant
def fill_of_unknown_length_closed(patch: pytest.MonkeyPatch, known: Medications) -> None:
    _window(patch, "dispense_window", lambda window: replace(window, possible=window.stop))


@mutant
def order_of_unknown_length_closed(patch: pytest.MonkeyPatch, known: Medications) -> None:
    _window(patch, "order_window", lambda window: replace(window, possible=window.stop))


@mutant
def end_of_a_statement_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    before(
        patch,
        histories,
        "statement_window",
        lambda each: replace(each, effective_period=replace(each.effective_period, end=None)),
    )


@mutant
def statements_last_until_today(patch: pytest.MonkeyPatch, known: Medications) -> None:
    _window(patch, "statement_window", lambda window: replace(window, stop=window.possible, claimed=window.possible))


@mutant
def day_of_asserting_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    before(patch, histories, "statement_window", lambda each: replace(each, date_asserted=None))


@mutant
def bounds_say_no_start(patch: pytest.MonkeyPatch, known: Medications) -> None:
    kept = supply._order_start
    patch.setattr(supply, "_order_start", lambda order, request, bounds: kept(order, request, ()))


@mutant
def validity_says_no_start(patch: pytest.MonkeyPatch, known: Medications) -> None:
    kept = supply._order_start
    patch.setattr(
        supply, "_order_start", lambda order, request, bounds: kept(
            order, replace(request, validity_period=None), bounds
        )
    )  # fmt: skip


@mutant
def day_of_writing_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    before(patch, supply, "_order_start", lambda order: replace(order, authored_on=None))


@mutant
def first_fill_is_a_refill(patch: pytest.MonkeyPatch, known: Medications) -> None:
    def one_less(order: Any) -> Any:
        request = order.dispense_request
        repeats = max((request.number_of_repeats_allowed or 0) - 1, 0)
        return replace(order, dispense_request=replace(request, number_of_repeats_allowed=repeats))

    before(patch, histories, "order_window", one_less)


@mutant
def end_of_validity_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    kept = supply._limit
    patch.setattr(
        supply, "_limit", lambda order, request, bounds, as_of, known: kept(
            order, replace(request, validity_period=None), bounds, as_of, known
        )
    )  # fmt: skip


@mutant
def next_order_ends_nothing(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(stops, "_next_different", lambda orders, starts: [None] * len(orders))


@mutant
def last_change_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(supply, "_updated", nothing)


@mutant
def any_last_change_believed(patch: pytest.MonkeyPatch, known: Medications) -> None:
    kept = stops._with_inferred_stop

    def settled(order: Any, start: int, following: int | None, latest: int) -> Any:
        window = order.window
        updated = min(window.updated or window.stop, window.stop - 1)
        return kept(replace(order, window=replace(window, updated=updated)), start, following, latest)

    patch.setattr(stops, "_with_inferred_stop", settled)


@mutant
def stopped_orders_run_on(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(days, "infer_stops", lambda exposures: exposures)


@mutant
def hold_not_flagged(patch: pytest.MonkeyPatch, known: Medications) -> None:
    _window(patch, "order_window", lambda window: replace(window, flags=()))


@mutant
def undated_records_dropped(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(supply, "_undated", nothing)
