"""The medication resources of a record, without duplicates, as exposures by ingredient."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple, TypeVar

from fhir_plugin.facts.medications.exposures import Exposure, reaches_minimum
from fhir_plugin.facts.medications.indications import IndicationReader
from fhir_plugin.facts.medications.lines import CONDITIONAL, CONFLICT, MedicationLine, MedicationLines
from fhir_plugin.facts.medications.products import IdentifiedProduct, ProductReader, may_be_antidepressant
from fhir_plugin.facts.medications.reasons import (
    NOT_STATED,
    NOT_TAKEN,
    STATED_DEPRESSION,
    STATED_OTHER,
    is_depression,
    meanings,
)
from fhir_plugin.facts.medications.supply import (
    NO_REQUEST,
    MedicationResource,
    SupplyWindow,
    administration_window,
    dispense_window,
    doubted,
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
"""The inputs without which the history is incomplete; administrations are read where present."""

ResourceT = TypeVar("ResourceT", MedicationRequest, MedicationDispense, MedicationStatement, MedicationAdministration)

_IN_ERROR = "entered-in-error"
_NOTHING_SAID: frozenset[str] = frozenset()


class UnmappedMedication(NamedTuple):
    """A drug that is not recognised, or an antidepressant without a dose table."""

    label: str
    reference: str
    antidepressant: bool
    """Whether it may be an antidepressant: it does not look like another psychotropic drug."""


class StopReason(NamedTuple):
    """Why a drug was stopped or how it worked, according to one resource."""

    meanings: frozenset[str]
    reference: str
    start: int | None


class MedicationHistory(NamedTuple):
    """The exposures to every drug of the tables, and what could not be recognised."""

    exposures: dict[str, list[Exposure]]
    """By ingredient."""
    reasons: dict[str, list[StopReason]]
    unmapped: tuple[UnmappedMedication, ...]
    resources: int
    """Number of medication resources of any drug, without those entered in error."""
    nameless: int = 0
    """How many of these name no drug at all."""


class _HistoryReader:
    """Reads the resources of one record, skipping repeated ids."""

    def __init__(self, record: Record, medications: Medications, as_of: int, lines: MedicationLines) -> None:
        self._record = record
        self._medications = medications
        self._as_of = as_of
        self._lines = lines
        self._ordered: dict[str, tuple[Dosage, ...]] = {}
        """The dosages of the orders, by reference, where there are dispenses."""
        self._has_dispenses = bool(record.input("medicationDispenses").resources)
        self._indications = IndicationReader(record, medications)
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
            concept = self._lines.concept(statement)
            if concept.in_groups:
                line = self._lines.of(concept, statement.dosage)
                window = statement_window(statement, self._as_of, self._medications)
                said = self._said(statement.status_reason, statement.note)
                self._keep(statement, line, window, said=said)
                self._add_reason(statement, said, line, window)
            else:
                self._set_aside(statement, concept.drug)
        for administration in self._all("medicationAdministrations", MedicationAdministration):
            concept = self._lines.concept(administration)
            if concept.in_groups:
                line = self._lines.of(concept, _administered_dosage(administration))
                self._keep(administration, line, administration_window(administration, self._as_of, self._medications))
            else:
                self._set_aside(administration, concept.drug)

    def _all(self, name: str, view: type[ResourceT]) -> list[ResourceT]:
        """The resources of an input without repeated ids."""
        resources: list[ResourceT] = []
        seen: set[str] = set()
        for resource in self._record.input(name).resources:
            if not isinstance(resource, view):
                continue
            if resource.id is not None:
                if resource.id in seen:
                    continue
                seen.add(resource.id)
            resources.append(resource)
            if resource.status != _IN_ERROR:
                self.resources += 1
        return resources

    def _order(self, order: MedicationRequest) -> None:
        dosage = order.dosage_instruction
        if self._has_dispenses:
            self._ordered[order.reference] = dosage
        concept = self._lines.concept(order)
        if not concept.in_groups:
            self._set_aside(order, concept.drug)
            return
        request = order.dispense_request or NO_REQUEST
        line = self._lines.of(concept, dosage, request.expected_supply_duration, request.quantity)
        window = order_window(order, line.fill, self._as_of, self._medications)
        said = self._said((order.status_reason,) if order.status_reason else (), order.note)
        self._keep(order, line, window, said=said)
        self._add_reason(order, said, line, window)

    def _dispense(self, dispense: MedicationDispense) -> None:
        concept = self._lines.concept(dispense)
        if not concept.in_groups:
            self._set_aside(dispense, concept.drug)
            return
        dosage = dispense.dosage_instruction
        links: tuple[str, ...] = ()
        if dispense.authorizing_prescription:
            links = tuple(
                _relative_reference(link.reference) for link in dispense.authorizing_prescription if link.reference
            )
            if not dosage and (dispense.quantity is None or dispense.days_supply is None):
                # a dispense without a dosage takes that of its order, unless its own supply gives the daily dose
                dosage = next((self._ordered[link] for link in links if link in self._ordered), dosage)
        line = self._lines.of(concept, dosage, dispense.days_supply, dispense.quantity)
        window = dispense_window(dispense, line.fill, self._as_of, self._medications)
        said = self._said((), dispense.note)
        self._keep(dispense, line, window, links, said=said)
        self._add_reason(dispense, said, line, window)

    def _set_aside(self, resource: MedicationResource, drug: IdentifiedProduct) -> None:
        """Note a drug outside the groups that is not recognised, and count one without a name."""
        if resource.status == _IN_ERROR:
            return
        if drug.other_antidepressant or (drug.in_doubt and drug.label):
            unmapped = UnmappedMedication(
                drug.label, resource.reference, may_be_antidepressant(drug, self._medications)
            )
            name = drug.label.lower()
            self.unmapped[name] = min(unmapped, self.unmapped.get(name, unmapped))
        elif not drug.label or _is_only_a_reference(resource, drug.label):
            self.nameless += 1

    def _keep(
        self,
        resource: MedicationResource,
        line: MedicationLine,
        window: SupplyWindow | None,
        links: tuple[str, ...] = (),
        *,
        said: frozenset[str] = _NOTHING_SAID,
    ) -> None:
        if window is None:
            return
        if NOT_TAKEN in said:
            window = doubted(window)
        if window.start is None and (line.fill.stated is not None or line.fill.quantity is not None):
            line = self._lines.bare(line)
        indication = self._indications.of(resource, links) or line.reading.indication
        if line.concept.unconditional and indication in (NOT_STATED, STATED_DEPRESSION):
            for prescription in line.prescriptions(window):
                exposure = Exposure(prescription, window, resource.reference, line.counted, line.flags, links)
                self.exposures[prescription.ingredient].append(exposure)
        else:
            for part in line.concept.parts:
                self.exposures[part.ingredient].append(
                    self._conditional(resource, part, line, window, links, indication)
                )

    def _said(self, reasons: tuple[CodeableConcept, ...], notes: tuple[Annotation, ...]) -> frozenset[str]:
        """What reasons and notes say of why the drug was stopped, how it worked, or that it was not taken."""
        if not reasons and not notes:
            return _NOTHING_SAID
        return meanings(reasons, [note.text for note in notes if note.text], self._medications)

    def _add_reason(
        self, resource: MedicationResource, said: frozenset[str], line: MedicationLine, window: SupplyWindow | None
    ) -> None:
        """Keep why the drug was stopped, or how it worked."""
        if window is None or not said:
            return
        reason = StopReason(said, resource.reference, window.start)
        for part in line.concept.parts:
            self.reasons.setdefault(part.ingredient, []).append(reason)

    def _conditional(
        self,
        resource: MedicationResource,
        part: ProductPart,
        line: MedicationLine,
        window: SupplyWindow,
        links: tuple[str, ...],
        indication: str,
    ) -> Exposure:
        """The exposure to a product that counts only for some indications, or never; a dose too low stays too low."""
        excluded, doubts = self._exclusions(resource, part, line, indication)
        conflict = CONFLICT in line.concept.drug.flags
        prescription = line.prescription(part, window, doubtful=conflict)
        if doubts and reaches_minimum(prescription):
            prescription = line.prescription(part, window, doubtful=True)
        flags = (*line.flags, *excluded, *doubts)
        return Exposure(prescription, window, resource.reference, line.counted and not excluded, flags, links)

    def _exclusions(
        self, resource: MedicationResource, part: ProductPart, line: MedicationLine, indication: str
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Flags that exclude the resource from counting, and flags that make its dose doubtful."""
        medications = self._medications
        product = line.concept.drug.product
        use = product.use if product else ""
        counts = medications.ingredients[part.ingredient].counts
        if not use and counts not in CONDITIONAL:
            return self._by_indication(part, indication)
        if counts == "never" or (use and medications.uses[use].counts == "never"):
            return ("never_a_trial",), ()
        if is_depression(indications(resource), medications):
            return (), ()
        return (("never_a_trial", "indication_unknown"), ()) if use else ((), ("indication_unknown",))

    def _by_indication(self, part: ProductPart, indication: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        antidepressant = "antidepressant" in self._medications.ingredients[part.ingredient].groups
        if not antidepressant or indication in (NOT_STATED, STATED_DEPRESSION):
            return (), ()
        return (("other_indication",), ()) if indication == STATED_OTHER else ((), ("indication_open",))


def read_history(
    record: Record,
    medications: Medications,
    policy: TrialPolicy,
    as_of: int,
    groups: frozenset[str],
    products: ProductReader | None = None,
) -> MedicationHistory:
    """The exposures of a record to ingredients of the groups, up to the day ``as_of`` (an ordinal)."""
    products = products or ProductReader(medications, record.medications)
    reader = _HistoryReader(record, medications, as_of, MedicationLines(medications, policy, groups, products))
    reader.read()
    unmapped = tuple(sorted(reader.unmapped.values()))
    return MedicationHistory(reader.exposures, reader.reasons, unmapped, reader.resources, reader.nameless)


def _is_only_a_reference(resource: MedicationResource, label: str) -> bool:
    """Whether the drug is named by nothing but a reference that could not be followed."""
    reference = resource.medication_reference
    return resource.medication_codeable_concept is None and reference is not None and reference.reference == label


def _relative_reference(reference: str) -> str:
    """``Type/id`` of a reference, absolute or not."""
    return "/".join(reference.rsplit("/", 2)[-2:])


def _administered_dosage(administration: MedicationAdministration) -> tuple[Dosage, ...]:
    """The dose of one administration as a dosage: once on that day."""
    if administration.dosage is None or administration.dosage.dose is None:
        return ()
    once = Timing(repeat=TimingRepeat(frequency=1, period=1, period_unit="d"))
    return (Dosage(timing=once, dose_and_rate=(DoseAndRate(dose_quantity=administration.dosage.dose),)),)
