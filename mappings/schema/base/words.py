"""Text as it is compared: lower case, no accents; and several patterns as one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable


def without_accents(text: str) -> str:
    """A text in lower case, each letter without its accents; Japanese and others keep what is no accent."""
    lower = text.lower()
    if lower.isascii():
        return lower
    decomposed = unicodedata.normalize("NFKD", lower)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def any_pattern(patterns: Iterable[str]) -> re.Pattern[str] | None:
    """The patterns as one; ``None`` if there are none."""
    joined = "|".join(patterns)
    return re.compile(joined) if joined else None


def compiled(patterns: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    """The patterns, each by itself."""
    return tuple(map(re.compile, patterns))


def any_found(patterns: Iterable[re.Pattern[str]], text: str) -> bool:
    """Whether one of the patterns is found; one by one, which is sooner than all of them tried at each letter."""
    for pattern in patterns:  # noqa: SIM110 - a generator costs more than the searches
        if pattern.search(text):
            return True
    return False


def without(patterns: Iterable[re.Pattern[str]], text: str) -> str:
    """The text with a blank in place of whatever one of the patterns finds."""
    for pattern in patterns:
        text = pattern.sub(" ", text)
    return text


_BOUNDARY = r"\b"
_GROUPED = re.compile(r"\\.|\[(?:\\.|[^\]\\])+\]|\([^()]*\)")
"""What cannot be an alternative at the top of a pattern: an escape, a set, an innermost group."""


def found_sooner(patterns: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    """Patterns of which one is found exactly where one of these is; most, as one that looks for a boundary once.

    Behind a boundary that it has passed, the engine rules out most alternatives by their first letter.
    """
    patterns = tuple(patterns)
    bound = [pattern for pattern in patterns if pattern.startswith(_BOUNDARY) and not _has_alternatives(pattern)]
    others = [re.compile(pattern) for pattern in patterns if pattern not in bound]
    behind = "|".join(pattern.removeprefix(_BOUNDARY) for pattern in bound)
    return (re.compile(rf"{_BOUNDARY}(?:{behind})"), *others) if bound else tuple(others)


def _has_alternatives(pattern: str) -> bool:
    """Whether it has alternatives outside of its groups."""
    shorter = _GROUPED.sub("", pattern)
    return "|" in shorter if shorter == pattern else _has_alternatives(shorter)


_LETTERS_OR_DIGITS = re.compile(r"[a-z0-9]+")


def words_in_lower_case(text: str) -> list[str]:
    """The runs of letters and digits of a lower-case text."""
    return _LETTERS_OR_DIGITS.findall(text)


def first_words(phrases: Iterable[str]) -> frozenset[str]:
    """The first word of each phrase: where a text has none of them, no phrase is found in it as whole words."""
    return frozenset(_LETTERS_OR_DIGITS.findall(phrase)[0] for phrase in phrases)
