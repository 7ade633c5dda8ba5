"""What stands around an order: contraindications, the same treatment elsewhere, a score, an order for vital signs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fhir_plugin.deciding.assess import Verdict
from fhir_plugin.deciding.recommend import Standing
from fhir_plugin.drafts.draft_orders import Draft
from fhir_plugin.facts.treatments.sessions import medication_concept
from fhir_plugin.order_checks.case import DraftCase
from fhir_plugin.order_checks.result import CheckVerdict, OrderCheck
from fhir_plugin.record.datatypes import CodeableConcept, Coding
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import MedicationRequest, ServiceRequest
from mappings.schema.order_checks.model import CheckDefinition
from mappings.schema.rules.protocols import Role

SERVICES = "serviceRequests"
_NOT_ORDERS = ("proposal", "plan", "option")


def contraindicated(check: CheckDefinition, case: DraftCase) -> OrderCheck | None:
    """Whether something on the record contraindicates the treatment; ``None`` where nothing is known to."""
    answer = next((each for each in case.decision.recommendation.treatments if each.treatment == case.treatment), None)
    if answer is None or answer.standing is not Standing.CONTRAINDICATED:
        return None
    titles = [
        case.everything.criteria[weighed.finding.criterion].title
        for weighed in answer.weighed
        if (weighed.role, weighed.finding.verdict) == (Role.CONTRAINDICATION, Verdict.MET)
    ]
    return _result(check, CheckVerdict.DEVIATES, case.why("contraindicated", criteria=", ".join(titles)))


def criterion(check: CheckDefinition, case: DraftCase) -> OrderCheck:
    """Whether a criterion is met."""
    finding = case.findings[check.criterion]
    if finding.verdict is Verdict.MET:
        return _result(check, CheckVerdict.OK)
    if finding.verdict is Verdict.NOT_MET:
        return _result(check, CheckVerdict.DEVIATES, case.why("no_baseline"))
    return _result(check, CheckVerdict.UNKNOWN, finding.because.rstrip("."))


def companion(check: CheckDefinition, case: DraftCase) -> OrderCheck:
    """Whether an order that belongs to it stands among the drafts or on the record."""
    drafts = (each.draft for each in case.ordered.recognised if each.draft.reference != case.draft.reference)
    if any(_is_companion(draft, check) for draft in drafts) or any(
        _holds(check, (request.code.label, *_displays(request.code)), request.code.coding)
        for request in _active_services(case)
        if request.code
    ):
        return _result(check, CheckVerdict.OK, case.why("companion"))
    if not case.decision.record.input(SERVICES).whole:
        return _result(check, CheckVerdict.UNKNOWN, case.why("companions_unread"))
    return _result(check, CheckVerdict.DEVIATES, case.why("no_companion"))


def duplicate(check: CheckDefinition, case: DraftCase) -> OrderCheck:
    """Whether a course of the treatment is under way, or another active order of it stands on the record."""
    history = case.decision.facts.treatments
    for course in history.courses:
        if course.treatment == case.treatment and not course.ended:
            why = case.why("under_way", count=course.count, first=course.first, last=course.last)
            return _result(check, CheckVerdict.DEVIATES, why)
    if twice := _drafted_beside(case):
        return _result(check, CheckVerdict.DEVIATES, case.why("drafted_twice", words=twice))
    if any(reference != case.draft.reference for reference in _same_orders(case)):
        return _result(check, CheckVerdict.DEVIATES, case.why("ordered_already"))
    way = case.everything.treatments[case.treatment].given_as
    gaps = history.missing[way] + (case.decision.record.gaps((SERVICES,)) if way == "procedure" else ())
    if gaps:
        return _result(check, CheckVerdict.UNKNOWN, "; ".join(gaps))
    return _result(check, CheckVerdict.OK, case.why("nothing_else"))


def _drafted_beside(case: DraftCase) -> str:
    """Another of the drafts that orders the drug too, in whichever form; sessions of TMS may well be several orders."""
    known = case.everything.treatments
    mine = known[case.treatment]
    others = (each for each in case.ordered.recognised if each.draft.reference != case.draft.reference)
    drugs = (known[name] for each in others for name in each.treatments)
    if mine.given_as != "medication":
        return ""
    return next((drug.title for drug in drugs if drug.given_as == "medication" and drug.modality == mine.modality), "")


def _result(check: CheckDefinition, verdict: CheckVerdict, why: str = "") -> OrderCheck:
    return OrderCheck(check=check.id, title=check.title, verdict=verdict, why=why, sources=check.sources)


def _is_companion(draft: Draft, check: CheckDefinition) -> bool:
    return _holds(check, draft.words, draft.codings)


def _holds(check: CheckDefinition, words: Iterable[str], codings: Iterable[Coding]) -> bool:
    return any(coding.code in check.codes for coding in codings) or any(
        re.search(pattern, text.lower()) for pattern in check.holds for text in words
    )


def _same_orders(case: DraftCase) -> Iterator[str]:
    """The active orders of the treatment on the record."""
    record, treatments = case.decision.record, case.everything.treatments
    concepts: list[tuple[str, CodeableConcept | None]] = [
        (each.reference, medication_concept(each, record)) for each in _active_medications(record)
    ]
    concepts += [(each.reference, each.code) for each in _active_services(case)]
    for reference, concept in concepts:
        if concept is not None:
            words = " ".join((concept.text or "", *_displays(concept)))
            codes = ((coding.system, coding.code) for coding in concept.coding)
            if treatments.treatment_of(codes, words) == case.treatment:
                yield reference


def _active_medications(record: Record) -> Iterator[MedicationRequest]:
    for each in record.all("medicationRequests", MedicationRequest):
        if each.status == "active" and not each.do_not_perform and each.intent not in _NOT_ORDERS:
            yield each


def _active_services(case: DraftCase) -> Iterator[ServiceRequest]:
    for each in case.decision.record.all(SERVICES, ServiceRequest):
        if each.status == "active" and not each.do_not_perform and each.intent not in _NOT_ORDERS:
            yield each


def _displays(concept: CodeableConcept) -> tuple[str, ...]:
    return tuple(coding.display for coding in concept.coding if coding.display)
