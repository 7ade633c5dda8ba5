"""Partial, fast views of the FHIR R4 resources that are read.

Only what is used is declared, so what real servers send beyond it, valid or not, costs nothing and breaks nothing.
A view is frozen. Numbers are ``float`` throughout, because servers write ``3``, ``3.0`` and ``"3"`` for the same
thing and only the last is wrong. Every field but ``resourceType`` may be missing.
"""

from __future__ import annotations

from typing import TypeAlias, Union

import msgspec

Raw = msgspec.Raw

UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not what they should be: of another shape, no JSON, no UTF-8, too deep."""


class Element(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """A FHIR element: camelCase in JSON, snake_case here, unknown members passed over."""


class Resource(msgspec.Struct, frozen=True, rename="camel", tag_field="resourceType", gc=False):
    """A FHIR resource; the class name is the ``resourceType``."""

    id: str | None = None
    meta: Meta | None = None

    @property
    def reference(self) -> str:
        """``Type/id``, or ``Type/?`` for a resource without an id."""
        return f"{type(self).__name__}/{self.id or '?'}"


# Data types


class Meta(Element, frozen=True):
    last_updated: str | None = None


class Coding(Element, frozen=True):
    system: str | None = None
    code: str | None = None
    display: str | None = None
    extension: tuple[Extension, ...] = ()


class CodeableConcept(Element, frozen=True):
    coding: tuple[Coding, ...] = ()
    text: str | None = None

    @property
    def label(self) -> str:
        """The words a person would read: the text, else the first display, else the first code."""
        if self.text:
            return self.text
        return next((c.display for c in self.coding if c.display), None) or next(
            (c.code for c in self.coding if c.code), ""
        )


class Quantity(Element, frozen=True):
    value: float | None = None
    comparator: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None


class Range(Element, frozen=True):
    low: Quantity | None = None
    high: Quantity | None = None


class Ratio(Element, frozen=True):
    numerator: Quantity | None = None
    denominator: Quantity | None = None


class Period(Element, frozen=True):
    start: str | None = None
    end: str | None = None


class Reference(Element, frozen=True):
    reference: str | None = None
    type: str | None = None
    display: str | None = None


class Identifier(Element, frozen=True):
    type: CodeableConcept | None = None
    system: str | None = None
    value: str | None = None


class PayorReference(Element, frozen=True):
    reference: str | None = None
    display: str | None = None
    identifier: Identifier | None = None


class HumanName(Element, frozen=True):
    use: str | None = None
    text: str | None = None
    family: str | None = None
    given: tuple[str, ...] = ()


class Extension(Element, frozen=True):
    url: str | None = None
    value_decimal: float | None = None
    value_integer: float | None = None
    value_string: str | None = None
    value_date_time: str | None = None
    value_coding: Coding | None = None


class Annotation(Element, frozen=True):
    text: str | None = None
    time: str | None = None


class TimingRepeat(Element, frozen=True):
    bounds_duration: Quantity | None = None
    bounds_range: Range | None = None
    bounds_period: Period | None = None
    count: float | None = None
    count_max: float | None = None
    duration: float | None = None
    duration_max: float | None = None
    duration_unit: str | None = None
    frequency: float | None = None
    frequency_max: float | None = None
    period: float | None = None
    period_max: float | None = None
    period_unit: str | None = None
    day_of_week: tuple[str, ...] = ()
    time_of_day: tuple[str, ...] = ()
    when: tuple[str, ...] = ()


class Timing(Element, frozen=True):
    event: tuple[str, ...] = ()
    repeat: TimingRepeat | None = None
    code: CodeableConcept | None = None


class DoseAndRate(Element, frozen=True):
    type: CodeableConcept | None = None
    dose_quantity: Quantity | None = None
    dose_range: Range | None = None
    rate_quantity: Quantity | None = None
    rate_ratio: Ratio | None = None


class Dosage(Element, frozen=True):
    sequence: float | None = None
    text: str | None = None
    patient_instruction: str | None = None
    timing: Timing | None = None
    as_needed_boolean: bool | None = None
    as_needed_codeable_concept: CodeableConcept | None = None
    route: CodeableConcept | None = None
    dose_and_rate: tuple[DoseAndRate, ...] = ()


# Resources


class Patient(Resource, frozen=True):
    """The patient; names and identifiers stay bytes, because nothing that decides may fail for want of them."""

    name: Raw = Raw(b"null")
    identifier: Raw = Raw(b"null")
    birth_date: str | None = None
    gender: str | None = None
    deceased_boolean: bool | None = None
    deceased_date_time: str | None = None
    link: Raw = Raw(b"null")


class Condition(Resource, frozen=True):
    clinical_status: CodeableConcept | None = None
    verification_status: CodeableConcept | None = None
    severity: CodeableConcept | None = None
    code: CodeableConcept | None = None
    body_site: tuple[CodeableConcept, ...] = ()
    subject: Reference | None = None
    onset_date_time: str | None = None
    onset_period: Period | None = None
    abatement_date_time: str | None = None
    abatement_period: Period | None = None
    abatement_boolean: bool | None = None
    abatement_string: str | None = None
    recorded_date: str | None = None


class ObservationComponent(Element, frozen=True):
    code: CodeableConcept | None = None
    value_quantity: Quantity | None = None
    value_integer: float | None = None
    value_string: str | None = None
    value_codeable_concept: CodeableConcept | None = None


class Observation(Resource, frozen=True):
    status: str | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    focus: tuple[Reference, ...] = ()
    encounter: Reference | None = None
    effective_date_time: str | None = None
    effective_instant: str | None = None
    effective_period: Period | None = None
    issued: str | None = None
    value_quantity: Quantity | None = None
    value_integer: float | None = None
    value_string: str | None = None
    value_boolean: bool | None = None
    value_codeable_concept: CodeableConcept | None = None
    interpretation: tuple[CodeableConcept, ...] = ()
    component: tuple[ObservationComponent, ...] = ()
    has_member: tuple[Reference, ...] = ()
    derived_from: tuple[Reference, ...] = ()


class MedicationIngredient(Element, frozen=True):
    item_codeable_concept: CodeableConcept | None = None
    item_reference: Reference | None = None
    strength: Ratio | None = None


class Medication(Resource, frozen=True):
    code: CodeableConcept | None = None
    form: CodeableConcept | None = None
    amount: Ratio | None = None
    ingredient: tuple[MedicationIngredient, ...] = ()


class DispenseRequest(Element, frozen=True):
    validity_period: Period | None = None
    number_of_repeats_allowed: float | None = None
    quantity: Quantity | None = None
    expected_supply_duration: Quantity | None = None


class MedicationRequest(Resource, frozen=True):
    status: str | None = None
    status_reason: CodeableConcept | None = None
    intent: str | None = None
    do_not_perform: bool | None = None
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    subject: Reference | None = None
    authored_on: str | None = None
    reason_code: tuple[CodeableConcept, ...] = ()
    note: tuple[Annotation, ...] = ()
    dosage_instruction: tuple[Dosage, ...] = ()
    dispense_request: DispenseRequest | None = None
    contained: tuple[Raw, ...] = ()
    extension: tuple[Extension, ...] = ()


class MedicationDispense(Resource, frozen=True):
    status: str | None = None
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    subject: Reference | None = None
    authorizing_prescription: tuple[Reference, ...] = ()
    quantity: Quantity | None = None
    days_supply: Quantity | None = None
    when_prepared: str | None = None
    when_handed_over: str | None = None
    dosage_instruction: tuple[Dosage, ...] = ()
    note: tuple[Annotation, ...] = ()
    contained: tuple[Raw, ...] = ()


class MedicationStatement(Resource, frozen=True):
    status: str | None = None
    status_reason: tuple[CodeableConcept, ...] = ()
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    subject: Reference | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    date_asserted: str | None = None
    reason_code: tuple[CodeableConcept, ...] = ()
    note: tuple[Annotation, ...] = ()
    dosage: tuple[Dosage, ...] = ()
    contained: tuple[Raw, ...] = ()


class AdministrationDosage(Element, frozen=True):
    text: str | None = None
    route: CodeableConcept | None = None
    dose: Quantity | None = None


class MedicationAdministration(Resource, frozen=True):
    status: str | None = None
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    subject: Reference | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    dosage: AdministrationDosage | None = None
    contained: tuple[Raw, ...] = ()


class Procedure(Resource, frozen=True):
    status: str | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    performed_date_time: str | None = None
    performed_period: Period | None = None
    body_site: tuple[CodeableConcept, ...] = ()
    outcome: CodeableConcept | None = None
    note: tuple[Annotation, ...] = ()


class Device(Resource, frozen=True):
    status: str | None = None
    type: CodeableConcept | None = None
    patient: Reference | None = None
    device_name: tuple[DeviceName, ...] = ()


class DeviceName(Element, frozen=True):
    name: str | None = None
    type: str | None = None


class AllergyReaction(Element, frozen=True):
    substance: CodeableConcept | None = None


class AllergyIntolerance(Resource, frozen=True):
    clinical_status: CodeableConcept | None = None
    verification_status: CodeableConcept | None = None
    code: CodeableConcept | None = None
    patient: Reference | None = None
    recorded_date: str | None = None
    reaction: tuple[AllergyReaction, ...] = ()


class CoverageClass(Element, frozen=True):
    type: CodeableConcept | None = None
    value: str | None = None
    name: str | None = None


class Organization(Resource, frozen=True):
    """Read where it is contained in a Coverage."""

    name: str | None = None
    alias: tuple[str, ...] = ()
    identifier: tuple[Identifier, ...] = ()


class Coverage(Resource, frozen=True):
    status: str | None = None
    type: CodeableConcept | None = None
    subscriber_id: str | None = None
    beneficiary: Reference | None = None
    period: Period | None = None
    payor: tuple[PayorReference, ...] = ()
    classes: tuple[CoverageClass, ...] = msgspec.field(name="class", default=())
    contained: tuple[Raw, ...] = ()


class Answer(Element, frozen=True):
    value_coding: Coding | None = None
    value_integer: float | None = None
    value_decimal: float | None = None
    value_string: str | None = None
    value_boolean: bool | None = None
    value_quantity: Quantity | None = None
    item: tuple[ResponseItem, ...] = ()
    extension: tuple[Extension, ...] = ()


class ResponseItem(Element, frozen=True):
    link_id: str | None = None
    definition: str | None = None
    text: str | None = None
    answer: tuple[Answer, ...] = ()
    item: tuple[ResponseItem, ...] = ()


class QuestionnaireResponse(Resource, frozen=True):
    status: str | None = None
    questionnaire: str | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    authored: str | None = None
    item: tuple[ResponseItem, ...] = ()
    contained: tuple[Raw, ...] = ()


class AnswerOption(Element, frozen=True):
    value_coding: Coding | None = None
    value_integer: float | None = None
    value_string: str | None = None
    extension: tuple[Extension, ...] = ()


class QuestionnaireItem(Element, frozen=True):
    link_id: str | None = None
    code: tuple[Coding, ...] = ()
    text: str | None = None
    type: str | None = None
    answer_option: tuple[AnswerOption, ...] = ()
    item: tuple[QuestionnaireItem, ...] = ()


class Questionnaire(Resource, frozen=True):
    url: str | None = None
    version: str | None = None
    title: str | None = None
    code: tuple[Coding, ...] = ()
    item: tuple[QuestionnaireItem, ...] = ()


class ServiceRequest(Resource, frozen=True):
    status: str | None = None
    intent: str | None = None
    do_not_perform: bool | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    authored_on: str | None = None
    body_site: tuple[CodeableConcept, ...] = ()


class Encounter(Resource, frozen=True):
    status: str | None = None
    type: tuple[CodeableConcept, ...] = ()
    subject: Reference | None = None
    period: Period | None = None
    reason_code: tuple[CodeableConcept, ...] = ()


class IssueDetail(Element, frozen=True):
    severity: str | None = None
    code: str | None = None
    diagnostics: str | None = None


class OperationOutcome(Resource, frozen=True):
    issue: tuple[IssueDetail, ...] = ()


AnyResource: TypeAlias = Union[  # noqa: UP007 - a union of forward names, read by msgspec
    Patient,
    Condition,
    Observation,
    Medication,
    MedicationRequest,
    MedicationDispense,
    MedicationStatement,
    MedicationAdministration,
    Procedure,
    Device,
    AllergyIntolerance,
    Coverage,
    QuestionnaireResponse,
    Questionnaire,
    ServiceRequest,
    Encounter,
    OperationOutcome,
]


class SearchMode(Element, frozen=True):
    mode: str | None = None


class BundleLink(Element, frozen=True):
    relation: str | None = None
    url: str | None = None


class BundleEntry(Element, frozen=True):
    full_url: str | None = None
    resource: AnyResource | None = None
    search: SearchMode | None = None


class RawEntry(Element, frozen=True):
    """A Bundle entry whose resource is left as bytes, so that one bad resource is isolated."""

    full_url: str | None = None
    resource: Raw = Raw(b"")


class Bundle(Resource, frozen=True):
    """A Bundle of resources that all decode: the fast way."""

    type: str | None = None
    total: float | None = None
    link: tuple[BundleLink, ...] = ()
    entry: tuple[BundleEntry, ...] = ()


class RawBundle(Element, frozen=True):
    """The same Bundle with its parts left as bytes: the patient way."""

    link: Raw = Raw(b"[]")
    entry: Raw = Raw(b"[]")


class Tag(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """What any JSON object says that it is."""

    resource_type: str | None = None


RESOURCE_TYPES: dict[str, type[Resource]] = {
    view.__name__: view
    for view in (
        Patient,
        Condition,
        Observation,
        Medication,
        MedicationRequest,
        MedicationDispense,
        MedicationStatement,
        MedicationAdministration,
        Procedure,
        Device,
        AllergyIntolerance,
        Coverage,
        QuestionnaireResponse,
        Questionnaire,
        ServiceRequest,
        Encounter,
        OperationOutcome,
    )
}
"""The views by ``resourceType``, without the Bundles."""


def subject_reference(resource: AnyResource) -> str | None:
    """The reference to whom the resource is about, as written; ``None`` where it names nobody."""
    if isinstance(resource, Patient):
        return resource.reference
    if isinstance(resource, (Device, AllergyIntolerance)):
        about = resource.patient
    elif isinstance(resource, Coverage):
        about = resource.beneficiary
    else:
        about = getattr(resource, "subject", None)
    return about.reference if about else None
