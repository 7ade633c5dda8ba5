"""Every check of every draft for a treatment that the protocol covers."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from fhir_plugin.deciding.decide import Decision
from fhir_plugin.drafts.draft_orders import Draft
from fhir_plugin.drafts.ordered import OrderedTreatments
from fhir_plugin.facts.weight import dosing_weight
from fhir_plugin.order_checks.around import companion, contraindicated, criterion, remark, words
from fhir_plugin.order_checks.beside import CallSurroundings
from fhir_plugin.order_checks.case import DraftCase
from fhir_plugin.order_checks.compare import compare
from fhir_plugin.order_checks.correction import has_known_id
from fhir_plugin.order_checks.drafted import read_order
from fhir_plugin.order_checks.other_orders import duplicate
from fhir_plugin.order_checks.result import CheckedOrder
from fhir_plugin.order_checks.schedules import schedule, schedule_of
from fhir_plugin.order_checks.stage import stage_of
from mappings.schema.load import Knowledge
from mappings.schema.order_checks.model import CheckDefinition

MAX_AGE_OF_WEIGHT = "ketamine.weight_max_age"
"""The parameter of every protocol that limits, in days, the age of a weight for dosing."""

_KINDS = {"compare": compare, "contraindicated": contraindicated, "duplicate": duplicate, "criterion": criterion,
    "companion": companion, "words": words, "remark": remark, "schedule": schedule}  # fmt: skip


def check_orders(ordered: OrderedTreatments, decision: Decision, knowledge: Knowledge) -> tuple[CheckedOrder, ...]:
    """The checks of all drafts and their treatments, in the order of the drafts; pure."""
    beside = CallSurroundings(ordered, decision, knowledge)
    return tuple(
        _checked(recognised.draft, treatment, beside, decision, knowledge)
        for recognised in ordered.answered
        for treatment in recognised.treatments
        if treatment in decision.recommendation.ordered
    )


def _checked(
    draft: Draft, treatment: str, beside: CallSurroundings, decision: Decision, knowledge: Knowledge
) -> CheckedOrder:
    checks = knowledge.order_checks.by_treatment.get(treatment, ())
    case = _case(draft, treatment, checks, beside, decision, knowledge)
    results = [result for check in checks if (result := _KINDS[check.kind](check, case)) is not None]
    refused = not knowledge.order_checks.refusals.isdisjoint(result.check for result in results)
    if refused:  # no corrections for an order that should not be placed
        results = [replace(result, correction=None) for result in results]
    return CheckedOrder(
        reference=draft.reference,
        treatment=treatment,
        checks=tuple(results),
        removable=refused and has_known_id(draft),
        contraindicated=refused,
        controlled=knowledge.treatments[treatment].controlled,
    )


def _case(
    draft: Draft,
    treatment: str,
    checks: Sequence[CheckDefinition],
    beside: CallSurroundings,
    decision: Decision,
    knowledge: Knowledge,
) -> DraftCase:
    protocol = knowledge.protocols[decision.recommendation.protocol]
    max_age = protocol.parameters.get(MAX_AGE_OF_WEIGHT)
    drafted = read_order(draft, knowledge.order_checks, dose_in_name=any(check.dose_in_name for check in checks))
    own_schedule, by_code = schedule_of(draft, treatment, drafted, knowledge)
    return DraftCase(
        draft=draft,
        treatment=treatment,
        drafted=drafted,
        stage=beside.once(("stage", treatment), lambda: stage_of(treatment, decision.facts, knowledge.treatments)),
        weight=beside.once(
            "weight", lambda: dosing_weight(decision.facts, max_age.low if max_age else 0, knowledge.wording)
        ),
        findings=decision.by_criterion,
        decision=decision,
        beside=beside,
        protocol=protocol,
        knowledge=knowledge,
        schedule=own_schedule,
        by_code=by_code,
    )
