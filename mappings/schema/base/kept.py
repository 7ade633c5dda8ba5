"""What was made of short texts, kept across records: it depends on the text and the knowledge, not on the patient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

ValueT = TypeVar("ValueT")

MOST_KEPT = 4096
MOST_LETTERS_KEPT = 200
"""What is longer is no name of a terminology, and is read each time, so that no record can fill the memory."""


class KeptByText(Generic[ValueT]):
    """A bounded cache that belongs to one part of the knowledge; cleared when it is full."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[str, ValueT] = {}

    def of(self, text: str, read: Callable[[str], ValueT]) -> ValueT:
        """What ``read`` makes of the text."""
        try:
            return self._kept[text]
        except KeyError:
            return self._keep(text, read(text))

    def _keep(self, text: str, value: ValueT) -> ValueT:
        if len(text) <= MOST_LETTERS_KEPT:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[text] = value
        return value

    def __len__(self) -> int:
        return len(self._kept)
