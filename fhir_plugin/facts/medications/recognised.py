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
    """The names in a text. Kept for each distinct text, without the patient."""
    lower = without_accents(text)
    words, joined = _words_of(lower)
    found: dict[str, None] = {}
    at, complete, names = 0, True, 0
    awaited, ended = True, False
    rules = medications.recognised.rules
    while at < len(words):
        if (words[at] in rules.joints or joined[at]) and not (joined[at] and _is_around(words[at], medications)):
            awaited = not ended
        hit = medications.recognised.at(words, at)
        if hit is None:
            if words[at] in rules.ends:
                ended = ended or names > 0
                awaited = awaited and not ended
            elif awaited and not _is_around(words[at], medications) and not (names and joined[at] and _is_suffix(words[at])):
                complete = awaited = False
            at += 1
            continue
        count, substances = hit
        found |= dict.fromkeys(substances)
        at += count
        names += 1
        awaited = False
    return TextNames(tuple(found), complete and names > 0)


def _is_around(word: str, medications: Medications) -> bool:
    rules = medications.recognised.rules
    return word[0].isdecimal() or word in rules.around or word in rules.joints


def _is_suffix(word: str) -> bool:
    """Whether it may be the suffix of a biological drug, as in ``insulin glargine-yfgn``."""
    return len(word) == _SUFFIX_LETTERS


_SUFFIX_LETTERS = 4


def _words_of(text: str) -> tuple[list[str], list[bool]]:
    """The words and numbers, and before which of them a new part begins."""
    words, joined = [], []
    end = 0
    for match in _WORDS.finditer(text):
        gap = text[end : match.start()]
        hyphen = gap in _HYPHENS and match[0].isalpha() and words[-1].isalpha()
        joined.append(hyphen or bool(_JOINS.search(gap)))
        words.append(match[0])
        end = match.end()
    return words, joined
