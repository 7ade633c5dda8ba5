"""An order with its dose corrected, where that is safe: one number, in one place, stated nowhere else."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from fhir_plugin.drafts.draft_orders import Draft
from fhir_plugin.order_checks.drafted import DraftMeasures, Path
from fhir_plugin.order_checks.json_edit import replace_value
from fhir_plugin.order_checks.words import StatedRange
from fhir_plugin.record.subjects import is_fhir_id
from mappings.schema.order_checks.model import CheckDefinition, OrderReadingRules

_RATES = ("rate_mg", "rate_per_kg")


def has_known_id(draft: Draft) -> bool:
    """Whether the draft has an id by which the client can identify it."""
    kind, _, identifier = draft.reference.partition("/")
    return kind.isascii() and kind.isalpha() and is_fhir_id(identifier)


def corrected_to(check: CheckDefinition, bounds: StatedRange, factor: float, *, rounded: bool) -> float | None:
    """The dose to order: ``bounds`` times ``factor`` (kilograms, or 1), rounded down; ``None`` if there is none."""
    if check.correct is None or (check.correct.to == "only" and bounds.low != bounds.high):
        return None
    if not rounded:
        return bounds.low * factor
    step = check.correct.round_to.value
    value = math.floor(bounds.low * factor / step + 1e-9) * step
    return value if value > 0 else None


def corrected_resource(
    draft: Draft, drafted: DraftMeasures, path: Path, value: str, reading: OrderReadingRules
) -> Raw | None:
    """The client's own bytes with the one number changed; ``None`` where anything else states an amount or a rate."""
    content = bytes(draft.raw)
    if not has_known_id(draft) or any(drafted.of(rate).value or drafted.of(rate).fault == "several" for rate in _RATES):
        return None
    changed = replace_value(content, path, value.encode())
    if changed is None:
        return None
    resource = msgspec.json.decode(content)
    if _states_another_amount(resource, reading):
        return None
    return Raw(changed)


def _states_another_amount(resource: Any, reading: OrderReadingRules) -> bool:
    amount = re.compile(reading.amount)
    return any(amount.search(text.lower()) for text in _texts(resource))


def _texts(value: Any) -> Iterator[str]:
    """Every text of a resource, at any depth."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict | list):
            pending += item.values() if isinstance(item, dict) else item
