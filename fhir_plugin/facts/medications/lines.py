"""Medication lines: the same drug with the same dosage and supply, which records repeat often, is interpreted once.

Across records are cached the drugs by their concepts, what dosages say by their fields and words, and the lines by what
they mean: sigs differ more than what they say. A line holds what a prescription says, never whose it is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, TypeAlias

import msgspec

from fhir_plugin.facts.medications.dosage import DosageReader, DosageReading
from fhir_plugin.facts.medications.exposures import Prescription, read_prescription, units_per_day
from fhir_plugin.facts.medications.products import (
    MAX_KEY_BYTES,
    IdentifiedProduct,
    ProductReader,
    clear_product_cache,
)
from fhir_plugin.facts.medications.sigs import MAX_CACHED_PHASES, clear_sig_cache
from fhir_plugin.facts.medications.supply import Fill, MedicationResource, SupplyWindow, fill_of
from fhir_plugin.record.datatypes import CodeableConcept, Dosage, Quantity, Reference
from mappings.schema.base.kept import keep
from mappings.schema.medications import Medications, Product, ProductPart, TrialPolicy

CONFLICT = "conflicting_codes"
CONDITIONAL = ("never", "if_depression")
"""The ``counts`` values of ingredients that do not count for every indication."""


class NamedConcept:
    """The drug that one concept of a record stands for. Compared by identity, which makes it a cheap key."""

    __slots__ = ("drug", "in_groups", "kept", "parts", "unconditional")

    def __init__(
        self, drug: IdentifiedProduct, medications: Medications, groups: frozenset[str], *, kept: bool = False
    ) -> None:
        product = drug.product
        self.drug = drug
        self.kept = kept
        """Whether it is cached across records, and so may its lines be."""
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
        prescriptions = tuple([self.prescription(part, window, doubtful=doubtful) for part in self.concept.parts])
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


_LineKey: TypeAlias = tuple[NamedConcept, DosageReading, Quantity | None, Quantity | None]
"""The key of a line: a drug, what its dosage says, a supply and a quantity."""
_MAX_CACHED_LINES = 4096
_MAX_CACHED_CONCEPTS = 4096
_MAX_CACHED_READINGS = 4096


class _KeptLines(NamedTuple):
    """What is cached across records: it depends on no patient."""

    concepts: dict[CodeableConcept, NamedConcept]
    readings: dict[tuple[Dosage, ...], DosageReading]
    lines: dict[_LineKey, MedicationLine]

    def keep_concept(self, concept: CodeableConcept, named: NamedConcept) -> None:
        """Cache a drug; where there are too many all are dropped, with their lines."""
        if len(self.concepts) >= _MAX_CACHED_CONCEPTS:
            self.lines.clear()
        keep(self.concepts, concept, named, _MAX_CACHED_CONCEPTS)


@lru_cache(maxsize=8)
def _kept_lines(*_key: Medications | TrialPolicy | frozenset[str]) -> _KeptLines:
    return _KeptLines({}, {}, {})


def clear_caches() -> None:
    """Clear the caches of drugs, lines and sigs, so that the next record is read from scratch."""
    _kept_lines.cache_clear()
    clear_product_cache()
    clear_sig_cache()


class MedicationLines:
    """The lines of one record; repeated concepts, dosages and lines are read once.

    What may not be cached across records, because it is long, is cached for this one.
    """

    __slots__ = (
        "_concepts",
        "_dosages",
        "_groups",
        "_kept",
        "_lines",
        "_medications",
        "_policy",
        "_products",
        "_readings",
    )

    def __init__(
        self, medications: Medications, policy: TrialPolicy, groups: frozenset[str], products: ProductReader
    ) -> None:
        self._kept = _kept_lines(medications, policy, groups)
        self._medications = medications
        self._policy = policy
        self._groups = groups
        self._products = products
        self._dosages = DosageReader(medications)
        self._concepts: dict[CodeableConcept | Reference, NamedConcept] = {}
        self._readings: dict[tuple[Dosage, ...], DosageReading] = {}
        self._lines: dict[_LineKey, MedicationLine] = {}

    def concept(self, taken: MedicationResource) -> NamedConcept:
        """The drug of a resource."""
        concept = taken.medication_codeable_concept
        if concept is None:
            return self._referenced(taken)
        return self._kept.concepts.get(concept) or self._concepts.get(concept) or self._identified(concept)

    def of(
        self,
        named: NamedConcept,
        dosage: tuple[Dosage, ...],
        supply: Quantity | None = None,
        quantity: Quantity | None = None,
    ) -> MedicationLine:
        """The line of a drug with a dosage and a supply."""
        reading = self._kept.readings.get(dosage) or self._readings.get(dosage) or self._read(dosage)
        key = (named, reading, supply, quantity)
        return self._kept.lines.get(key) or self._lines.get(key) or self._new_line(key)

    def _read(self, dosage: tuple[Dosage, ...]) -> DosageReading:
        """What the dosage says; cached, across records if it is short."""
        reading = self._dosages.read(dosage)
        if _is_short(reading) and len(msgspec.msgpack.encode(dosage)) <= MAX_KEY_BYTES:
            keep(self._kept.readings, dosage, reading, _MAX_CACHED_READINGS)
        else:
            self._readings[dosage] = reading
        return reading

    def _new_line(self, key: _LineKey) -> MedicationLine:
        """The line, cached, across records if it is short."""
        line = self._line(*key)
        if _may_be_kept(key):
            keep(self._kept.lines, key, line, _MAX_CACHED_LINES)
        else:
            self._lines[key] = line
        return line

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
        drug = self._products.of(concept, None)
        kept = len(msgspec.msgpack.encode(concept)) <= MAX_KEY_BYTES
        named = NamedConcept(drug, self._medications, self._groups, kept=kept)
        if kept:
            self._kept.keep_concept(concept, named)
        else:
            self._concepts[concept] = named
        return named

    def _referenced(self, taken: MedicationResource) -> NamedConcept:
        reference, contained = taken.medication_reference, taken.contained
        named = self._concepts.get(reference) if reference and not contained else None
        if named is None:
            named = NamedConcept(self._products.of(None, reference, contained), self._medications, self._groups)
            if reference and not contained:
                self._concepts[reference] = named
        return named


def _may_be_kept(key: _LineKey) -> bool:
    """Whether a line may be cached across records: a small one, so that no request can fill the memory."""
    named, reading, supply, quantity = key
    return (
        named.kept and _is_short(reading) and len(msgspec.msgpack.encode((reading, supply, quantity))) <= MAX_KEY_BYTES
    )


def _is_short(reading: DosageReading) -> bool:
    return len(reading.structured or ()) + len(reading.text or ()) <= MAX_CACHED_PHASES


def _compared_days(reading: DosageReading, fill: Fill) -> int:
    """The days over which two readings of a dose are compared: one fill, or 0 for the whole window.

    Any number will do where there is only one reading, or where neither changes over time.
    """
    if fill.stated is not None:
        return int(fill.stated)
    structured, text = reading.structured, reading.text
    return 1 if not structured or not text or len(structured) == len(text) == 1 else 0
