"""Order templates that a clinician can accept as drafts, checked at start. May know rules and treatments; no payer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from mappings.schema.base.files import read_named, read_yaml
from mappings.schema.orders.model import DataFile, DataOrders, OfferWords, OrderSet, TreatmentOrders


@dataclass(frozen=True, slots=True)
class Orders:
    """All order templates."""

    by_id: Mapping[str, TreatmentOrders]
    data: Mapping[str, DataOrders]
    """By datum."""
    words: OfferWords
    review_due: date
    """The day from which the review of at least one file is overdue."""

    @property
    def named(self) -> Iterator[tuple[str, OrderSet]]:
        """Every set with its file, and the key in it."""
        yield from ((f"{name}.yaml", order_set) for name, order_set in self.by_id.items())
        yield from ((f"_data.yaml: {name}", order_set) for name, order_set in self.data.items())

    def of_treatment(self, treatment: str) -> TreatmentOrders | None:
        """The orders of a treatment."""
        return next((orders for orders in self.by_id.values() if orders.treatment == treatment), None)

    def instead_of(self, treatment: str) -> tuple[TreatmentOrders, ...]:
        """The orders of other treatments that may be given instead."""
        return tuple(orders for orders in self.by_id.values() if orders.instead_of == treatment)


def load_orders(folder: Path) -> Orders:
    """Read every template of a folder; :class:`KnowledgeError` names the file at fault."""
    by_id = read_named(folder, TreatmentOrders)
    data = read_yaml(folder / "_data.yaml", DataFile)
    words = read_yaml(folder / "_words.yaml", OfferWords)
    due = min(file.review_due for file in (*by_id.values(), data, words))
    return Orders(by_id=by_id, data=data.data, words=words, review_due=due)
