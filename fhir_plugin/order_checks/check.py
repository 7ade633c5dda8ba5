"""Every check of every draft for a treatment of ours."""

from __future__ import annotations

from msgspec.structs import replace

from fhir_plugin.decide import Decision
from fhir_plugin.drafts import Draft
from fhir_plugin.facts.weight import dosing_weight
from fhir_plugin.order_checks.around import companion, contraindicated, criterion, duplicate
from fhir_plugin.order_checks.case import Case
from fhir_plugin.order_checks.compare import compare
from fhir_plugin.order_checks.correction import has_known_id
from fhir_plugin.order_checks.drafted import read_order
from fhir_plugin.order_checks.result import CheckedOrder, OrderCheck
from fhir_plugin.order_checks.stage import stage_of
from fhir_plugin.ordered import Ordered
from mappings.load import Knowledge
from mappings.order_checks.model import Check

MAX_AGE_OF_WEIGHT = "ketamine.weight_max_age"
"""The parameter of every protocol that says how many days a weight may be old to dose by."""

_KINDS = {"compare": compare, "contraindicated": contraindicated, "duplicate": duplicate, "criterion": criterion,
    "companion": companion}  # fmt: skip


def check_orders(ordered: Ordered, decision: Decision, knowledge: Knowledge) -> tuple[CheckedOrder, ...]:
    """The checks of each draft and treatment, in the order of the drafts; pure."""
    return tuple(
        _checked(recognised.draft, treatment, ordered, decision, knowledge)
        for recognised in ordered.recognised
        for treatment in recognised.treatments
        if treatment in decision.recommendation.ordered
    )


def _checked(draft: Draft, treatment: str, ordered: Ordered, decision: Decision, knowledge: Knowledge) -> CheckedOrder:
    checks = [check for check in knowledge.order_checks.checks if treatment in check.treatments]
    case = _case(draft, treatment, checks, ordered, decision, knowledge)
    results = [result for check in checks if (result := _KINDS[check.kind](check, case)) is not None]
    refused = next((result for result in results if _is_refusal(result, checks)), None)
    if refused is not None:  # an order that should not be is not mended
        results = [replace(result, correction=None) for result in results]
    return CheckedOrder(
        reference=draft.reference,
        treatment=treatment,
        checks=tuple(results),
        removable=refused is not None and has_known_id(draft),
        controlled=knowledge.treatments[treatment].controlled,
    )


def _case(
    draft: Draft, treatment: str, checks: list[Check], ordered: Ordered, decision: Decision, knowledge: Knowledge
) -> Case:
    protocol = knowledge.protocols[decision.recommendation.protocol]
    oldest = protocol.parameters.get(MAX_AGE_OF_WEIGHT)
    return Case(
        draft=draft,
        treatment=treatment,
        drafted=read_order(draft, knowledge.order_checks, dose_in_name=any(check.dose_in_name for check in checks)),
        stage=stage_of(treatment, decision.facts, knowledge.treatments),
        weight=dosing_weight(decision.facts, oldest.low if oldest else 0, knowledge.wording),
        findings={finding.criterion: finding for finding in decision.findings},
        decision=decision,
        ordered=ordered,
        protocol=protocol,
        everything=knowledge,
    )


def _is_refusal(result: OrderCheck, checks: list[Check]) -> bool:
    return any(check.id == result.check and check.kind == "contraindicated" for check in checks)
