"""The context of an order: contraindications, a baseline score, an order for vital signs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.deciding.standing import Standing
from fhir_plugin.drafts.draft_orders import Draft
from fhir_plugin.order_checks.case import DraftCase
from fhir_plugin.order_checks.result import CheckVerdict, OrderCheck, result_of
from fhir_plugin.record.datatypes import CodeableConcept, Coding
from fhir_plugin.record.resources import ServiceRequest
from mappings.schema.order_checks.model import CheckDefinition
from mappings.schema.rules.protocols import Role

SERVICES = "serviceRequests"


def contraindicated(check: CheckDefinition, case: DraftCase) -> OrderCheck | None:
    """Whether something on the record contraindicates the treatment; ``None`` where nothing is known to."""
    answers = case.decision.recommendation.treatments
    answer = next((answer for answer in answers if answer.treatment == case.treatment), None)
    if answer is None or answer.standing is not Standing.CONTRAINDICATED:
        return None
    titles = [
        case.knowledge.criteria[weighed.finding.criterion].title
        for weighed in answer.weighed
        if (weighed.role, weighed.finding.verdict) == (Role.CONTRAINDICATION, Verdict.MET)
    ]
    return result_of(check, CheckVerdict.DEVIATES, case.why("contraindicated", criteria=", ".join(titles)))


def criterion(check: CheckDefinition, case: DraftCase) -> OrderCheck:
    """Whether a criterion is met."""
    finding = case.findings[check.criterion]
    if finding.verdict is Verdict.MET:
        return result_of(check, CheckVerdict.OK)
    if finding.verdict is Verdict.NOT_MET:
        return result_of(check, CheckVerdict.DEVIATES, case.why("no_baseline"))
    return result_of(check, CheckVerdict.UNKNOWN, finding.because.rstrip("."))


def companion(check: CheckDefinition, case: DraftCase) -> OrderCheck:
    """Whether a required companion order is among the drafts or on the record."""
    drafts = (other.draft for other in case.ordered.considered if other.draft.reference != case.draft.reference)
    if any(_is_companion(draft, check) for draft in drafts) or any(
        _holds(check, (request.code.label, *_displays(request.code)), request.code.coding)
        for request in _active_services(case)
        if request.code
    ):
        return result_of(check, CheckVerdict.OK, case.why("companion"))
    if not case.decision.record.input(SERVICES).whole:
        return result_of(check, CheckVerdict.UNKNOWN, case.why("companions_unread"))
    return result_of(check, CheckVerdict.DEVIATES, case.why("no_companion"))


def _is_companion(draft: Draft, check: CheckDefinition) -> bool:
    return _holds(check, draft.words, draft.codings)


def _holds(check: CheckDefinition, words: Iterable[str], codings: Iterable[Coding]) -> bool:
    return any(coding.code in check.codes for coding in codings) or any(
        re.search(pattern, text.lower()) for pattern in check.holds for text in words
    )


def _active_services(case: DraftCase) -> Iterator[ServiceRequest]:
    for request in case.decision.record.all(SERVICES, ServiceRequest):
        if request.status == "active" and request.is_order:
            yield request


def _displays(concept: CodeableConcept) -> tuple[str, ...]:
    return tuple(coding.display for coding in concept.coding if coding.display)
