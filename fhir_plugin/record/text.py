"""How much text there is to be searched: words take time by the letter, so far more than real charts hold is not read.

Counted are different texts, each once: a diagnosis that every visit repeats is read once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from fhir_plugin.record.resources import Resource

MAX_TEXT = 250_000
"""Letters of all texts of a record, and of the drafts of a call; a novel has twice as many, a heavy chart a tenth."""
_LONGEST_KEY = 64
"""Letters of the longest id. What is longer, or has spaces or marks between words, is text."""


def letters_of(resources: Iterable[Resource]) -> int:
    """Letters of all different texts in what is read of the resources."""
    return letters_in(msgspec.json.encode(list(resources)))


def letters_in(content: bytes) -> int:
    """Bytes of all different texts in JSON; nothing is decoded for it."""
    plain = content.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in content else content
    return sum(len(text) for text in set(plain.split(b'"')[1::2]) if _is_text(text))


def _is_text(text: bytes) -> bool:
    return len(text) > _LONGEST_KEY or b" " in text or b";" in text or b"," in text


def too_long(letters: Mapping[str, int]) -> list[str]:
    """The inputs without which the texts of the others are within the limit: as few as can be, the longest first."""
    rest, chosen = sum(letters.values()), []
    for name in sorted(letters, key=lambda name: -letters[name]):
        if rest <= MAX_TEXT:
            break
        chosen.append(name)
        rest -= letters[name]
    return chosen
