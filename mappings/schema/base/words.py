"""Text as it is compared: lower case, no accents."""

from __future__ import annotations

import unicodedata


def without_accents(text: str) -> str:
    """A text in lower case, each letter without its accents; Japanese and others keep what is no accent."""
    lower = text.lower()
    if lower.isascii():
        return lower
    decomposed = unicodedata.normalize("NFKD", lower)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
