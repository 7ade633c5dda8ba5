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
    for coding in concept.coding:
        if coding.code and plain_system(coding.system) in systems:
            return True
    return has_readable_words((concept,))


MOST_LETTERS = 4_000
"""Of one entry. Searching words takes time by the letter, and nothing that names an entry is as long: what is longer is
not read, and the entry may mean anything."""


def words_of(concepts: Iterable[CodeableConcept]) -> list[str]:
    """The texts and the displays of the codes, as many as can be read."""
    return _words_of(concepts)[0]


def has_readable_words(concepts: Iterable[CodeableConcept]) -> bool:
    """Whether all words can be read, and any is mostly Latin letters, as the knowledge is; else nothing can be said."""
    words, whole = _words_of(concepts)
    return whole and any(map(_is_latin, words))


def _words_of(concepts: Iterable[CodeableConcept]) -> tuple[list[str], bool]:
    """The words, and whether they are all."""
    words = [
        word for concept in concepts for word in (concept.text, *[code.display for code in concept.coding]) if word
    ]
    if sum(map(len, words)) <= MOST_LETTERS:
        return words, True
    kept, left = [], MOST_LETTERS
    for word in words:
        if len(word) <= left:
            kept.append(word)
            left -= len(word)
    return kept, False


def _is_latin(text: str) -> bool:
    if text.isascii():
        return _LATIN_WORD.search(text) is not None
    latin = len(_LATIN.findall(text))
    return latin > 1 and latin > sum(map(str.isalpha, text)) - latin


_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
_LATIN_WORD = re.compile(r"[A-Za-z]{2}|\b[A-Za-z] ?& ?[A-Za-z]\b|\b[Gg]\d+ ?[Pp]\d")
"""Two letters; or ``D&C``, ``G2P2``: unlike a code that was written as a text, these are words."""
