"""What is said of draft orders, and how each is checked: YAML files, read and cross-checked once at start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mappings.files import KNOWLEDGE, read_yaml
from mappings.order_checks.words import OrderWords


@dataclass(frozen=True, slots=True)
class OrderChecks:
    """Everything about draft orders; frozen and picklable."""

    words: OrderWords

    def source_keys(self) -> Iterator[tuple[str, str]]:
        """Every source key that is used, with the file and key that uses it."""
        for key in self.words.other_form.sources:
            yield "order_checks/_words.yaml: other_form.sources", key


def load_order_checks(folder: Path | None = None) -> OrderChecks:
    """Read ``mappings/order_checks``; :class:`KnowledgeError` names the file and the key at fault."""
    folder = folder or KNOWLEDGE / "order_checks"
    return OrderChecks(words=read_yaml(folder / "_words.yaml", OrderWords))
