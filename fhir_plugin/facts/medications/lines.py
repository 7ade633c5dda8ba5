"""Medication lines: the same drug with the same dosage and supply, which records repeat often, is read once.

Lines are cached across records. A line holds what a prescription says, never whose it is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import msgspec

from fhir_plugin.facts.medications.dosage import NO_DOSAGE, DosageReading, read_dosage
from fhir_plugin.facts.medications.exposures import Prescription, read_prescription, units_per_day
from fhir_plugin.facts.medications.products import IdentifiedProduct, ProductReader
from fhir_plugin.facts.medications.sigs import MAX_CACHED_PHASES, clear_sig_cache, read_sig
from fhir_plugin.facts.medications.sigs.stages import Sig
from fhir_plugin.facts.medications.supply import Fill, MedicationResource, SupplyWindow, fill_of
from fhir_plugin.record.datatypes import CodeableConcept, Dosage, Quantity, Reference
from mappings.schema.medications import Medications, Product, ProductPart, TrialPolicy

CONFLICT = "conflicting_codes"
CONDITIONAL = ("never", "if_depression")
"""The ``counts`` values of ingredients that do not count for every indication."""

_LineKey: TypeAlias = tuple["CodeableConcept | NamedConcept", tuple[Dosage, ...], Quantity | None, Quantity | None]
"""The key of a line: a drug, a dosage, a supply and a quantity."""


class NamedConcept:
    """The drug that one concept of a record stands for. Compared by identity, which makes it a cheap key."""

    __slots__ = ("drug", "in_groups", "parts", "unconditional")

    def __init__(self, drug: IdentifiedProduct, medications: Medications, groups: frozenset[str]) -> None:
        product = drug.product
        self.drug = drug
        self.parts = product.parts if product else ()
        ingredients = [medications.ingredients[part.ingredient] for part in self.parts]
        self.in_groups = any(groups & ingredient.groups for ingredient in ingredients)
        """Whether it contains an ingredient of the groups that are read."""
        self.unconditional = not (product and product.use) and all(
            ingredient.counts not in CONDITIONAL for ingredient in ingredients
        )
        """Whether it counts for every indication."""


class MedicationLine:
    """One drug with one dosage and one supply."""

    __slots__ = ("_days", "_medications", "_policy", "_prescriptions", "concept", "counted", "fill", "flags", "reading")

    def __init__(
        self, concept: NamedConcept, reading: DosageReading, fill: Fill, medications: Medications, policy: TrialPolicy
    ) -> None:
        self.concept = concept
        self.reading = reading
        self.fill = fill
        self.counted = not reading.prn
        self.flags = concept.drug.flags if self.counted else (*concept.drug.flags, "prn")
        self._medications = medications
        self._policy = policy
        self._days = _compared_days(reading, fill)
        self._prescriptions: tuple[Prescription, ...] = ()

    def prescriptions(self, window: SupplyWindow) -> tuple[Prescription, ...]:
        """The prescriptions of all parts of the product; only conflicting codes make their dose doubtful."""
        if self._prescriptions:
            return self._prescriptions
        doubtful = CONFLICT in self.concept.drug.flags
        prescriptions = tuple(self.prescription(part, window, doubtful=doubtful) for part in self.concept.parts)
        if self._days:
            self._prescriptions = prescriptions
        return prescriptions

    def prescription(self, part: ProductPart, window: SupplyWindow, *, doubtful: bool) -> Prescription:
        """The prescription of one part of the product."""
        product = self.concept.drug.product or Product((part,))
        days = self._days or max(window.stop - (window.start or window.stop), 1)
        return read_prescription(
            product, part, self.reading, self.fill, days, self._medications, self._policy, doubtful=doubtful
        )


_MAX_CACHED_LINES = 4096
_MAX_KEY_BYTES = 2048
"""Lines with a larger key are not cached across records."""


@lru_cache(maxsize=8)
def _line_cache(*_key: Medications | TrialPolicy | frozenset[str]) -> dict[_LineKey, MedicationLine]:
    """The lines cached across records: what a prescription says does not depend on the patient."""
    return {}


def clear_caches() -> None:
    """Clear the caches of lines and sigs, so that the next record is read from scratch."""
    _line_cache.cache_clear()
    clear_sig_cache()


class MedicationLines:
    """The lines of one record; repeated concepts, dosages and lines are read once."""

    __slots__ = (
        "_concepts",
        "_groups",
        "_line_cache",
        "_lines",
        "_medications",
        "_policy",
        "_products",
        "_readings",
        "_sigs",
    )

    def __init__(
        self, medications: Medications, policy: TrialPolicy, groups: frozenset[str], products: ProductReader
    ) -> None:
        self._line_cache = _line_cache(medications, policy, groups)
        self._medications = medications
        self._policy = policy
        self._groups = groups
        self._products = products
        self._concepts: dict[CodeableConcept | Reference, NamedConcept] = {}
        self._readings: dict[tuple[Dosage, ...], DosageReading] = {}
        self._sigs: dict[str, Sig | None] = {}
        self._lines: dict[_LineKey, MedicationLine] = {}

    def of(
        self,
        taken: MedicationResource,
        dosage: tuple[Dosage, ...],
        supply: Quantity | None = None,
        quantity: Quantity | None = None,
    ) -> MedicationLine:
        """The line of a resource; for a drug outside the groups it holds only the name."""
        concept = taken.medication_codeable_concept
        if concept is None:
            return self._of_reference(taken, dosage, supply, quantity)
        key = (concept, dosage, supply, quantity)
        line = self._line_cache.get(key)
        if line is None:
            line = self._lines.get(key)
            if line is None:
                line = self._new(self._identified(concept), dosage, supply, quantity)
                self._keep(key, line)
        return line

    def _of_reference(
        self, taken: MedicationResource, dosage: tuple[Dosage, ...], supply: Quantity | None, quantity: Quantity | None
    ) -> MedicationLine:
        named = self._referenced(taken)
        key = (named, dosage, supply, quantity)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = self._new(named, dosage, supply, quantity)
        return line

    def _new(
        self, named: NamedConcept, dosage: tuple[Dosage, ...], supply: Quantity | None, quantity: Quantity | None
    ) -> MedicationLine:
        reading = self._reading(dosage) if named.in_groups else NO_DOSAGE
        return self._line(named, reading, supply, quantity)

    def _keep(self, key: _LineKey, line: MedicationLine) -> None:
        """Cache small lines across records, large ones for this record only, so that no request can fill the memory."""
        phases = len(line.reading.structured or ()) + len(line.reading.text or ())
        if phases > MAX_CACHED_PHASES or len(msgspec.msgpack.encode(key)) > _MAX_KEY_BYTES:
            self._lines[key] = line
            return
        if len(self._line_cache) >= _MAX_CACHED_LINES:
            self._line_cache.clear()
        self._line_cache[key] = line

    def bare(self, line: MedicationLine) -> MedicationLine:
        """The line without its supply, which cannot be used where no day is known."""
        return self._line(line.concept, line.reading, None, None)

    def _line(
        self, named: NamedConcept, reading: DosageReading, supply: Quantity | None, quantity: Quantity | None
    ) -> MedicationLine:
        units = units_per_day(reading, named.parts[0]) if named.parts else None
        return MedicationLine(
            named, reading, fill_of(supply, quantity, units, self._medications), self._medications, self._policy
        )

    def _identified(self, concept: CodeableConcept) -> NamedConcept:
        named = self._concepts.get(concept)
        if named is None:
            drug = self._products.of(concept, None)
            named = self._concepts[concept] = NamedConcept(drug, self._medications, self._groups)
        return named

    def _referenced(self, taken: MedicationResource) -> NamedConcept:
        reference, contained = taken.medication_reference, taken.contained
        named = self._concepts.get(reference) if reference and not contained else None
        if named is None:
            named = NamedConcept(self._products.of(None, reference, contained), self._medications, self._groups)
            if reference and not contained:
                self._concepts[reference] = named
        return named

    def _reading(self, elements: tuple[Dosage, ...]) -> DosageReading:
        reading = self._readings.get(elements)
        if reading is None:
            reading = self._readings[elements] = read_dosage(elements, self._medications, self._sig)
        return reading

    def _sig(self, text: str) -> Sig | None:
        if text not in self._sigs:
            self._sigs[text] = read_sig(text, self._medications)
        return self._sigs[text]


def _compared_days(reading: DosageReading, fill: Fill) -> int:
    """The days over which two readings of a dose are compared: one fill, or 0 for the whole window.

    Any number will do where there is only one reading, or where neither changes over time.
    """
    if fill.stated is not None:
        return int(fill.stated)
    structured, text = reading.structured, reading.text
    return 1 if not structured or not text or len(structured) == len(text) == 1 else 0
