"""The context of an order: contraindications, a baseline score, an order for vital signs; and what is said with it.

The words of an order are read for what must not be in it, such as a use at home.
"""

from __future__ import annotations

from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.deciding.standing import Standing
from fhir_plugin.drafts.draft_orders import Draft
from fhir_plugin.order_checks.beside import SERVICES
from fhir_plugin.order_checks.case import DraftCase
from fhir_plugin.order_checks.result import CheckVerdict, OrderCheck, result_of
from mappings.schema.order_checks.model import CheckDefinition
from mappings.schema.rules.protocols import Role


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
    if case.beside.has_companion(check, case.draft.reference):
        return result_of(check, CheckVerdict.OK, case.why("companion"))
    if not case.decision.record.input(SERVICES).whole:
        return result_of(check, CheckVerdict.UNKNOWN, case.why("companions_unread"))
    return result_of(check, CheckVerdict.DEVIATES, case.why("no_companion"))


def is_said(check: CheckDefinition, draft: Draft) -> bool:
    """Whether the words of the check are anywhere in the order, apart from what it excepts."""
    return check.is_said(draft.everything_said)


def words(check: CheckDefinition, case: DraftCase) -> OrderCheck | None:
    """The result where the order says it; ``None`` where it does not."""
    if not is_said(check, case.draft):
        return None
    return result_of(check, CheckVerdict.DEVIATES, check.says, gross=check.gross, headline=check.headline)


def remark(check: CheckDefinition, _case: DraftCase) -> OrderCheck:
    """What is said with every order of the treatment."""
    return result_of(check, CheckVerdict.OK, check.says, remark=True)
