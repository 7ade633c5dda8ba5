"""Partial, fast views of the FHIR R4 resources that are read.

Only what is used is declared, so anything else that real servers send, valid or not, is skipped without cost.
A view is frozen. Numbers are always ``float``, because servers write ``3``, ``3.0`` and ``"3"`` for the same value and
only the last is invalid. Every field except ``resourceType`` may be missing.
"""

from __future__ import annotations

import msgspec

from fhir_plugin.record.datatypes import (
    Annotation,
    CodeableConcept,
    Coding,
    Dosage,
    Element,
    Extension,
    Identifier,
    Meta,
    PayorReference,
    Period,
    Quantity,
    Range,
    Ratio,
    Raw,
    Reference,
)


class Resource(msgspec.Struct, frozen=True, rename="camel", tag_field="resourceType", gc=False):
    """A FHIR resource; the class name is the ``resourceType``."""

    id: str | None = None
    meta: Meta | None = None

    @property
    def reference(self) -> str:
        """``Type/id``, or ``Type/?`` for a resource without an id."""
        return f"{type(self).__name__}/{self.id or '?'}"


class Patient(Resource, frozen=True):
    """The patient; names and identifiers stay bytes, because no decision may fail if they cannot be decoded."""

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
    note: tuple[Annotation, ...] = ()


class ObservationComponent(Element, frozen=True):
    code: CodeableConcept | None = None
    value_quantity: Quantity | None = None
    value_integer: float | None = None
    value_decimal: float | None = None
    """Not in FHIR, and sent all the same; so on the Observation itself."""
    value_range: Range | None = None
    value_string: str | None = None
    value_boolean: bool | None = None
    value_codeable_concept: CodeableConcept | None = None
    data_absent_reason: CodeableConcept | None = None


class ReferenceRange(Element, frozen=True):
    low: Quantity | None = None
    high: Quantity | None = None


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
    value_decimal: float | None = None
    value_range: Range | None = None
    value_string: str | None = None
    value_boolean: bool | None = None
    value_date_time: str | None = None
    value_codeable_concept: CodeableConcept | None = None
    data_absent_reason: CodeableConcept | None = None
    """Why there is no value; without it, a value that is missing may have been lost on the way."""
    interpretation: tuple[CodeableConcept, ...] = ()
    reference_range: tuple[ReferenceRange, ...] = ()
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


_NOT_ORDERS = ("proposal", "plan", "option")
"""Intents of what nobody has ordered yet."""


class _Request(Resource, frozen=True):
    """What every kind of request says of itself."""

    status: str | None = None
    intent: str | None = None
    do_not_perform: bool | None = None

    @property
    def is_order(self) -> bool:
        """Whether it asks for something to be done, rather than proposing or forbidding it."""
        return not self.do_not_perform and self.intent not in _NOT_ORDERS


class MedicationRequest(_Request, frozen=True):
    status_reason: CodeableConcept | None = None
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    subject: Reference | None = None
    authored_on: str | None = None
    reason_code: tuple[CodeableConcept, ...] = ()
    reason_reference: tuple[Reference, ...] = ()
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
    reason_reference: tuple[Reference, ...] = ()
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
    manifestation: tuple[CodeableConcept, ...] = ()
    severity: str | None = None


class AllergyIntolerance(Resource, frozen=True):
    clinical_status: CodeableConcept | None = None
    verification_status: CodeableConcept | None = None
    type: str | None = None
    criticality: str | None = None
    code: CodeableConcept | None = None
    patient: Reference | None = None
    recorded_date: str | None = None
    reaction: tuple[AllergyReaction, ...] = ()


class CoverageClass(Element, frozen=True):
    type: CodeableConcept | None = None
    value: str | None = None
    name: str | None = None


class Organization(Resource, frozen=True):
    """Read if contained in a Coverage."""

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


class ResponseAnswer(Element, frozen=True):
    value_coding: Coding | None = None
    value_integer: float | None = None
    value_decimal: float | None = None
    value_string: str | None = None
    value_boolean: bool | None = None
    value_quantity: Quantity | None = None
    item: tuple[ResponseItem, ...] = ()
    extension: tuple[Extension, ...] = ()

    @property
    def number(self) -> float | None:
        """The answer as a number, whole or not."""
        return self.value_integer if self.value_integer is not None else self.value_decimal


class ResponseItem(Element, frozen=True):
    link_id: str | None = None
    definition: str | None = None
    text: str | None = None
    answer: tuple[ResponseAnswer, ...] = ()
    item: tuple[ResponseItem, ...] = ()


class QuestionnaireResponse(Resource, frozen=True):
    status: str | None = None
    questionnaire: str | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    author: Raw = Raw(b"null")
    """Left as bytes: it is only copied, and one that cannot be read must not cost the answers."""
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


class ServiceRequest(_Request, frozen=True):
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
