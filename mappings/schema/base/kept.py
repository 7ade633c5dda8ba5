"""What was read of names and codes, kept across records: it depends on them and the knowledge, not on the patient."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")

MOST_KEPT = 4096
MOST_LETTERS_KEPT = 200
"""Of the name of a problem or a test; what is longer is read each time, so that no record can fill the memory."""


def keep(kept: dict[KeyT, ValueT], key: KeyT, value: ValueT, most: int = MOST_KEPT) -> None:
    """Keep a value; where there are too many, all are dropped before."""
    if len(kept) >= most:
        kept.clear()
    kept[key] = value


class Kept(Generic[KeyT, ValueT]):
    """A bounded cache that belongs to one part of the knowledge; cleared when it is full."""

    __slots__ = ("_kept", "_letters", "_most", "_most_letters")

    def __init__(
        self, letters: Callable[[KeyT], int], most: int = MOST_KEPT, most_letters: int = MOST_LETTERS_KEPT
    ) -> None:
        self._kept: dict[KeyT, ValueT] = {}
        self._letters = letters
        """How many letters a key holds."""
        self._most = most
        self._most_letters = most_letters

    def of(self, key: KeyT, read: Callable[[KeyT], ValueT]) -> ValueT:
        """What ``read`` makes of the key."""
        try:
            return self._kept[key]
        except KeyError:
            return self._keep(key, read(key))

    def _keep(self, key: KeyT, value: ValueT) -> ValueT:
        if self._letters(key) <= self._most_letters:
            keep(self._kept, key, value, self._most)
        return value

    def __len__(self) -> int:
        return len(self._kept)


class KeptByName(Kept[str, ValueT]):
    """What names mean: of problems, of tests."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(len)
