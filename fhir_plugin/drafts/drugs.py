"""The product that a draft orders: from R4 and R5 members, a contained Medication, one in the Bundle or elsewhere.

The code and the ingredients of a Medication both count, because a compounded product often has only ingredients.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

import msgspec
from msgspec import Raw

from fhir_plugin.drafts.members import NOTHING, concept, elements, read, text
from fhir_plugin.record.datatypes import CodeableConcept, Reference
from fhir_plugin.record.resources import Medication

Drugs: TypeAlias = Mapping[str, "DraftedMedication"]
"""Medications by every reference that may point to them."""


class DraftedMedication(NamedTuple):
    """The drugs and the form of one Medication."""

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
    """The Medications in a draft Bundle, by ``fullUrl`` and by ``Medication/id``."""
    drugs: dict[str, DraftedMedication] = {}
    for full_url, raw in entries:
        identifier = _identifier(raw)
        drugs.update({key: _drug(raw, {}) for key in (full_url, identifier and f"Medication/{identifier}") if key})
    return drugs


def drugs_of_medications(medications: Mapping[str, Medication]) -> dict[str, DraftedMedication]:
    """Medications of the record or of a FHIR server, by the same references."""
    return {
        reference: DraftedMedication(
            tuple(
                named
                for named in (medication.code, *(part.item_codeable_concept for part in medication.ingredient))
                if named is not None
            ),
            medication.form.label if medication.form else "",
        )
        for reference, medication in medications.items()
    }


class DraftedProduct(NamedTuple):
    """The product as a draft names it."""

    concepts: tuple[CodeableConcept, ...]
    form: str = ""
    unresolved: str | None = None
    """The reference to the drug, where it cannot be resolved and has no display text."""


def drafted_product(
    direct: Iterable[Raw], references: Iterable[Raw], contained: Raw, elsewhere: Drugs
) -> DraftedProduct:
    """Everything that the members of a draft name; ``direct`` are concepts, ``references`` point to Medications."""
    concepts, pointed = named_and_pointed(direct, references)
    inside = {f"#{identifier}": raw for raw in elements(contained, Raw) if (identifier := _identifier(raw))}
    form, unresolved = "", None
    for reference in pointed:
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


def named_and_pointed(
    direct: Iterable[Raw], references: Iterable[Raw]
) -> tuple[list[CodeableConcept], list[Reference]]:
    """The concepts, and the references of all members; a CodeableReference may be either."""
    concepts: list[CodeableConcept] = []
    pointers = list(references)
    for raw in direct:
        if raw is NOTHING:
            continue
        if named := concept(raw):
            concepts.append(named)
        elif choice := read(raw, CodeableReference):
            pointers.append(choice.reference)
            concepts += [inner] if (inner := concept(choice.concept)) else []
    return concepts, [pointed for raw in pointers if (pointed := read(raw, Reference))]


def _identifier(raw: Raw) -> str | None:
    medication = read(raw, _Medication)
    return text(medication.id) if medication else None


def _drug(raw: Raw, inside: Mapping[str, Raw]) -> DraftedMedication:
    """A Medication by its code and its ingredients; ``inside`` holds the contained resources that it may refer to."""
    medication = read(raw, _Medication)
    if medication is None:
        return DraftedMedication(())
    concepts = [named] if (named := concept(medication.code)) else []
    for part in elements(medication.ingredient, _Ingredient):
        choice = read(part.item, CodeableReference) or CodeableReference()
        concepts += [named for item in (part.item_codeable_concept, choice.concept) if (named := concept(item))]
        for reference in (read(part.item_reference, Reference), read(choice.reference, Reference)):
            if reference and (named := _substance(reference, inside)):
                concepts.append(named)
    form = concept(medication.form) or concept(medication.dose_form)
    return DraftedMedication(tuple(concepts), form.label if form else "")


def _substance(reference: Reference, inside: Mapping[str, Raw]) -> CodeableConcept | None:
    """What an ingredient points to: a contained resource by its code, else the text of the reference."""
    substance = read(inside.get(reference.reference or "", NOTHING), _Medication)
    if substance and (inner := concept(substance.code)):
        return inner
    return CodeableConcept(text=reference.display) if reference.display else None
