"""Without a rule of which evidence stands, and of what is taken together."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from fhir_plugin.facts.days import days, stretches
from fhir_plugin.facts.medications import histories
from mappings.schema.medications import Medications
from tests.support.medications.mutants.registry import mutant


@mutant
def worse_evidence_first(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(days, "overlaid", lambda better, worse: stretches.overlaid(worse, better))


@mutant
def evidence_added_up(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(
        days,
        "overlaid",
        lambda better, worse: stretches.summed(sorted([*better, *worse]), set()) if better else worse,
    )


@mutant
def links_to_orders_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(histories, "_relative_reference", lambda reference: "")


@mutant
def fills_replace_only_the_order_they_name(patch: pytest.MonkeyPatch, known: Medications) -> None:
    def left(orders: list[Any], dispenses: list[Any]) -> list[Any]:
        named = {reference for each in dispenses for reference in each.authorized_by}
        return [order for order in orders if order.reference not in named]

    patch.setattr(days, "_undispensed", left)


@mutant
def every_record_a_new_prescription(patch: pytest.MonkeyPatch, known: Medications) -> None:
    kept = histories.Exposure

    def exposure(prescription: Any, window: Any, reference: str, *rest: Any) -> Any:
        own = replace(prescription, key=(*prescription.key[:2], reference, prescription.key[3]))
        return kept(own, window, reference, *rest)

    patch.setattr(histories, "Exposure", exposure)


@mutant
def surplus_carried_over_a_change(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(days, "_may_be_concurrent", lambda first, second: True)
    patch.setattr(days, "_concurrent_lines", lambda active, exposures, stops, at, together: active)


@mutant
def nothing_is_taken_together(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(days, "_may_be_concurrent", lambda first, second: False)


@mutant
def everything_is_taken_together(patch: pytest.MonkeyPatch, known: Medications) -> None:
    every_record_a_new_prescription(patch, known)
    patch.setattr(days, "_may_be_concurrent", lambda first, second: True)


@mutant
def moments_tell_nothing_apart(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(
        days, "_may_be_concurrent", lambda first, second: first.prescription.key[0] != second.prescription.key[0]
    )  # fmt: skip
