"""What is wrong with the settings of a site: where it stands, and what was probably meant. Never holds a value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import msgspec

from fhir_plugin.errors import BadInput

_ALIKE = 0.6
"""How alike two words have to be (of 1) for one to be suggested in place of the other."""


class WrongSetting(BadInput):
    """A setting cannot be used: its key, such as ``clients.general.key_set``, and why."""

    def __init__(self, key: str, words: str) -> None:
        super().__init__(f"{key}: {words}")
        self.key, self.words = key, words


class Mistake(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong. Its texts name keys and permitted words, and never quote a value."""

    file: str
    """The settings file, ``environment``, ``option``, or ``settings`` where none of them says it."""
    line: int | None = None
    """The line of the file, from 1; that of the table where the key is missing."""
    client: str | None = None
    """The ``name`` of the ``[[clients]]`` table, or its number, from 1."""
    issuer: str | None = None
    """The ``name`` of the ``[[smart]]`` table, or its number, from 1."""
    key: str
    """The setting, or the variable or the option that gives it; empty where the whole file is meant."""
    wrong: str
    """What is wrong with it."""
    meant: str | None = None
    """The word that was probably meant."""

    @property
    def line_of_text(self) -> str:
        """The mistake as one line."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        owner = f"clients.{self.client}." if self.client else f"smart.{self.issuer}." if self.issuer else ""
        key = f"{owner}{self.key}: " if self.key else ""
        hint = f'; did you mean "{self.meant}"?' if self.meant else ""
        return f"{place}: {key}{self.wrong}{hint}"


def in_one_line(mistakes: Sequence[Mistake]) -> str:
    """The first mistake, and how many more there are."""
    more = len(mistakes) - 1
    others = f" (and {more} more: tandem check-config shows all)" if more else ""
    return mistakes[0].line_of_text + others


def similar(word: str, known: Iterable[str], alike: float = _ALIKE) -> str | None:
    """The known word that was probably meant."""
    return next(iter(get_close_matches(word, list(known), n=1, cutoff=alike)), None)
