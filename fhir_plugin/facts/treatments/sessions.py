"""Single sessions of interventional treatments, from all kinds of resources that record them."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import msgspec

from fhir_plugin.facts.medications.products import resolve_medication
from fhir_plugin.facts.medications.supply import MedicationResource
from fhir_plugin.record.datatypes import CodeableConcept, Period
from fhir_plugin.record.dates import DaySpan, day_span
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import (
    AdministrationDosage,
    MedicationAdministration,
    MedicationDispense,
    MedicationRequest,
    MedicationStatement,
    Procedure,
    Resource,
)
from mappings.schema.treatments import Treatments
from mappings.schema.treatments.model import Treatment


class EvidenceStrength(StrEnum):
    """How much an entry proves."""

    GIVEN = "given"
    DISPENSED = "dispensed"
    STATED = "stated as taken"
    ORDERED = "ordered, not recorded as given"
    UNCLEAR = "not clear that it was given"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the record about one treatment."""

    treatment: str
    strength: EvidenceStrength
    span: DaySpan | None
    """The day, or the first and last day of an entry that summarises several sessions."""
    moment: str | None = None
    reference: str
    label: str = ""
    other_use: str = ""
    """Why it may have had another purpose; empty where nothing suggests that."""

    @property
    def day(self) -> date | None:
        """The day on which it was given, where a single day is known."""
        return self.span.first if self.span and self.span.first == self.span.last else None


_STRENGTH_BY_STATUS: dict[type[Resource], dict[str, EvidenceStrength]] = {
    Procedure: {
        "completed": EvidenceStrength.GIVEN,
        "in-progress": EvidenceStrength.GIVEN,
        "stopped": EvidenceStrength.UNCLEAR,
    },
    MedicationAdministration: {
        "completed": EvidenceStrength.GIVEN,
        "in-progress": EvidenceStrength.GIVEN,
        "stopped": EvidenceStrength.UNCLEAR,
    },
    MedicationDispense: {"completed": EvidenceStrength.DISPENSED},
    MedicationStatement: {
        "active": EvidenceStrength.STATED,
        "completed": EvidenceStrength.STATED,
        "stopped": EvidenceStrength.STATED,
        "on-hold": EvidenceStrength.STATED,
    },
    MedicationRequest: {
        "active": EvidenceStrength.ORDERED,
        "completed": EvidenceStrength.ORDERED,
        "stopped": EvidenceStrength.ORDERED,
    },
}


_NEVER = frozenset({"entered-in-error", "cancelled", "not-done", "on-hold"})
_NOTHING_GIVEN: dict[type[Resource], frozenset[str]] = {
    Procedure: _NEVER | {"preparation"},
    MedicationAdministration: _NEVER,
    MedicationDispense: _NEVER | {"preparation", "in-progress", "declined", "stopped"},
    MedicationStatement: _NEVER - {"on-hold"} | {"not-taken", "intended"},
    MedicationRequest: _NEVER | {"draft"},
}
"""Statuses by which nothing was given; any other that is not known leaves it open."""


def read_sessions(record: Record, treatments: Treatments) -> list[Session]:
    """All entries about the treatments, except those entered in error or not done."""
    lookup = _TreatmentLookup(treatments)
    found = [
        _session(procedure, procedure.status, procedure.code, _performed(procedure), lookup)
        for procedure in record.all("procedures", Procedure)
    ]
    found += [
        _drug_session(given, (given.effective_date_time, given.effective_period), record, lookup, given.dosage)
        for given in record.all("medicationAdministrations", MedicationAdministration)
    ]
    found += [
        _drug_session(dispense, (dispense.when_handed_over or dispense.when_prepared, None), record, lookup)
        for dispense in record.all("medicationDispenses", MedicationDispense)
    ]
    found += [
        _drug_session(
            stated, (stated.effective_date_time or stated.date_asserted, stated.effective_period), record, lookup
        )
        for stated in record.all("medicationStatements", MedicationStatement)
    ]
    found += [
        _drug_session(order, (order.authored_on, None), record, lookup)
        for order in record.all("medicationRequests", MedicationRequest)
        if order.is_order
    ]
    return [session for session in found if session]


class _TreatmentLookup:
    """Looks up the treatments of concepts, once per distinct concept of a record."""

    __slots__ = ("_seen", "treatments")

    def __init__(self, treatments: Treatments) -> None:
        self.treatments = treatments
        self._seen: dict[CodeableConcept, str] = {}

    def treatment(self, concept: CodeableConcept) -> str:
        """The treatment by the codes of the concept, else by its words; empty if it is none."""
        treatment = self._seen.get(concept)
        if treatment is None:
            words = " ".join(filter(None, (concept.text, *(coding.display for coding in concept.coding))))
            codes = ((coding.system, coding.code) for coding in concept.coding)
            treatment = self._seen[concept] = self.treatments.treatment_of(codes, words) or ""
        return treatment


Moment = tuple[str | None, Period | None]


def _performed(procedure: Procedure) -> Moment:
    return procedure.performed_date_time, procedure.performed_period


def _drug_session(
    resource: MedicationResource,
    moment: Moment,
    record: Record,
    lookup: _TreatmentLookup,
    dosage: AdministrationDosage | None = None,
) -> Session | None:
    session = _session(resource, resource.status, medication_concept(resource, record), moment, lookup)
    if session is None:
        return None
    doubt = _other_use(lookup.treatments[session.treatment], dosage)
    return msgspec.structs.replace(session, other_use=doubt) if doubt else session


def _session(
    resource: Resource, status: str | None, concept: CodeableConcept | None, moment: Moment, lookup: _TreatmentLookup
) -> Session | None:
    treatment = lookup.treatment(concept) if concept else ""
    if concept is None or not treatment or status in _NOTHING_GIVEN[type(resource)]:
        return None
    strength = _STRENGTH_BY_STATUS[type(resource)].get(status or "", EvidenceStrength.UNCLEAR)
    at, period = moment
    return Session(
        treatment=treatment,
        strength=strength,
        span=_span(at, period),
        moment=at or (period.start if period else None),
        reference=resource.reference,
        label=concept.label,
    )


def _span(at: str | None, period: Period | None) -> DaySpan | None:
    if at or period is None:
        return day_span(at)
    start, end = day_span(period.start), day_span(period.end)
    if start and end:
        return DaySpan(start.first, end.last)
    return start or end


def _other_use(treatment: Treatment, dosage: AdministrationDosage | None) -> str:
    """Why a dose may not have been given for depression: too high a dose, or another route; else empty."""
    if treatment.other_use is None or dosage is None:
        return ""
    limit = treatment.other_use.dose_above_mg.value
    dose = dosage.dose
    if dose and dose.value is not None and (dose.code or dose.unit or "").lower() == "mg" and dose.value > limit:
        return f"more than {limit} mg, as for anaesthesia"
    if dosage.route and treatment.routes:
        route = " ".join(filter(None, (dosage.route.text, *(c.display for c in dosage.route.coding)))).lower()
        if route and not any(word in treatment.routes for word in route.replace("-", " ").split()):
            return "by another route"
    return ""


def medication_concept(resource: MedicationResource, record: Record) -> CodeableConcept | None:
    """The concept of the drug: in the resource, of the Medication it refers to, or the display of the reference."""
    if resource.medication_codeable_concept:
        return resource.medication_codeable_concept
    reference = resource.medication_reference
    if reference is None:
        return None
    medication = resolve_medication(reference.reference, record.medications, resource.contained)
    if medication and medication.code:
        return medication.code
    return CodeableConcept(text=reference.display) if reference.display else None
