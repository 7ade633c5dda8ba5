"""Every medication resource of a record as exposures by ingredient, each resource once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from fhir_plugin.facts.medications.dosage import NOTHING_SAID, Reading, read_dosage
from fhir_plugin.facts.medications.exposures import Exposure, Prescription, days_of_window, prescribe, units_per_day
from fhir_plugin.facts.medications.products import Identified, Products
from fhir_plugin.facts.medications.reasons import is_depression, meanings
from fhir_plugin.facts.medications.sigs import Sig, read_sig
from fhir_plugin.facts.medications.supply import (
    Taken,
    Window,
    administration_window,
    dispense_window,
    indications,
    order_window,
    statement_window,
    stop_reasons,
)
from fhir_plugin.record import Record
from fhir_plugin.resources import (
    CodeableConcept,
    Dosage,
    DoseAndRate,
    MedicationAdministration,
    MedicationDispense,
    MedicationRequest,
    MedicationStatement,
    Timing,
    TimingRepeat,
)
from mappings.medications import Medications, Part, Policy, Product

INPUTS = ("medicationRequests", "medicationDispenses", "medicationStatements")
"""The inputs whose absence leaves the history open; administrations are read where they are."""

T = TypeVar("T", MedicationRequest, MedicationDispense, MedicationStatement, MedicationAdministration)

_CONFLICT = "conflicting_codes"


class Unmapped(NamedTuple):
    """A name that looks psychotropic and that no table knows."""

    label: str
    reference: str
    antidepressant: bool
    """Whether it looks like an antidepressant."""


class Reason(NamedTuple):
    """What one record says of why the drug was stopped or how it worked."""

    meanings: frozenset[str]
    reference: str
    start: int | None


class MedicationHistory(NamedTuple):
    """What a record says of every drug that the tables know."""

    exposures: dict[str, list[Exposure]]
    """By ingredient."""
    reasons: dict[str, list[Reason]]
    unmapped: tuple[Unmapped, ...]
    resources: int
    """How many medication resources were looked at, ours or not."""


class _Reader:
    """Reads the resources of one record; what repeats (a concept, a dosage) is read once."""

    def __init__(
        self, record: Record, known: Medications, policy: Policy, as_of: int, groups: frozenset[str], products: Products
    ) -> None:
        self._record = record
        self._known = known
        self._policy = policy
        self._as_of = as_of
        self._groups = groups
        self._products = products
        self._relevance: dict[Identified, bool] = {}
        self._dosages: dict[tuple[Dosage, ...], Reading] = {}
        self._sigs: dict[str, Sig | None] = {}
        self._prescriptions: dict[tuple[object, ...], Prescription] = {}
        self._orders: dict[str, Reading] = {}
        self.exposures: dict[str, list[Exposure]] = {}
        self.reasons: dict[str, list[Reason]] = {}
        self.unmapped: dict[str, Unmapped] = {}
        self.resources = 0
        self._seen: set[tuple[str, str]] = set()

    def read(self) -> None:
        for order in self._all("medicationRequests", MedicationRequest):
            self._read(order, self.dosage(order.dosage_instruction), ())
        for dispense in self._all("medicationDispenses", MedicationDispense):
            links = tuple(_local(link.reference) for link in dispense.authorizing_prescription if link.reference)
            self._read(dispense, self.dosage(dispense.dosage_instruction), links)
        for statement in self._all("medicationStatements", MedicationStatement):
            self._read(statement, self.dosage(statement.dosage), ())
        for given in self._all("medicationAdministrations", MedicationAdministration):
            self._read(given, self.dosage(_given(given)), ())

    def _all(self, name: str, view: type[T]) -> Iterator[T]:
        for resource in self._record.all(name, view):
            if resource.id is not None:
                mark = (name, resource.id)
                if mark in self._seen:
                    continue
                self._seen.add(mark)
            self.resources += 1
            yield resource

    def dosage(self, elements: tuple[Dosage, ...]) -> Reading:
        if not elements:
            return NOTHING_SAID
        reading = self._dosages.get(elements)
        if reading is None:
            reading = self._dosages[elements] = read_dosage(elements, self._known, self._sig)
        return reading

    def _sig(self, text: str) -> Sig | None:
        if text not in self._sigs:
            self._sigs[text] = read_sig(text, self._known.sig_words)
        return self._sigs[text]

    def _read(self, resource: Taken, reading: Reading, links: tuple[str, ...]) -> None:
        found = self._products.of(
            resource.medication_codeable_concept, resource.medication_reference, resource.contained
        )
        reference = resource.reference
        if isinstance(resource, MedicationRequest):
            self._orders[reference] = reading
        if found.product is None:
            if found.unmapped:
                self._keep_unmapped(
                    Unmapped(found.label, reference, self._known.hints.look_antidepressant(found.label))
                )
            return
        ours = self._relevance.get(found)
        if ours is None:
            ours = self._relevance[found] = self._is_ours(found.product)
        if not ours:
            return
        if links and reading is NOTHING_SAID and self._inherits(resource):
            reading = next((self._orders[link] for link in links if link in self._orders), reading)
        window = self._window(resource, reading, found)
        if window is not None:
            for part in found.product.parts:
                self._expose(resource, found, part, reading, window, links)

    def _is_ours(self, product: Product) -> bool:
        return any(self._groups & self._known.ingredients[part.ingredient].groups for part in product.parts)

    def _expose(
        self,
        resource: Taken,
        found: Identified,
        part: Part,
        reading: Reading,
        window: Window,
        links: tuple[str, ...],
    ) -> None:
        excluded, doubts = self._standing(found, part.ingredient, resource)
        if reading.prn:
            excluded = (*excluded, "prn")
        doubtful = bool(doubts) or _CONFLICT in found.flags
        prescription = self._prescription(found, part, reading, window, doubtful=doubtful)
        flags = (*found.flags, *excluded, *doubts)
        reference = resource.reference
        exposure = Exposure(prescription, window, reference, not excluded, flags, links)
        self.exposures.setdefault(part.ingredient, []).append(exposure)
        reasons, notes = stop_reasons(resource)
        if reasons or notes:
            self._keep_reasons(reasons, notes, part.ingredient, Reason(frozenset(), reference, window.start))

    def _prescription(
        self, found: Identified, part: Part, reading: Reading, window: Window, *, doubtful: bool
    ) -> Prescription:
        """Worked out once for all records that say the same; readings live as long as this reader."""
        quantity = window.quantity
        supplied = (quantity.value, quantity.code, quantity.unit) if quantity is not None else None
        days = window.fill_days or days_of_window(window)
        mark = (found, part.ingredient, id(reading), days, window.fill_days is None, supplied, doubtful)
        known = self._prescriptions.get(mark)
        if known is None:
            product = found.product or Product((part,))
            known = prescribe(product, part, reading, window, self._known, self._policy, doubtful=doubtful)
            self._prescriptions[mark] = known
        return known

    def _keep_unmapped(self, unmapped: Unmapped) -> None:
        name = unmapped.label.lower()
        self.unmapped[name] = min(unmapped, self.unmapped.get(name, unmapped))

    def _inherits(self, resource: Taken) -> bool:
        """Whether a dispense without words may take those of its order: only where it has no arithmetic of its own."""
        return isinstance(resource, MedicationDispense) and (resource.quantity is None or resource.days_supply is None)

    def _window(self, resource: Taken, reading: Reading, found: Identified) -> Window | None:
        if isinstance(resource, MedicationStatement):
            return statement_window(resource, self._as_of, self._known)
        if isinstance(resource, MedicationAdministration):
            return administration_window(resource, self._as_of, self._known)
        units = units_per_day(reading, found.product.parts[0]) if found.product else None
        if isinstance(resource, MedicationDispense):
            return dispense_window(resource, units, self._as_of, self._known)
        return order_window(resource, units, self._as_of, self._known)

    def _standing(self, found: Identified, ingredient: str, resource: Taken) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Flags that keep the record from counting, and flags that leave it in doubt."""
        known = self._known
        use = found.product.use if found.product else ""
        counts = known.ingredients[ingredient].counts
        if not use and counts not in ("never", "if_depression"):
            return (), ()
        if counts == "never" or (use and known.uses[use].counts == "never"):
            return ("never_a_trial",), ()
        if is_depression(indications(resource), known):
            return (), ()
        return (("never_a_trial", "indication_unknown"), ()) if use else ((), ("indication_unknown",))

    def _keep_reasons(
        self, reasons: tuple[CodeableConcept, ...], notes: tuple[str, ...], ingredient: str, reason: Reason
    ) -> None:
        found = meanings(reasons, notes, self._known)
        if found:
            self.reasons.setdefault(ingredient, []).append(reason._replace(meanings=found))


def read_history(
    record: Record,
    known: Medications,
    policy: Policy,
    as_of: int,
    groups: frozenset[str],
    products: Products | None = None,
) -> MedicationHistory:
    """The exposures of a record to ingredients of the groups, up to the day ``as_of`` (an ordinal)."""
    products = products or Products(known, record.medications)
    reader = _Reader(record, known, policy, as_of, groups, products)
    reader.read()
    unmapped = tuple(sorted(reader.unmapped.values()))
    return MedicationHistory(reader.exposures, reader.reasons, unmapped, reader.resources)


def _local(reference: str) -> str:
    """``Type/id`` of a reference, absolute or not."""
    return "/".join(reference.rsplit("/", 2)[-2:])


def _given(given: MedicationAdministration) -> tuple[Dosage, ...]:
    """The dose of one administration as a dosage: once, on that day."""
    if given.dosage is None or given.dosage.dose is None:
        return ()
    once = Timing(repeat=TimingRepeat(frequency=1, period=1, period_unit="d"))
    return (Dosage(timing=once, dose_and_rate=(DoseAndRate(dose_quantity=given.dosage.dose),)),)
