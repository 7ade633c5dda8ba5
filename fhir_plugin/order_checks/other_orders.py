"""Other courses and orders beside a draft: of the same family, or of the other part of a combination.

A family is a modality: ketamine and esketamine are one. Drafts of the call, active orders of the record and courses
under way are compared. What was not read, or has no status, or no drug that can be read, is unknown and never "none".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple

from fhir_plugin.facts.medications.products import resolve_medication
from fhir_plugin.order_checks.beside import SERVICES
from fhir_plugin.order_checks.case import DraftCase
from fhir_plugin.order_checks.result import CheckVerdict, OrderCheck, result_of
from fhir_plugin.record.datatypes import CodeableConcept
from fhir_plugin.record.dates import day_span
from fhir_plugin.record.resources import MedicationRequest, ServiceRequest
from mappings.schema.order_checks.model import CheckDefinition

_MEDICATIONS = "medicationRequests"
_STANDING = ("active", "on-hold")
_MAY_STAND = (*_STANDING, None, "unknown")


class StandingOrder(NamedTuple):
    """An order of the record that may still stand."""

    treatment: str
    """Empty where its drug cannot be read."""
    day: date | None
    certain: bool
    """Whether its status says that it stands."""
    reference: str
    """``Type/id``."""


class StandingOrders:
    """The orders of a record, looked through once: the first certain one of each family, and the doubtful ones."""

    def __init__(self, orders: Iterable[StandingOrder], case: DraftCase) -> None:
        self._orders = tuple(orders)
        self._doubtful: dict[frozenset[str], tuple[str, ...]] = {}
        self._first: dict[str, StandingOrder] = {}
        for order in self._orders:
            if order.certain and order.treatment:
                self._first.setdefault(_family(case, order.treatment), order)
        self._references = frozenset(order.reference for order in self._orders)

    def without(self, reference: str, case: DraftCase) -> StandingOrders:
        """The orders without the draft itself, which may be on the record already."""
        if reference not in self._references:
            return self
        return StandingOrders((order for order in self._orders if order.reference != reference), case)

    def first_of(self, family: str) -> StandingOrder | None:
        """The first order that certainly stands."""
        return self._first.get(family)

    def doubtful(self, families: frozenset[str], case: DraftCase) -> tuple[str, ...]:
        """Orders that may be of these families and cannot be read, in words."""
        if families not in self._doubtful:
            self._doubtful[families] = tuple(_doubts(self._orders, families, case))
        return self._doubtful[families]


def duplicate(check: CheckDefinition, case: DraftCase) -> OrderCheck:
    """Whether something of the family, or the other part of a combination, is under way, ordered or drafted."""
    every = case.beside.once("orders", lambda: StandingOrders(_orders(case), case))
    orders = every.without(case.draft.reference, case)
    same = next(_same_family(case, orders), None)
    beside = "; ".join(_combined(check, case, orders))
    if same:
        why = "; ".join(part for part in (same.why, beside) if part)
        headline = _both_at_once(case) or _other_drug(case, same)
        return result_of(check, CheckVerdict.DEVIATES, why, gross=bool(headline), headline=headline)
    gaps = (*_gaps(case), *_doubtful(check, case, orders))
    if gaps:
        return result_of(check, CheckVerdict.UNKNOWN, "; ".join((*((beside,) if beside else ()), *gaps)))
    if beside:
        return result_of(check, CheckVerdict.OK, beside, remark=True)
    return result_of(check, CheckVerdict.OK, case.why("nothing_else"))


def _both_at_once(case: DraftCase) -> str:
    """What the headline says where two drafts of one family are about to be signed together; else empty."""
    if case.knowledge.treatments[case.treatment].given_as != "medication":  # TMS may be several orders
        return ""
    own = _family(case, case.treatment)
    beside = {case.named(name) for name in _drafted(case) if _family(case, name) == own}
    treatments = ", ".join(sorted({case.named(case.treatment), *beside}))
    return case.why("twice_at_once", treatment=treatments) if beside else ""


def _other_drug(case: DraftCase, found: _Found) -> str:
    """What the headline says where the other drug of the family is given or ordered; else empty."""
    if found.treatment == case.treatment:
        return ""
    return case.words.gross.beside.format(treatment=case.named(found.treatment).lower())


class _Found(NamedTuple):
    """A course, a draft or an order of the family."""

    why: str
    treatment: str


def _same_family(case: DraftCase, orders: StandingOrders) -> Iterator[_Found]:
    """What is there of the family, the most telling first."""
    family = _family(case, case.treatment)
    for course in case.beside.courses_under_way:
        if _family(case, course.treatment) == family:
            name, first, last = case.named(course.treatment), case.day(course.first), case.day(course.last)
            why = case.why("under_way", treatment=name, count=course.count, first=first, last=last)
            yield _Found(why, course.treatment)
    if case.knowledge.treatments[case.treatment].given_as == "medication":  # TMS may be several orders
        for treatment in _drafted(case):
            if _family(case, treatment) == family:
                yield _Found(case.why("drafted_twice", treatment=case.named(treatment)), treatment)
    if order := orders.first_of(family):
        why = case.why("ordered_already", treatment=case.named(order.treatment), dated=case.dated(order.day))
        yield _Found(why, order.treatment)


def _combined(check: CheckDefinition, case: DraftCase, orders: StandingOrders) -> Iterator[str]:
    """For each other part of a combination, where it was found."""
    own = _family(case, case.treatment)
    for other in (name for parts in check.combines if own in parts for name in parts if name != own):
        if found := next(_of_family(other, case, orders), ""):
            yield found


def _of_family(family: str, case: DraftCase, orders: StandingOrders) -> Iterator[str]:
    for drafted in _drafted(case):
        if _family(case, drafted) == family:
            yield case.why("combined_drafts", treatment=case.named(drafted))
    if order := orders.first_of(family):
        yield case.why("combined_order", treatment=case.named(order.treatment), dated=case.dated(order.day))
    for course in case.beside.courses_under_way:
        if _family(case, course.treatment) == family:
            name, last = case.named(course.treatment), case.day(course.last)
            yield case.why("combined_course", treatment=name, count=course.count, last=last)


def _gaps(case: DraftCase) -> tuple[str, ...]:
    missing = case.decision.facts.treatments.missing
    found = [gap for way in missing.values() for gap in way]
    return tuple(dict.fromkeys((*found, *case.decision.record.gaps((SERVICES,)))))


def _doubtful(check: CheckDefinition, case: DraftCase, orders: StandingOrders) -> tuple[str, ...]:
    """Orders that may concern this one and cannot be read."""
    own = _family(case, case.treatment)
    families = {own, *(name for parts in check.combines if own in parts for name in parts)}
    return orders.doubtful(frozenset(families), case)


def _doubts(orders: Iterable[StandingOrder], families: frozenset[str], case: DraftCase) -> Iterator[str]:
    for order in orders:
        if not order.treatment:
            yield case.why("nameless")
        elif not order.certain and _family(case, order.treatment) in families:
            yield case.why("status_unknown", treatment=case.named(order.treatment), dated=case.dated(order.day))


def _family(case: DraftCase, treatment: str) -> str:
    return case.knowledge.treatments[treatment].modality


def _drafted(case: DraftCase) -> list[str]:
    """The treatments of the other drafts, in any form."""
    return case.beside.drafted_beside(case.draft.reference)


def _orders(case: DraftCase) -> Iterator[StandingOrder]:
    """The orders of covered treatments on the record that stand or may stand."""
    record = case.decision.record
    for request in record.all(_MEDICATIONS, MedicationRequest):
        if not _is_order(request):
            continue
        concepts = _drugs(request, case)
        treatment = _medication(request, concepts, case)
        if treatment or (not concepts and request.status in _STANDING):
            day, certain = _day(request.authored_on), request.status in _STANDING
            yield StandingOrder(treatment or "", day, certain, request.reference)
    for service in record.all(SERVICES, ServiceRequest):
        if _is_order(service) and service.code and (treatment := _service(service.code, case)):
            day, certain = _day(service.authored_on), service.status in _STANDING
            yield StandingOrder(treatment, day, certain, service.reference)


def _is_order(request: MedicationRequest | ServiceRequest) -> bool:
    return request.status in _MAY_STAND and request.is_order


def _day(text: str | None) -> date | None:
    span = day_span(text)
    return span.first if span and span.first == span.last else None


def _drugs(request: MedicationRequest, case: DraftCase) -> list[CodeableConcept]:
    """The drug by its concept, or by the code and the ingredients of the Medication that is referred to."""
    if request.medication_codeable_concept:
        return [request.medication_codeable_concept]
    reference = request.medication_reference
    if reference is None:
        return []
    drug = resolve_medication(reference.reference, case.decision.record.medications, request.contained)
    named = (drug.code, *(part.item_codeable_concept for part in drug.ingredient)) if drug else ()
    concepts = [concept for concept in named if concept]
    return concepts or ([CodeableConcept(text=reference.display)] if reference.display else [])


def _medication(request: MedicationRequest, concepts: list[CodeableConcept], case: DraftCase) -> str | None:
    """The treatment of a drug, in any form."""
    treatments = case.knowledge.treatments
    routes = [_words(dosage.route) for dosage in request.dosage_instruction if dosage.route]
    texts = [dosage.text for dosage in request.dosage_instruction if dosage.text]
    for concept in concepts:
        codes, words = [(coding.system, coding.code) for coding in concept.coding], _words(concept)
        if not treatments.of_code(codes) and not treatments.mentioned(words):
            continue
        manners = ("\n".join((*routes, *texts)), words)
        if found := treatments.treatment_of(codes, words) or treatments.in_other_form(codes, words, manners):
            return found
    return None


def _service(code: CodeableConcept, case: DraftCase) -> str | None:
    """The treatment that a service order is for; a companion such as vital signs may only name it."""
    words = (code.text, *(coding.display for coding in code.coding))
    if case.order_checks.is_companion((word for word in words if word), (coding.code for coding in code.coding)):
        return None
    codes = ((coding.system, coding.code) for coding in code.coding)
    return case.knowledge.treatments.treatment_of(codes, _words(code))


def _words(concept: CodeableConcept) -> str:
    return " ".join(filter(None, (concept.text, *(coding.display for coding in concept.coding))))
