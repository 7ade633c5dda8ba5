"""What a table says of the codes of a concept, and whether a concept says anything at all."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

from fhir_plugin.record.datatypes import CodeableConcept
from mappings.schema.codes.systems import plain_system

ValueT = TypeVar("ValueT")


def entry_of(
    concept: CodeableConcept | None, table: Mapping[str, ValueT], systems: Collection[str | None]
) -> ValueT | None:
    """The entry for the first code of the concept that the table contains; ``systems`` are those of its codes."""
    for coding in concept.coding if concept else ():
        entry = table.get(coding.code or "")
        if entry is not None and plain_system(coding.system) in systems:
            return entry
    return None


def is_named(concept: CodeableConcept | None, systems: Collection[str | None]) -> bool:
    """Whether it has words that can be read, or a code of one of these systems: of other codes nothing can be said."""
    if concept is None:
        return False
    known = any(coding.code and plain_system(coding.system) in systems for coding in concept.coding)
    return known or has_readable_words((concept,))


MOST_LETTERS = 4_000
"""Of one text. Searching words takes time by the letter, and nothing that names an entry is as long: what is longer is
not read, and the entry may mean anything."""


def words_of(concepts: Iterable[CodeableConcept]) -> list[str]:
    """The texts and the displays of the codes, without those that are too long to be read."""
    return [
        word
        for concept in concepts
        for word in (concept.text, *[code.display for code in concept.coding])
        if word and len(word) <= MOST_LETTERS
    ]


def has_readable_words(concepts: Iterable[CodeableConcept]) -> bool:
    """Whether any words are written mostly in Latin letters, as the knowledge is; of others nothing can be said."""
    for word in words_of(concepts):  # noqa: SIM110 - asked of every entry, and a generator costs more than the words
        if _is_latin(word):
            return True
    return False


def _is_latin(text: str) -> bool:
    if text.isascii():
        return _LATIN_WORD.search(text) is not None
    latin = len(_LATIN.findall(text))
    return latin > 1 and latin > sum(map(str.isalpha, text)) - latin


_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
_LATIN_WORD = re.compile(r"[A-Za-z]{2}|\b[A-Za-z] ?& ?[A-Za-z]\b|\b[Gg]\d+ ?[Pp]\d")
"""Two letters; or ``D&C``, ``G2P2``: unlike a code that was written as a text, these are words."""
