"""The drugs that a text names, and whether it names nothing that is not recognised.

A text falls into parts, joined by "/", "+", a comma, a hyphen between letters, or a word such as "with". Each part must
begin with a name of the dictionary, apart from words for forms, units and routes; what follows the name is not read:

    lisinopril 10 mg oral tablet            recognised
    oxycodone-acetaminophen 5-325 mg        recognised: two names
    zorbaxil 10 mg (like lisinopril)        not recognised: the part does not begin with a name
    lisinopril / zorbaxil                   not recognised: the second part is no name
    ロラゼパム 1 mg                          not recognised
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from mappings.schema.base.words import without_accents
from mappings.schema.medications import Medications

_WORDS = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
_JOINS = re.compile(r"[/+&;,|]")
_HYPHENS = frozenset("-\u2010\u2011\u2013")
_MAX_CACHED_TEXTS = 4096


class TextNames(NamedTuple):
    """What a text names."""

    substances: tuple[str, ...]
    """The substances of the names in it, in their order."""
    recognised: bool
    """Whether each part begins with a name of the dictionary."""


@lru_cache(maxsize=_MAX_CACHED_TEXTS)
def names_in_text(text: str, medications: Medications) -> TextNames:
    """The names in the name of a drug. Kept for each distinct text, without the patient."""
    return read_names(text, medications)


def read_names(text: str, medications: Medications) -> TextNames:
    """The names in any other text, such as a sentence of a note: nothing of it is kept."""
    return _NameReader(text, medications).read()


class _NameReader:
    """Reads one text from left to right."""

    def __init__(self, text: str, medications: Medications) -> None:
        self._names = medications.recognised
        self._words, self._joined = _words_of(without_accents(text))
        self._substances: dict[str, None] = {}
        self._found = False
        """Whether a name was found."""
        self._awaited = True
        """Whether a part has begun and its name has not been seen."""
        self._ended = False
        """Whether the text is no longer about the name."""
        self._complete = True

    def read(self) -> TextNames:
        at = 0
        while at < len(self._words):
            self._awaited |= not self._ended and self._begins_part(at)
            hit = self._names.at(self._words, at)
            if hit is None:
                self._pass(at)
                at += 1
            else:
                count, substances = hit
                self._substances |= dict.fromkeys(substances)
                self._found, self._awaited = True, False
                at += count
        return TextNames(tuple(self._substances), self._complete and self._found)

    def _begins_part(self, at: int) -> bool:
        """Whether a new part begins here; what follows a slash in ``mg/ml`` is none."""
        return self._words[at] in self._names.rules.joints or (bool(self._joined[at]) and not self._is_around(at))

    def _pass(self, at: int) -> None:
        """A word that is no name: an unknown one where a name is due makes the text unreadable."""
        if self._words[at] in self._names.rules.ends:
            self._ended |= self._found
            self._awaited &= not self._ended
        elif self._awaited and not self._is_around(at) and not self._is_suffix(at):
            self._complete = self._awaited = False

    def _is_around(self, at: int) -> bool:
        word, rules = self._words[at], self._names.rules
        return word[0].isdecimal() or word in rules.around or word in rules.joints

    def _is_suffix(self, at: int) -> bool:
        """Whether it may be the suffix of a biological drug, as in ``insulin glargine-yfgn``."""
        return self._found and self._joined[at] == "-" and len(self._words[at]) == _SUFFIX_LETTERS


_SUFFIX_LETTERS = 4


def _words_of(text: str) -> tuple[list[str], list[str]]:
    """The words and numbers, and what joins each to another part: a hyphen, ``/`` for any other sign, or nothing."""
    words: list[str] = []
    joined: list[str] = []
    end = 0
    for match in _WORDS.finditer(text):
        gap = text[end : match.start()]
        hyphen = gap in _HYPHENS and match[0].isalpha() and words[-1].isalpha()
        joined.append("-" if hyphen else "/" if _JOINS.search(gap) else "")
        words.append(match[0])
        end = match.end()
    return words, joined
