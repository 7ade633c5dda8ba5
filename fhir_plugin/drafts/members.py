"""Members of a draft, read one by one and leniently: one that does not decode counts as absent."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from fhir_plugin.record.datatypes import CodeableConcept, Coding
from fhir_plugin.record.lenient import decode_array, read

NOTHING = Raw(b"null")


def text(raw: Raw) -> str | None:
    """A string; ``None`` for anything else."""
    return read(raw, str)


class _Parts(msgspec.Struct, frozen=True):
    coding: Raw = NOTHING
    text: Raw = NOTHING


def concept(raw: Raw) -> CodeableConcept | None:
    """A concept with a coding or a text; of one that does not decode, the text and the codings that do; a text alone."""
    whole = read(raw, CodeableConcept)
    if whole is None and (words := text(raw)):
        whole = CodeableConcept(text=words)
    if whole is None:
        parts = read(raw, _Parts)
        if parts is None:
            return None
        one = read(parts.coding, Coding)
        whole = CodeableConcept(coding=(one,) if one else decode_array(parts.coding, Coding), text=text(parts.text))
    return whole if whole.coding or whole.text else None
