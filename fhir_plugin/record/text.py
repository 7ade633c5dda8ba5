"""How much text there is to be searched: words take time by the letter, so far more than real charts hold is not read.

Counted are different texts, each once: a diagnosis that every visit repeats is read once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from fhir_plugin.record.resources import Resource

MAX_TEXT = 250_000
"""Letters of all texts of a record, and of the drafts of a call; a novel has twice as many, a heavy chart a tenth."""
_MEMBERS = (b"text", b"display", b"name", b"patientInstruction", b"valueString", b"abatementString")
"""The members of what is read that are searched for words."""
_TEXT = re.compile(rb'":"(?:%b)([^"]*)"' % b"|".join([rb'(?<="%b":")' % name for name in _MEMBERS]))
"""One of their texts, as it is written when it is encoded. The name before it is looked at last, so that the search
skips to where a text begins."""
_LONGEST_KEY = 64
"""Letters of the longest id. What is longer, or has spaces or marks between words, is text."""


def letters_of(resources: Sequence[Resource]) -> int:
    """Letters of all different texts in what is read of the resources."""
    found = sum(map(len, set(_TEXT.findall(_plain(msgspec.json.encode(resources))))))
    contained = [bytes(inner) for resource in resources for inner in getattr(resource, "contained", ())]
    return found + (letters_in(b",".join(contained)) if contained else 0)


def letters_in(content: bytes) -> int:
    """Bytes of all different texts in JSON of any shape; nothing is decoded for it."""
    return sum(len(text) for text in set(_plain(content).split(b'"')[1::2]) if _is_text(text))


def _plain(content: bytes) -> bytes:
    """JSON in which every quotation mark begins or ends a text."""
    return content.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in content else content


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
