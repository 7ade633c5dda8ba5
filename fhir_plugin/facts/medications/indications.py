"""What a drug was for, as its resources say: by code, by words, by reference, or by the order of a dispense."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from fhir_plugin.facts.medications.reasons import NOT_STATED, indication_of, purposes
from fhir_plugin.facts.medications.supply import MedicationResource, indications
from fhir_plugin.record.datatypes import CodeableConcept, Dosage, Reference
from fhir_plugin.record.lenient import decode_all
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Condition, MedicationRequest, MedicationStatement
from fhir_plugin.record.subjects import reference_parts
from mappings.schema.medications import Medications


class StatedReasons(NamedTuple):
    """Every reason that an order or a statement gives, once."""

    written: tuple[CodeableConcept, ...]
    """By code, by the name of what it refers to, in its sig."""
    noted: tuple[CodeableConcept, ...]
    """In its notes alone, of which nothing is kept."""


NOTHING_STATED = StatedReasons((), ())


def stated_reasons(entry: MedicationRequest | MedicationStatement, listed: Collection[str]) -> StatedReasons:
    """The reasons of one entry.

    ``listed`` are the references of the diagnoses that are read anyway; of them, the name is not needed.
    """
    dosages = entry.dosage_instruction if isinstance(entry, MedicationRequest) else entry.dosage
    coded = [*entry.reason_code, *_needed_for(dosages)]
    named = dict.fromkeys(_names_of_others(entry.reason_reference, listed)) if entry.reason_reference else {}
    named |= _purposes([words for dosage in dosages for words in (dosage.text, dosage.patient_instruction) if words])
    noted = _purposes([note.text for note in entry.note if note.text]) if entry.note else {}
    if not (coded or named or noted):
        return NOTHING_STATED
    return StatedReasons(
        (*coded, *[CodeableConcept(text=words) for words in named]),
        tuple([CodeableConcept(text=words) for words in noted if words not in named]),
    )


def _needed_for(dosages: Iterable[Dosage]) -> list[CodeableConcept]:
    """What the drug is taken for as needed."""
    return [reason for dosage in dosages if (reason := dosage.as_needed_codeable_concept)]


def _names_of_others(references: Iterable[Reference], listed: Collection[str]) -> list[str]:
    """The names by which references to diagnoses are shown that are not on the record."""
    return [
        reference.display
        for reference in references
        if reference.display and "/".join(reference_parts(reference.reference or "")[1:]) not in listed
    ]


_TIME = re.compile(r"\d+ (?:day|week|month)s?")
"""What a sig says the drug is taken for most often, and no reason."""


def _purposes(texts: Iterable[str]) -> dict[str, None]:
    """What the texts say that the drug is for, each once."""
    found = [purpose for text in texts for purpose in purposes(text)]
    return dict.fromkeys([purpose for purpose in found if not _TIME.fullmatch(purpose)]) if found else {}


class IndicationReader:
    """Reads the indications of one record; a dispense has that of the order that it names."""

    __slots__ = ("_by_order", "_codes", "_medications", "_record")

    def __init__(self, record: Record, medications: Medications) -> None:
        self._record = record
        self._medications = medications
        self._by_order: dict[str, str] = {}
        self._codes: Mapping[str, CodeableConcept] | None = None

    def of(self, resource: MedicationResource, orders: tuple[str, ...] = ()) -> str:
        """One of the results of `indication_of`; ``orders`` are references of the orders that a dispense names."""
        stated = indications(resource)
        references: tuple[Reference, ...] = getattr(resource, "reason_reference", ())
        if not stated and not references:
            return next((self._by_order[order] for order in orders if order in self._by_order), NOT_STATED)
        found = indication_of((*stated, *self._referenced(resource, references)), self._medications)
        if isinstance(resource, MedicationRequest):
            self._by_order[resource.reference] = found
        return found

    def _referenced(self, resource: MedicationResource, references: tuple[Reference, ...]) -> Iterator[CodeableConcept]:
        """What is referred to: a reason that cannot be found is a reason all the same."""
        inside: Mapping[str | None, CodeableConcept | None] | None = None
        for reference in references:
            target = reference.reference or ""
            if target.startswith("#"):
                inside = _codes_inside(resource) if inside is None else inside
                code = inside.get(target[1:])
            else:
                code = self._of_conditions().get("/".join(reference_parts(target)[1:]))
            yield code or CodeableConcept(text=reference.display or target)

    def _of_conditions(self) -> Mapping[str, CodeableConcept]:
        if self._codes is None:
            conditions = self._record.all("conditions", Condition)
            self._codes = {entry.reference: entry.code for entry in conditions if entry.code}
        return self._codes


def _codes_inside(resource: MedicationResource) -> Mapping[str | None, CodeableConcept | None]:
    """The codes of the conditions that it contains, by id; of one id, the first."""
    found: dict[str | None, CodeableConcept | None] = {}
    for entry in decode_all(resource.contained, Condition):
        found.setdefault(entry.id, entry.code)
    return found
