"""Every medication resource of a record as exposures by ingredient, each resource once."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from fhir_plugin.facts.medications.dosage import NOTHING_SAID, Reading, read_dosage
from fhir_plugin.facts.medications.exposures import Exposure, Prescription, compared_days, prescribe, units_per_day
from fhir_plugin.facts.medications.products import Identified, Products
from fhir_plugin.facts.medications.reasons import is_depression, meanings
from fhir_plugin.facts.medications.sigs import Sig, read_sig
from fhir_plugin.facts.medications.supply import (
    NO_REQUEST,
    Fill,
    Taken,
    Window,
    administration_window,
    dispense_window,
    fill_of,
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
    Quantity,
    Reference,
    Timing,
    TimingRepeat,
)
from mappings.medications import Medications, Part, Policy, Product

INPUTS = ("medicationRequests", "medicationDispenses", "medicationStatements")
"""The inputs whose absence leaves the history open; administrations are read where they are."""

T = TypeVar("T", MedicationRequest, MedicationDispense, MedicationStatement, MedicationAdministration)

_CONFLICT = "conflicting_codes"
_CONDITIONAL = ("never", "if_depression")
_IN_ERROR = "entered-in-error"
"""How an ingredient counts that does not count whatever it was taken for."""


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
    """How many medication resources were looked at, ours or not; those entered in error say nothing."""
    nameless: int = 0
    """How many of them name no drug at all."""


class _Named:
    """One concept of a record: what it stands for. Compared as the object that it is, so that a key of it is quick."""

    __slots__ = ("found", "ours", "unconditional")

    def __init__(self, found: Identified, known: Medications, groups: frozenset[str]) -> None:
        product = found.product
        ingredients = [known.ingredients[part.ingredient] for part in product.parts] if product else []
        self.found = found
        self.ours = any(groups & ingredient.groups for ingredient in ingredients)
        """Whether it holds an ingredient of the groups that are read."""
        self.unconditional = not (product and product.use) and all(
            ingredient.counts not in _CONDITIONAL for ingredient in ingredients
        )
        """Whether it counts whatever it was taken for."""


class _Line:
    """What all records share that name the same drug, the same dosage and the same supply."""

    __slots__ = ("fill", "named", "prescriptions", "reading")

    def __init__(self, named: _Named, reading: Reading, fill: Fill) -> None:
        self.named = named
        self.reading = reading
        self.fill = fill
        self.prescriptions: dict[tuple[str, int, bool], Prescription] = {}


class _Reader:
    """Reads the resources of one record; what repeats (a concept, a dosage, a line) is read once."""

    def __init__(
        self, record: Record, known: Medications, policy: Policy, as_of: int, groups: frozenset[str], products: Products
    ) -> None:
        self._record = record
        self._known = known
        self._policy = policy
        self._as_of = as_of
        self._groups = groups
        self._products = products
        self._concepts: dict[CodeableConcept, _Named] = {}
        self._references: dict[Reference, _Named] = {}
        self._dosages: dict[tuple[Dosage, ...], Reading] = {}
        self._sigs: dict[str, Sig | None] = {}
        self._lines: dict[tuple[_Named, int, Quantity | None, Quantity | None], _Line] = {}
        self._ordered: dict[str, tuple[Dosage, ...]] = {}
        self.exposures: dict[str, list[Exposure]] = {}
        self.reasons: dict[str, list[Reason]] = {}
        self.unmapped: dict[str, Unmapped] = {}
        self.resources = 0
        self.nameless = 0

    def read(self) -> None:
        for order in self._all("medicationRequests", MedicationRequest):
            self._order(order)
        for dispense in self._all("medicationDispenses", MedicationDispense):
            self._dispense(dispense)
        for statement in self._all("medicationStatements", MedicationStatement):
            named = self._ours(statement)
            if named is not None:
                window = statement_window(statement, self._as_of, self._known)
                self._keep(statement, self._line(named, self._dosage(statement.dosage)), window)
        for given in self._all("medicationAdministrations", MedicationAdministration):
            named = self._ours(given)
            if named is not None:
                window = administration_window(given, self._as_of, self._known)
                self._keep(given, self._line(named, self._dosage(_given(given))), window)

    def _all(self, name: str, view: type[T]) -> list[T]:
        """The resources of an input, each id once."""
        found: list[T] = []
        seen: set[str] = set()
        for resource in self._record.all(name, view):
            if resource.id is not None:
                if resource.id in seen:
                    continue
                seen.add(resource.id)
            found.append(resource)
        self.resources += sum(resource.status != _IN_ERROR for resource in found)
        return found

    def _order(self, order: MedicationRequest) -> None:
        self._ordered[order.reference] = order.dosage_instruction
        named = self._ours(order)
        if named is None:
            return
        request = order.dispense_request or NO_REQUEST
        reading = self._dosage(order.dosage_instruction)
        line = self._line(named, reading, request.expected_supply_duration, request.quantity)
        self._keep(order, line, order_window(order, line.fill, self._as_of, self._known))

    def _dispense(self, dispense: MedicationDispense) -> None:
        named = self._ours(dispense)
        if named is None:
            return
        links = tuple(_local(link.reference) for link in dispense.authorizing_prescription if link.reference)
        dosage = dispense.dosage_instruction
        if links and not dosage and (dispense.quantity is None or dispense.days_supply is None):
            # without words it takes those of its order, but only where it has no arithmetic of its own
            dosage = next((self._ordered[link] for link in links if link in self._ordered), dosage)
        line = self._line(named, self._dosage(dosage), dispense.days_supply, dispense.quantity)
        self._keep(dispense, line, dispense_window(dispense, line.fill, self._as_of, self._known), links)

    def _dosage(self, elements: tuple[Dosage, ...]) -> Reading:
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

    def _ours(self, resource: Taken) -> _Named | None:
        """What the resource names, where it is of the groups; what looks like it and is not known is kept aside."""
        named = self._named(resource)
        if named.ours:
            return named
        found = named.found
        if found.unmapped:
            antidepressant = self._known.hints.look_antidepressant(found.label)
            self._keep_unmapped(Unmapped(found.label, resource.reference, antidepressant))
        elif not found.label and resource.status != _IN_ERROR:
            self.nameless += 1
        return None

    def _named(self, resource: Taken) -> _Named:
        concept = resource.medication_codeable_concept
        if concept is None:
            return self._referenced(resource)
        named = self._concepts.get(concept)
        if named is None:
            found = self._products.of(concept, None)
            named = self._concepts[concept] = _Named(found, self._known, self._groups)
        return named

    def _referenced(self, resource: Taken) -> _Named:
        reference, contained = resource.medication_reference, resource.contained
        named = self._references.get(reference) if reference and not contained else None
        if named is None:
            named = _Named(self._products.of(None, reference, contained), self._known, self._groups)
            if reference and not contained:
                self._references[reference] = named
        return named

    def _line(
        self, named: _Named, reading: Reading, supply: Quantity | None = None, quantity: Quantity | None = None
    ) -> _Line:
        """Readings live as long as this reader, so that the identity of one is as good as what it says."""
        mark = (named, id(reading), supply, quantity)
        line = self._lines.get(mark)
        if line is None:
            product = named.found.product
            units = units_per_day(reading, product.parts[0]) if product else None
            line = self._lines[mark] = _Line(named, reading, fill_of(supply, quantity, units, self._known))
        return line

    def _keep(self, resource: Taken, line: _Line, window: Window | None, links: tuple[str, ...] = ()) -> None:
        product = line.named.found.product
        if window is None or product is None:
            return
        if window.start is None and (line.fill.stated is not None or line.fill.quantity is not None):
            line = self._line(line.named, line.reading)
        reference = resource.reference
        for part in product.parts:
            self._expose(resource, reference, part, line, window, links)
        reasons, notes = stop_reasons(resource)
        said = meanings(reasons, notes, self._known) if reasons or notes else None
        if said:
            reason = Reason(said, reference, window.start)
            for part in product.parts:
                self.reasons.setdefault(part.ingredient, []).append(reason)

    def _expose(
        self, resource: Taken, reference: str, part: Part, line: _Line, window: Window, links: tuple[str, ...]
    ) -> None:
        found = line.named.found
        excluded, doubts = ((), ()) if line.named.unconditional else self._standing(found, part.ingredient, resource)
        if line.reading.prn:
            excluded = (*excluded, "prn")
        doubtful = bool(doubts) or _CONFLICT in found.flags
        prescription = self._prescription(line, part, window, doubtful=doubtful)
        flags = (*found.flags, *excluded, *doubts) if excluded or doubts else found.flags
        exposure = Exposure(prescription, window, reference, not excluded, flags, links)
        exposures = self.exposures.get(part.ingredient)
        if exposures is None:
            self.exposures[part.ingredient] = [exposure]
        else:
            exposures.append(exposure)

    def _prescription(self, line: _Line, part: Part, window: Window, *, doubtful: bool) -> Prescription:
        """Worked out once for all records that say the same."""
        days = compared_days(line.reading, line.fill, window)
        mark = (part.ingredient, days, doubtful)
        known = line.prescriptions.get(mark)
        if known is None:
            product = line.named.found.product or Product((part,))
            known = line.prescriptions[mark] = prescribe(
                product, part, line.reading, line.fill, days, self._known, self._policy, doubtful=doubtful
            )
        return known

    def _keep_unmapped(self, unmapped: Unmapped) -> None:
        name = unmapped.label.lower()
        self.unmapped[name] = min(unmapped, self.unmapped.get(name, unmapped))

    def _standing(self, found: Identified, ingredient: str, resource: Taken) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Flags that keep the record from counting, and flags that leave it in doubt."""
        known = self._known
        use = found.product.use if found.product else ""
        counts = known.ingredients[ingredient].counts
        if not use and counts not in _CONDITIONAL:
            return (), ()
        if counts == "never" or (use and known.uses[use].counts == "never"):
            return ("never_a_trial",), ()
        if is_depression(indications(resource), known):
            return (), ()
        return (("never_a_trial", "indication_unknown"), ()) if use else ((), ("indication_unknown",))


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
    return MedicationHistory(reader.exposures, reader.reasons, unmapped, reader.resources, reader.nameless)


def _local(reference: str) -> str:
    """``Type/id`` of a reference, absolute or not."""
    return "/".join(reference.rsplit("/", 2)[-2:])


def _given(given: MedicationAdministration) -> tuple[Dosage, ...]:
    """The dose of one administration as a dosage: once, on that day."""
    if given.dosage is None or given.dosage.dose is None:
        return ()
    once = Timing(repeat=TimingRepeat(frequency=1, period=1, period_unit="d"))
    return (Dosage(timing=once, dose_and_rate=(DoseAndRate(dose_quantity=given.dosage.dose),)),)
