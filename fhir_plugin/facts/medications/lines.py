"""What the records of one patient repeat: the same drug with the same dosage and the same supply, read once."""

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
"""How an ingredient counts that does not count whatever it was taken for."""

_LineKey: TypeAlias = tuple["CodeableConcept | NamedConcept", tuple[Dosage, ...], Quantity | None, Quantity | None]
"""What makes a line: a drug, a dosage, a supply and a quantity."""


class NamedConcept:
    """One concept of a record: what it stands for. Compared as the object that it is, so that a key of it is quick."""

    __slots__ = ("found", "ours", "parts", "unconditional")

    def __init__(self, found: IdentifiedProduct, known: Medications, groups: frozenset[str]) -> None:
        product = found.product
        self.found = found
        self.parts = product.parts if product else ()
        ingredients = [known.ingredients[part.ingredient] for part in self.parts]
        self.ours = any(groups & ingredient.groups for ingredient in ingredients)
        """Whether it holds an ingredient of the groups that are read."""
        self.unconditional = not (product and product.use) and all(
            ingredient.counts not in CONDITIONAL for ingredient in ingredients
        )
        """Whether it counts whatever it was taken for."""


class MedicationLine:
    """One drug with one dosage and one supply."""

    __slots__ = ("_days", "_known", "_policy", "_sure", "counted", "fill", "flags", "named", "reading")

    def __init__(
        self, named: NamedConcept, reading: DosageReading, fill: Fill, known: Medications, policy: TrialPolicy
    ) -> None:
        self.named = named
        self.reading = reading
        self.fill = fill
        self.counted = not reading.prn
        self.flags = named.found.flags if self.counted else (*named.found.flags, "prn")
        self._known = known
        self._policy = policy
        self._days = _compared_days(reading, fill)
        self._sure: tuple[Prescription, ...] = ()

    def prescriptions(self, window: SupplyWindow) -> tuple[Prescription, ...]:
        """What is taken of each part of the product, where only its codes can leave it in doubt."""
        if self._sure:
            return self._sure
        doubtful = CONFLICT in self.named.found.flags
        every = tuple(self.prescription(part, window, doubtful=doubtful) for part in self.named.parts)
        if self._days:
            self._sure = every
        return every

    def prescription(self, part: ProductPart, window: SupplyWindow, *, doubtful: bool) -> Prescription:
        """What is taken of one part of the product."""
        product = self.named.found.product or Product((part,))
        days = self._days or max(window.stop - (window.start or window.stop), 1)
        return read_prescription(
            product, part, self.reading, self.fill, days, self._known, self._policy, doubtful=doubtful
        )


_MAX_CACHED_LINES = 4096
_MAX_KEY_BYTES = 2048
"""Bytes of what a record says beyond which it is read anew each time."""


@lru_cache(maxsize=8)
def _line_cache(known: Medications, policy: TrialPolicy, groups: frozenset[str]) -> dict[_LineKey, MedicationLine]:  # noqa: ARG001 - the key
    """Lines that were read before, for whomever: what a prescription says does not depend on whose it is."""
    return {}


def clear_caches() -> None:
    """Empty the book of lines and that of sigs, so that the next record is read from scratch."""
    _line_cache.cache_clear()
    clear_sig_cache()


class MedicationLines:
    """The lines of one record; a concept, a dosage and a line that repeat are read once."""

    __slots__ = ("_line_cache", "_groups", "_known", "_lines", "_named", "_policy", "_products", "_readings", "_sigs")

    def __init__(
        self, known: Medications, policy: TrialPolicy, groups: frozenset[str], products: ProductReader
    ) -> None:
        self._book = _line_cache(known, policy, groups)
        self._known = known
        self._policy = policy
        self._groups = groups
        self._products = products
        self._named: dict[CodeableConcept | Reference, NamedConcept] = {}
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
        """The line of a record; of a drug that is not ours it says nothing but the name."""
        concept = taken.medication_codeable_concept
        if concept is None:
            return self._of_reference(taken, dosage, supply, quantity)
        mark = (concept, dosage, supply, quantity)
        line = self._book.get(mark)
        if line is None:
            line = self._lines.get(mark)
            if line is None:
                line = self._new(self._identified(concept), dosage, supply, quantity)
                self._keep(mark, line)
        return line

    def _of_reference(
        self, taken: MedicationResource, dosage: tuple[Dosage, ...], supply: Quantity | None, quantity: Quantity | None
    ) -> MedicationLine:
        named = self._referenced(taken)
        mark = (named, dosage, supply, quantity)
        line = self._lines.get(mark)
        if line is None:
            line = self._lines[mark] = self._new(named, dosage, supply, quantity)
        return line

    def _new(
        self, named: NamedConcept, dosage: tuple[Dosage, ...], supply: Quantity | None, quantity: Quantity | None
    ) -> MedicationLine:
        reading = self._reading(dosage) if named.ours else NO_DOSAGE
        return self._line(named, reading, supply, quantity)

    def _keep(self, mark: _LineKey, line: MedicationLine) -> None:
        """In the book what is small, so that no request can make it large; with this record what is not."""
        phases = len(line.reading.structured or ()) + len(line.reading.text or ())
        if phases > MAX_CACHED_PHASES or len(msgspec.msgpack.encode(mark)) > _MAX_KEY_BYTES:
            self._lines[mark] = line
            return
        if len(self._book) >= _MAX_CACHED_LINES:
            self._book.clear()
        self._book[mark] = line

    def bare(self, line: MedicationLine) -> MedicationLine:
        """The same without its supply, which says nothing where no day is known."""
        return self._line(line.named, line.reading, None, None)

    def _line(
        self, named: NamedConcept, reading: DosageReading, supply: Quantity | None, quantity: Quantity | None
    ) -> MedicationLine:
        units = units_per_day(reading, named.parts[0]) if named.parts else None
        return MedicationLine(named, reading, fill_of(supply, quantity, units, self._known), self._known, self._policy)

    def _identified(self, concept: CodeableConcept) -> NamedConcept:
        named = self._named.get(concept)
        if named is None:
            found = self._products.of(concept, None)
            named = self._named[concept] = NamedConcept(found, self._known, self._groups)
        return named

    def _referenced(self, taken: MedicationResource) -> NamedConcept:
        reference, contained = taken.medication_reference, taken.contained
        named = self._named.get(reference) if reference and not contained else None
        if named is None:
            named = NamedConcept(self._products.of(None, reference, contained), self._known, self._groups)
            if reference and not contained:
                self._named[reference] = named
        return named

    def _reading(self, elements: tuple[Dosage, ...]) -> DosageReading:
        reading = self._readings.get(elements)
        if reading is None:
            reading = self._readings[elements] = read_dosage(elements, self._known, self._sig)
        return reading

    def _sig(self, text: str) -> Sig | None:
        if text not in self._sigs:
            self._sigs[text] = read_sig(text, self._known.sig_words)
        return self._sigs[text]


def _compared_days(reading: DosageReading, fill: Fill) -> int:
    """The days over which two readings of a dose are compared: one fill, or the whole window (0).

    Where there is only one reading, or neither changes with the days, any number will do.
    """
    if fill.stated is not None:
        return int(fill.stated)
    structured, text = reading.structured, reading.text
    return 1 if not structured or not text or len(structured) == len(text) == 1 else 0
