"""Draft orders as clients really send them: unfinished, often not valid FHIR, always answered.

Each member that matters is decoded by itself; one that does not decode is as good as absent. The bytes of the draft
are kept, because a suggestion that updates it must send back everything that the client sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec
from msgspec import Raw

from fhir_plugin.resources import CodeableConcept, Coding, Dosage, Reference

T = TypeVar("T", bound=msgspec.Struct)

NOTHING = Raw(b"null")


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """One draft order of the patient in context."""

    reference: str
    """``Type/id``."""
    resource_type: str
    status: str | None
    concepts: tuple[CodeableConcept, ...]
    """What is ordered: the code or the medication, wherever the draft says it."""
    dosage: tuple[Dosage, ...]
    raw: Raw
    """The draft as the client sent it."""

    @property
    def codings(self) -> tuple[Coding, ...]:
        """All codings of what is ordered."""
        return tuple(coding for concept in self.concepts for coding in concept.coding)

    @property
    def text(self) -> str:
        """What is ordered, in the client's words."""
        return next((concept.label for concept in self.concepts if concept.label), "")

    @property
    def words(self) -> tuple[str, ...]:
        """Everything that what is ordered is called: a text such as ``per protocol`` hides the name of its code."""
        said = (word for each in self.concepts for word in (each.text, *(coding.display for coding in each.coding)))
        return tuple(dict.fromkeys(word for word in said if word))


class Drafts(msgspec.Struct, frozen=True, kw_only=True):
    """The draft orders that could be read, and how many could not be used."""

    drafts: tuple[Draft, ...] = ()
    foreign: int = 0
    """Drafts for somebody other than the patient in context."""
    unreadable: int = 0


class _Members(msgspec.Struct, frozen=True, rename="camel"):
    resource_type: str = ""
    id: Raw = NOTHING
    status: Raw = NOTHING
    subject: Raw = NOTHING
    patient: Raw = NOTHING
    code: Raw = NOTHING
    code_codeable_concept: Raw = NOTHING
    medication_codeable_concept: Raw = NOTHING
    medication_reference: Raw = NOTHING
    contained: Raw = NOTHING
    dosage_instruction: Raw = NOTHING


class _Concept(msgspec.Struct, frozen=True):
    coding: Raw = NOTHING
    text: Raw = NOTHING


class _Contained(msgspec.Struct, frozen=True):
    id: str | None = None
    code: CodeableConcept | None = None


def read_drafts(entries: Iterable[tuple[str | None, Raw]], patient_id: str) -> Drafts:
    """Read ``(fullUrl, resource)`` pairs of a draft Bundle; drafts of another patient are dropped and counted."""
    pairs = [(full_url, members, raw) for full_url, raw in entries if (members := _members(raw)) is not None]
    named = _medications(pairs)
    drafts: list[Draft] = []
    foreign = unreadable = 0
    for full_url, members, raw in pairs:
        if not members.resource_type:
            unreadable += 1
        elif members.resource_type == "Medication":
            continue
        elif not _is_about(members, patient_id):
            foreign += 1
        else:
            drafts.append(_draft(full_url, members, raw, named))
    return Drafts(drafts=tuple(drafts), foreign=foreign, unreadable=unreadable)


def selected(drafts: tuple[Draft, ...], selections: Iterable[str]) -> tuple[Draft, ...]:
    """The drafts that ``selections`` names, as ``Type/id`` or as a bare id."""
    wanted = set(selections)
    return tuple(d for d in drafts if d.reference in wanted or d.reference.rpartition("/")[2] in wanted)


def _members(raw: Raw) -> _Members | None:
    return _read(raw, _Members) if bytes(raw) else None


def _draft(full_url: str | None, members: _Members, raw: Raw, named: dict[str, CodeableConcept]) -> Draft:
    identifier = _text(members.id) or full_url or "?"
    return Draft(
        reference=f"{members.resource_type}/{identifier}",
        resource_type=members.resource_type,
        status=_text(members.status),
        concepts=_concepts(members, named),
        dosage=_several(members.dosage_instruction, Dosage),
        raw=raw,
    )


def _concepts(members: _Members, named: dict[str, CodeableConcept]) -> tuple[CodeableConcept, ...]:
    """What is ordered; a reference is followed into the draft and its Bundle, else its display is taken."""
    direct = (members.medication_codeable_concept, members.code, members.code_codeable_concept)
    found = [concept for raw in direct if (concept := _concept(raw)) is not None]
    reference = _read(members.medication_reference, Reference)
    if reference is not None:
        key = reference.reference or ""
        inside = {f"#{item.id}": item.code for item in _several(members.contained, _Contained) if item.code}
        concept = inside.get(key) or named.get(key)
        found.append(concept or CodeableConcept(text=reference.display))
    return tuple(found)


def _concept(raw: Raw) -> CodeableConcept | None:
    """A concept; of one that does not decode, the text and those codings that do."""
    whole = _read(raw, CodeableConcept)
    parts = _read(raw, _Concept) if whole is None else None
    if parts is None:
        return whole
    one = _read(parts.coding, Coding)
    return CodeableConcept(coding=(one,) if one else _several(parts.coding, Coding), text=_text(parts.text))


def _medications(pairs: list[tuple[str | None, _Members, Raw]]) -> dict[str, CodeableConcept]:
    """The Medications that travel in the draft Bundle, by every reference that may name them."""
    found: dict[str, CodeableConcept] = {}
    for full_url, members, _ in pairs:
        concept = _read(members.code, CodeableConcept) if members.resource_type == "Medication" else None
        if concept is not None:
            found.update({key: concept for key in (full_url, f"Medication/{_text(members.id)}") if key})
    return found


def _is_about(members: _Members, patient_id: str) -> bool:
    """Whether the draft names the patient or nobody; a draft belongs to the context that it came in."""
    for raw in (members.subject, members.patient):
        reference = _read(raw, Reference)
        if reference is not None and reference.reference:
            about = reference.reference.partition("/_history/")[0]
            return about.rpartition("/")[2] == patient_id
    return True


def _read(raw: Raw, shape: type[T]) -> T | None:
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.DecodeError, RecursionError):
        return None


def _several(raw: Raw, shape: type[T]) -> tuple[T, ...]:
    """The elements of an array that decode; none for anything but an array."""
    try:
        items = msgspec.json.decode(raw, type=tuple[Raw, ...])
    except (msgspec.DecodeError, RecursionError):
        return ()
    return tuple(item for element in items if (item := _read(element, shape)) is not None)


def _text(raw: Raw) -> str | None:
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.DecodeError, RecursionError):
        return None
