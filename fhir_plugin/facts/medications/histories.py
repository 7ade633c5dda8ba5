"""Every medication resource of a record as exposures by ingredient, each resource once."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple, TypeVar

from fhir_plugin.facts.medications.exposures import Exposure
from fhir_plugin.facts.medications.lines import CONDITIONAL, CONFLICT, MedicationLine, MedicationLines
from fhir_plugin.facts.medications.products import ProductReader
from fhir_plugin.facts.medications.reasons import is_depression, meanings
from fhir_plugin.facts.medications.supply import (
    NO_REQUEST,
    MedicationResource,
    SupplyWindow,
    administration_window,
    dispense_window,
    indications,
    order_window,
    statement_window,
)
from fhir_plugin.record.datatypes import Annotation, CodeableConcept, Dosage, DoseAndRate, Timing, TimingRepeat
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import (
    MedicationAdministration,
    MedicationDispense,
    MedicationRequest,
    MedicationStatement,
)
from mappings.schema.medications import Medications, ProductPart, TrialPolicy

INPUTS = ("medicationRequests", "medicationDispenses", "medicationStatements")
"""The inputs whose absence leaves the history open; administrations are read where they are."""

ResourceT = TypeVar("ResourceT", MedicationRequest, MedicationDispense, MedicationStatement, MedicationAdministration)

_IN_ERROR = "entered-in-error"


class UnmappedMedication(NamedTuple):
    """A name that looks psychotropic and that no table knows."""

    label: str
    reference: str
    antidepressant: bool
    """Whether it looks like an antidepressant."""


class StopReason(NamedTuple):
    """What one record says of why the drug was stopped or how it worked."""

    meanings: frozenset[str]
    reference: str
    start: int | None


class MedicationHistory(NamedTuple):
    """What a record says of every drug that the tables know."""

    exposures: dict[str, list[Exposure]]
    """By ingredient."""
    reasons: dict[str, list[StopReason]]
    unmapped: tuple[UnmappedMedication, ...]
    resources: int
    """How many medication resources were looked at, ours or not; those entered in error say nothing."""
    nameless: int = 0
    """How many of them name no drug at all."""


class _HistoryReader:
    """Reads the resources of one record, each once."""

    def __init__(self, record: Record, known: Medications, as_of: int, lines: MedicationLines) -> None:
        self._record = record
        self._known = known
        self._as_of = as_of
        self._lines = lines
        self._ordered: dict[str, tuple[Dosage, ...]] = {}
        self.exposures: defaultdict[str, list[Exposure]] = defaultdict(list)
        self.reasons: dict[str, list[StopReason]] = {}
        self.unmapped: dict[str, UnmappedMedication] = {}
        self.resources = 0
        self.nameless = 0

    def read(self) -> None:
        for order in self._all("medicationRequests", MedicationRequest):
            self._order(order)
        for dispense in self._all("medicationDispenses", MedicationDispense):
            self._dispense(dispense)
        for statement in self._all("medicationStatements", MedicationStatement):
            line = self._lines.of(statement, statement.dosage)
            if line.named.ours:
                window = statement_window(statement, self._as_of, self._known)
                self._keep(statement, line, window)
                if statement.status_reason or statement.note:
                    self._hear(statement, statement.status_reason, statement.note, line, window)
            else:
                self._set_aside(statement, line)
        for given in self._all("medicationAdministrations", MedicationAdministration):
            line = self._lines.of(given, _administered_dosage(given))
            if line.named.ours:
                self._keep(given, line, administration_window(given, self._as_of, self._known))
            else:
                self._set_aside(given, line)

    def _all(self, name: str, view: type[ResourceT]) -> list[ResourceT]:
        """The resources of an input, each id once."""
        found: list[ResourceT] = []
        seen: set[str] = set()
        for resource in self._record.input(name).resources:
            if not isinstance(resource, view):
                continue
            if resource.id is not None:
                if resource.id in seen:
                    continue
                seen.add(resource.id)
            found.append(resource)
            if resource.status != _IN_ERROR:
                self.resources += 1
        return found

    def _order(self, order: MedicationRequest) -> None:
        dosage = self._ordered[order.reference] = order.dosage_instruction
        request = order.dispense_request or NO_REQUEST
        line = self._lines.of(order, dosage, request.expected_supply_duration, request.quantity)
        if line.named.ours:
            window = order_window(order, line.fill, self._as_of, self._known)
            self._keep(order, line, window)
            if order.status_reason is not None or order.note:
                reasons = (order.status_reason,) if order.status_reason else ()
                self._hear(order, reasons, order.note, line, window)
        else:
            self._set_aside(order, line)

    def _dispense(self, dispense: MedicationDispense) -> None:
        dosage = dispense.dosage_instruction
        links: tuple[str, ...] = ()
        if dispense.authorizing_prescription:
            links = tuple(
                _relative_reference(link.reference) for link in dispense.authorizing_prescription if link.reference
            )
            if not dosage and (dispense.quantity is None or dispense.days_supply is None):
                # without words it takes those of its order, but only where it has no arithmetic of its own
                dosage = next((self._ordered[link] for link in links if link in self._ordered), dosage)
        line = self._lines.of(dispense, dosage, dispense.days_supply, dispense.quantity)
        if line.named.ours:
            window = dispense_window(dispense, line.fill, self._as_of, self._known)
            self._keep(dispense, line, window, links)
            if dispense.note:
                self._hear(dispense, (), dispense.note, line, window)
        else:
            self._set_aside(dispense, line)

    def _set_aside(self, resource: MedicationResource, line: MedicationLine) -> None:
        """What is not of the groups: a name that looks psychotropic is kept, and a record without any is counted."""
        found = line.named.found
        if found.unmapped:
            antidepressant = self._known.hints.look_antidepressant(found.label)
            unmapped = UnmappedMedication(found.label, resource.reference, antidepressant)
            name = found.label.lower()
            self.unmapped[name] = min(unmapped, self.unmapped.get(name, unmapped))
        elif not found.label and resource.status != _IN_ERROR:
            self.nameless += 1

    def _keep(
        self,
        resource: MedicationResource,
        line: MedicationLine,
        window: SupplyWindow | None,
        links: tuple[str, ...] = (),
    ) -> None:
        if window is None:
            return
        if window.start is None and (line.fill.stated is not None or line.fill.quantity is not None):
            line = self._lines.bare(line)
        if line.named.unconditional:
            for each in line.prescriptions(window):
                exposure = Exposure(each, window, resource.reference, line.counted, line.flags, links)
                self.exposures[each.ingredient].append(exposure)
        else:
            for part in line.named.parts:
                self.exposures[part.ingredient].append(self._conditional(resource, part, line, window, links))

    def _hear(
        self,
        resource: MedicationResource,
        reasons: tuple[CodeableConcept, ...],
        notes: tuple[Annotation, ...],
        line: MedicationLine,
        window: SupplyWindow | None,
    ) -> None:
        """Why it was stopped, or how it worked."""
        if window is None:
            return
        said = meanings(reasons, [note.text for note in notes if note.text], self._known)
        if said:
            reason = StopReason(said, resource.reference, window.start)
            for part in line.named.parts:
                self.reasons.setdefault(part.ingredient, []).append(reason)

    def _conditional(
        self,
        resource: MedicationResource,
        part: ProductPart,
        line: MedicationLine,
        window: SupplyWindow,
        links: tuple[str, ...],
    ) -> Exposure:
        """An exposure to a product that counts only for some uses, or never."""
        excluded, doubts = self._standing(resource, part, line)
        doubtful = bool(doubts) or CONFLICT in line.named.found.flags
        prescription = line.prescription(part, window, doubtful=doubtful)
        flags = (*line.flags, *excluded, *doubts)
        return Exposure(prescription, window, resource.reference, line.counted and not excluded, flags, links)

    def _standing(
        self, resource: MedicationResource, part: ProductPart, line: MedicationLine
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Flags that keep the record from counting, and flags that leave it in doubt."""
        known = self._known
        product = line.named.found.product
        use = product.use if product else ""
        counts = known.ingredients[part.ingredient].counts
        if not use and counts not in CONDITIONAL:
            return (), ()
        if counts == "never" or (use and known.uses[use].counts == "never"):
            return ("never_a_trial",), ()
        if is_depression(indications(resource), known):
            return (), ()
        return (("never_a_trial", "indication_unknown"), ()) if use else ((), ("indication_unknown",))


def read_history(
    record: Record,
    known: Medications,
    policy: TrialPolicy,
    as_of: int,
    groups: frozenset[str],
    products: ProductReader | None = None,
) -> MedicationHistory:
    """The exposures of a record to ingredients of the groups, up to the day ``as_of`` (an ordinal)."""
    products = products or ProductReader(known, record.medications)
    reader = _HistoryReader(record, known, as_of, MedicationLines(known, policy, groups, products))
    reader.read()
    unmapped = tuple(sorted(reader.unmapped.values()))
    return MedicationHistory(reader.exposures, reader.reasons, unmapped, reader.resources, reader.nameless)


def _relative_reference(reference: str) -> str:
    """``Type/id`` of a reference, absolute or not."""
    return "/".join(reference.rsplit("/", 2)[-2:])


def _administered_dosage(given: MedicationAdministration) -> tuple[Dosage, ...]:
    """The dose of one administration as a dosage: once, on that day."""
    if given.dosage is None or given.dosage.dose is None:
        return ()
    once = Timing(repeat=TimingRepeat(frequency=1, period=1, period_unit="d"))
    return (Dosage(timing=once, dose_and_rate=(DoseAndRate(dose_quantity=given.dosage.dose),)),)
