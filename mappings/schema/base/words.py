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
