"""Why something is ordered, as the order states it: reasons of R4 and of R5, coded, in words or by reference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Raw

from fhir_plugin.drafts.drugs import named_and_pointed
from fhir_plugin.drafts.members import NOTHING, concept, elements, listed, text
from fhir_plugin.record.datatypes import CodeableConcept


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
    stated, pointers = named_and_pointed((item for raw in direct for item in listed(raw)), listed(references))
    inside = _contained(contained)
    elsewhere: list[str] = []
    for pointer in pointers:
        if pointer.reference and pointer.reference in inside:
            stated.append(inside[pointer.reference])
        elif pointer.display:
            stated.append(CodeableConcept(text=pointer.display))
        elif pointer.reference:
            elsewhere.append(pointer.reference)
    return DraftReasons(tuple(stated), tuple(elsewhere))


def _contained(contained: Raw) -> Mapping[str, CodeableConcept]:
    """The codes of contained resources, by the reference to them."""
    reasons = elements(contained, _Reason)
    return {
        f"#{identifier}": named
        for reason in reasons
        if (identifier := text(reason.id)) and (named := concept(reason.code))
    }
