"""Why something is ordered, as the order states it: reasons of R4 and of R5, coded, in words or by reference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Raw

from fhir_plugin.drafts.drugs import CodeableReference
from fhir_plugin.drafts.members import NOTHING, concept, text
from fhir_plugin.record.datatypes import CodeableConcept, Reference
from fhir_plugin.record.lenient import decode_array, read


class DraftReasons(msgspec.Struct, frozen=True):
    """The reasons of one order."""

    stated: tuple[CodeableConcept, ...] = ()
    references: tuple[str, ...] = ()
    """References to reasons that are elsewhere and have no name in the order."""


class _Reason(msgspec.Struct, frozen=True):
    id: Raw = NOTHING
    code: Raw = NOTHING


def reasons_of(direct: Iterable[Raw], references: Raw, contained: Raw) -> DraftReasons:
    """The reasons of an order; ``direct`` are lists of concepts or of concepts and references."""
    stated: list[CodeableConcept] = []
    pointers = list(_listed(references))
    for raw in (item for listed in direct for item in _listed(listed)):
        if named := concept(raw):
            stated.append(named)
        elif choice := read(raw, CodeableReference):
            pointers.append(choice.reference)
            stated += [inner] if (inner := concept(choice.concept)) else []
    inside = _contained(contained)
    elsewhere: list[str] = []
    for pointer in (pointed for raw in pointers if (pointed := read(raw, Reference))):
        if pointer.reference and pointer.reference in inside:
            stated.append(inside[pointer.reference])
        elif pointer.display:
            stated.append(CodeableConcept(text=pointer.display))
        elif pointer.reference:
            elsewhere.append(pointer.reference)
    return DraftReasons(tuple(stated), tuple(elsewhere))


def _listed(raw: Raw) -> tuple[Raw, ...]:
    """The elements of an array; anything else as the only element."""
    listed = read(raw, tuple[Raw, ...])
    return (raw,) if listed is None else listed


def _contained(contained: Raw) -> Mapping[str, CodeableConcept]:
    """The codes of contained resources, by the reference to them."""
    reasons = decode_array(contained, _Reason)
    return {
        f"#{identifier}": named
        for reason in reasons
        if (identifier := text(reason.id)) and (named := concept(reason.code))
    }
