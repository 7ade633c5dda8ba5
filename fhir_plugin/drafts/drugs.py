"""What a draft orders, wherever it says so: R4 and R5 members, a contained Medication, one in the Bundle or elsewhere.

Of a Medication its code counts and so do its ingredients, because a compounded product often has nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

import msgspec
from msgspec import Raw

from fhir_plugin.drafts.members import NOTHING, concept, text
from fhir_plugin.record.datatypes import CodeableConcept, Reference
from fhir_plugin.record.lenient import read, several
from fhir_plugin.record.resources import Medication

Drugs: TypeAlias = Mapping[str, "DraftedMedication"]
"""Medications by every reference that may name them."""


class DraftedMedication(NamedTuple):
    """What one Medication says that it is."""

    concepts: tuple[CodeableConcept, ...]
    form: str = ""
    """The pharmaceutical form in words, such as ``troche``."""


class CodeableReference(msgspec.Struct, frozen=True):
    """The choice of R5: a concept or a reference."""

    concept: Raw = NOTHING
    reference: Raw = NOTHING


class _Ingredient(msgspec.Struct, frozen=True, rename="camel"):
    item_codeable_concept: Raw = NOTHING
    item_reference: Raw = NOTHING
    item: Raw = NOTHING


class _Medication(msgspec.Struct, frozen=True, rename="camel"):
    resource_type: Raw = NOTHING
    id: Raw = NOTHING
    code: Raw = NOTHING
    form: Raw = NOTHING
    dose_form: Raw = NOTHING
    ingredient: Raw = NOTHING


def drugs_of_bundle(entries: Iterable[tuple[str | None, Raw]]) -> dict[str, DraftedMedication]:
    """The Medications that travel in a draft Bundle, by ``fullUrl`` and by ``Medication/id``."""
    found: dict[str, DraftedMedication] = {}
    for full_url, raw in entries:
        identifier = _identifier(raw)
        found.update({key: _drug(raw, {}) for key in (full_url, identifier and f"Medication/{identifier}") if key})
    return found


def drugs_of_medications(medications: Mapping[str, Medication]) -> dict[str, DraftedMedication]:
    """Medications of the record or of a FHIR server, by the same references."""
    return {
        reference: DraftedMedication(
            tuple(
                each
                for each in (found.code, *(part.item_codeable_concept for part in found.ingredient))
                if each is not None
            ),
            found.form.label if found.form else "",
        )
        for reference, found in medications.items()
    }


class DraftedProduct(NamedTuple):
    """How a draft names what it orders."""

    concepts: tuple[CodeableConcept, ...]
    form: str = ""
    unresolved: str | None = None
    """The reference, where the drug is named by one that leads nowhere and has no words beside it."""


def drafted_product(
    direct: Iterable[Raw], references: Iterable[Raw], contained: Raw, elsewhere: Drugs
) -> DraftedProduct:
    """Everything that the members of a draft name; ``direct`` are concepts, ``references`` lead to Medications."""
    concepts: list[CodeableConcept] = []
    pointing = list(references)
    for raw in direct:
        if found := concept(raw):
            concepts.append(found)
        elif choice := read(raw, CodeableReference):
            pointing.append(choice.reference)
            concepts += [inner] if (inner := concept(choice.concept)) else []
    inside = {f"#{identifier}": raw for raw in several(contained, Raw) if (identifier := _identifier(raw))}
    form, unresolved = "", None
    for reference in (pointed for raw in pointing if (pointed := read(raw, Reference))):
        key = reference.reference or ""
        drug = _drug(inside[key], inside) if key in inside else elsewhere.get(key)
        if drug is not None and drug.concepts:
            concepts += drug.concepts
            form = form or drug.form
        elif reference.display:
            concepts.append(CodeableConcept(text=reference.display))
        elif key and not concepts:
            unresolved = key
    return DraftedProduct(tuple(concepts), form, unresolved)


def _identifier(raw: Raw) -> str | None:
    found = read(raw, _Medication)
    return text(found.id) if found else None


def _drug(raw: Raw, inside: Mapping[str, Raw]) -> DraftedMedication:
    """A Medication by its code and its ingredients; ``inside`` holds what it may refer to."""
    found = read(raw, _Medication)
    if found is None:
        return DraftedMedication(())
    concepts = [named] if (named := concept(found.code)) else []
    for part in several(found.ingredient, _Ingredient):
        choice = read(part.item, CodeableReference) or CodeableReference()
        concepts += [each for one in (part.item_codeable_concept, choice.concept) if (each := concept(one))]
        for reference in (read(part.item_reference, Reference), read(choice.reference, Reference)):
            substance = read(inside.get(reference.reference or "", NOTHING), _Medication) if reference else None
            if substance and (inner := concept(substance.code)):
                concepts.append(inner)
            elif reference and reference.display:
                concepts.append(CodeableConcept(text=reference.display))
    form = concept(found.form) or concept(found.dose_form)
    return DraftedMedication(tuple(concepts), form.label if form else "")
