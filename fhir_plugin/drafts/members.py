"""Members of a draft, read one by one and leniently: one that does not decode counts as absent."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Raw

from fhir_plugin.drafts.forgiving import read_forgivingly
from fhir_plugin.record import lenient
from fhir_plugin.record.datatypes import UNDECODABLE, CodeableConcept, Coding

T = TypeVar("T")

NOTHING = Raw(b"null")
"""What a member is that a draft does not have: most of them, so that this very object is never decoded."""

_TEXT = msgspec.json.Decoder(str)
_ELEMENTS = msgspec.json.Decoder(tuple[Raw, ...])


def read(raw: Raw, shape: type[T]) -> T | None:
    """A member as ``shape``; ``None`` where it is absent or has another structure."""
    return None if raw is NOTHING else lenient.read(raw, shape)


def text(raw: Raw) -> str | None:
    """A string; ``None`` for anything else."""
    if raw is NOTHING:
        return None
    try:
        return _TEXT.decode(raw)
    except UNDECODABLE:
        return None


def listed(raw: Raw) -> tuple[Raw, ...]:
    """The elements of an array; anything else that is there as the only element."""
    if raw is NOTHING:
        return ()
    try:
        return _ELEMENTS.decode(raw)
    except UNDECODABLE:
        return (raw,)


def elements(raw: Raw, shape: type[T]) -> tuple[T, ...]:
    """The elements of an array that decode as ``shape``; empty for anything other than an array."""
    return () if raw is NOTHING else lenient.decode_array(raw, shape)


class _Parts(msgspec.Struct, frozen=True):
    coding: Raw = NOTHING
    text: Raw = NOTHING


def concept(raw: Raw) -> CodeableConcept | None:
    """A concept with a coding or a text; of one that does not decode, what does; or a text alone."""
    if raw is NOTHING:
        return None
    whole = read(raw, CodeableConcept)
    if whole is None and (words := text(raw)):
        whole = CodeableConcept(text=words)
    if whole is None:
        parts = read(raw, _Parts)
        if parts is None:
            return _joined(raw)
        whole = CodeableConcept(coding=_codings(parts.coding), text=text(parts.text) or _first(parts.text))
    return whole if whole.coding or whole.text else None


def concepts(raw: Raw) -> tuple[CodeableConcept, ...]:
    """One concept, or a list of them; those that do not decode are left out."""
    return tuple(found for item in listed(raw) if (found := concept(item)))


def _codings(raw: Raw) -> tuple[Coding, ...]:
    """The codings of a list or of one alone; a code may be a number."""
    codings = (read_forgivingly(one, Coding)[0] for one in listed(raw))
    return tuple(coding for coding in codings if coding and (coding.code or coding.display))


def _joined(raw: Raw) -> CodeableConcept | None:
    """A list where one concept is due: all codings, and the first text."""
    parts = lenient.decode_array(raw, CodeableConcept)
    codings = tuple(coding for item in parts for coding in item.coding)
    words = next((item.text for item in parts if item.text), None)
    return CodeableConcept(coding=codings, text=words) if codings or words else None


def _first(raw: Raw) -> str | None:
    """The first text of a list of texts."""
    return next(iter(elements(raw, str)), None)
