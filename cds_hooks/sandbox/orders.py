"""The draft orders of the sandbox: the list to choose from, and the effect of accepting a suggestion."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from cds_hooks.demo import calls
from cds_hooks.web.cards import ShownAction
from fhir_plugin.errors import BadInput
from fhir_plugin.record.datatypes import UNDECODABLE

Draft = dict[str, Any]

ORDERS: Mapping[str, tuple[str, Callable[[str], Draft]]] = {
    "ketamine": ("Ketamine infusion, 50 mg over 40 minutes", calls.ketamine_order),
    "esketamine": ("Esketamine nasal spray", calls.esketamine_order),
    "tms": ("TMS, a course of 36 sessions", calls.tms_order),
    "antidepressant": ("Vortioxetine 10 mg, one more antidepressant", calls.antidepressant_order),
}
"""By name: display text, and a function that builds the draft for a patient."""

_ORDER_TYPES = frozenset(
    {
        "MedicationRequest",
        "ServiceRequest",
        "DeviceRequest",
        "NutritionOrder",
        "VisionPrescription",
        "CommunicationRequest",
    }
)
"""Resource types of draft orders; anything else that a suggestion creates is written to the record."""


def read_drafts(text: str) -> list[Draft]:
    """The orders in a text: a Bundle, a list, or one resource; empty for an empty text.

    :raises BadInput: it is anything else.
    """
    if not text:
        return []
    try:
        content = msgspec.json.decode(text)
    except UNDECODABLE:
        raise BadInput("the draft orders are not JSON") from None
    if isinstance(content, dict) and (content.get("resourceType") == "Bundle" or "entry" in content):
        entries = content.get("entry")
        entries = entries if isinstance(entries, list) else []
        content = [entry.get("resource") for entry in entries if isinstance(entry, dict)]
    orders = content if isinstance(content, list) else [content]
    if not all(isinstance(order, dict) for order in orders):
        raise BadInput("the draft orders must be a Bundle, a list of resources or one resource")
    return orders


def bundle_of(drafts: Iterable[Draft]) -> Draft:
    """The drafts as the Bundle of a hook context."""
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": draft} for draft in drafts]}


def selections(drafts: Iterable[Draft]) -> list[str]:
    """References to the drafts that were just selected: here, all of them."""
    return [_reference(draft) for draft in drafts]


def apply_actions(drafts: list[Draft], actions: Iterable[ShownAction]) -> tuple[list[Draft], list[Draft]]:
    """The drafts after all actions of a suggestion, and other resources that an EHR would now write."""
    kept, written = list(drafts), []
    for action in actions:
        resource = action.resource
        if action.type == "delete":
            deleted = action.resource_id or _reference(resource or {})
            kept = [draft for draft in kept if deleted not in (_reference(draft), draft.get("id"))]
        elif resource is None:
            continue
        elif resource.get("resourceType") not in _ORDER_TYPES:
            written.append(resource)
        elif action.type == "update":
            kept = [resource if _reference(draft) == _reference(resource) else draft for draft in kept]
        else:
            kept.append(resource if resource.get("id") else {**resource, "id": f"draft-{len(kept) + 1}"})
    return kept, written


def _reference(draft: Draft) -> str:
    return f"{draft.get('resourceType')}/{draft.get('id')}"
