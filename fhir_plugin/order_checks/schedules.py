"""Courses with a schedule of their own: recognised by the words, the codes or the numbers of an order."""

from __future__ import annotations

from msgspec.structs import replace

from fhir_plugin.drafts.draft_orders import Draft
from fhir_plugin.order_checks.case import DraftCase
from fhir_plugin.order_checks.drafted import DraftMeasures
from fhir_plugin.order_checks.result import CheckVerdict, OrderCheck, result_of
from fhir_plugin.order_checks.words import StatedRange
from mappings.schema.base.systems import system_key
from mappings.schema.load import Knowledge
from mappings.schema.order_checks.model import CheckDefinition, Schedule

_DAYS = 7


def schedule_of(
    draft: Draft, treatment: str, drafted: DraftMeasures, knowledge: Knowledge
) -> tuple[Schedule | None, bool]:
    """The schedule of an order, if it has one of its own, and whether its codes say so."""
    schedules = knowledge.order_checks.schedules.of_treatment(treatment)
    text = "\n".join((*draft.words, *draft.instructions, *draft.notes)).lower() if schedules else ""
    for schedule in schedules:
        if _has_code(draft, schedule, knowledge):
            return schedule, True
        if schedule.is_said(text) or _has_numbers(schedule, drafted, knowledge):
            return schedule, False
    return None, False


def schedule(check: CheckDefinition, case: DraftCase) -> OrderCheck | None:
    """Which schedule the order has; ``None`` if it has none of its own."""
    if case.schedule is None:
        return None
    why = case.why(
        "schedule",
        schedule=case.schedule.title,
        sessions=f"{case.schedule.sessions.value:g}",
        per_day=f"{case.schedule.per_week.value / _DAYS:g}",
    )
    return replace(result_of(check, CheckVerdict.OK, why, remark=True), sources=case.schedule.sources)


def _has_code(draft: Draft, schedule: Schedule, knowledge: Knowledge) -> bool:
    systems = knowledge.treatments.systems
    return any(
        (coding.code or "").upper() in schedule.codes.get(systems.get(system_key(coding.system), ""), ())
        for coding in draft.codings
    )


def _has_numbers(schedule: Schedule, drafted: DraftMeasures, knowledge: Knowledge) -> bool:
    """Whether it states as many sessions in a day as the schedule has."""
    often = drafted.of("per_week").value
    number = schedule.per_week.value
    percent = knowledge.order_checks.reading.same_percent.value
    return often is not None and not often.differs(StatedRange(number, number), percent)
