"""Whether the orders of a treatment can be offered to this patient: every number there, nothing in the way. Pure."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from fhir_plugin.deciding.assess import Verdict
from fhir_plugin.orders.chart import Chart
from fhir_plugin.orders.dosing import NumberRange, WeightBasedDose, amount_of, dose_by_weight, format_decimal, to_step
from fhir_plugin.orders.fhir import Resource, dosages, is_reference, references
from fhir_plugin.orders.filling import OrderFields
from fhir_plugin.orders.templates import Template
from fhir_plugin.orders.weeks import Week, week_of
from mappings.schema.base.entries import Number
from mappings.schema.orders.model import OrderDose, OrderLine, OrderSet, TreatmentOrders


class ReadyOrders(msgspec.Struct, frozen=True, kw_only=True):
    """Orders that can be offered, every number in them."""

    orders: OrderSet
    chosen: tuple[Template, ...]
    """Those of its orders that are for this week of treatment, with their dosage."""
    label: str
    """What the clinician takes, in one line."""


class HeldOrders(msgspec.Struct, frozen=True, kw_only=True):
    """Orders that would fit and cannot be offered."""

    why: str = ""
    """A sentence without text of the record; empty where the protocol does not speak of such orders."""
    datum: str = ""
    """What to obtain, so that it can be offered."""


def readiness(chart: Chart, orders: TreatmentOrders) -> ReadyOrders | HeldOrders:
    """Whether they can be offered, and with which numbers; the first thing in the way is told."""
    every = chart.templates.of(orders.id)
    if not every:
        return HeldOrders()
    if stands := _reason_to_hold(chart, orders):
        return stands
    week = week_of(chart.decision.facts, orders.treatment) if every[0].order.weeks else Week(None)
    chosen = tuple(each for each in every if not each.order.weeks or week.number in each.order.weeks)
    if not chosen:
        words = chart.words.held
        return HeldOrders(why=(words.earlier_course if week.earlier else words.week).format(order=orders.title))
    return _with_dose(chart, orders, chosen, _week_fields(week))


def ready(chart: Chart, name: str, orders: OrderSet) -> ReadyOrders:
    """Orders that nothing can stand in the way of: a measurement, a scale."""
    return ReadyOrders(
        orders=orders, chosen=chart.templates.of(name), label=chart.templates.filling.sentence(orders.label)
    )


def _reason_to_hold(chart: Chart, orders: TreatmentOrders) -> HeldOrders | None:
    """What is known not to be met lets an order through, nothing else does."""
    words = chart.words.held
    for criterion in orders.unless:
        verdict = chart.verdicts[criterion]
        if verdict is not Verdict.NOT_MET:
            sentence = words.under_way if verdict is Verdict.MET else words.perhaps_under_way
            return HeldOrders(why=sentence.format(order=orders.title, criterion=chart.title(criterion)))
    if other := _another_drug(chart, orders.treatment):
        return HeldOrders(why=words.other_drug.format(order=orders.title, treatment=other))
    return None


def _another_drug(chart: Chart, treatment: str) -> str:
    """The other form of the same drug, where a course of it is under way; empty where there is none."""
    known = chart.knowledge.treatments
    if treatment not in known.by_id:
        return ""
    courses = (each for each in chart.decision.facts.treatments.courses if not each.ended)
    others = (each for each in courses if each.treatment != treatment and each.modality == known[treatment].modality)
    return next((known[each.treatment].title for each in others), "")


def _week_fields(week: Week) -> dict[str, str]:
    return {"week": str(max(week.number or 0, 1)), "since": str(week.since or "")}


def _with_dose(
    chart: Chart, orders: OrderSet, chosen: tuple[Template, ...], given: dict[str, str]
) -> ReadyOrders | HeldOrders:
    line = next((line for each in chosen for line in each.order.lines if line.dose and line.dose.per_kg), None)
    if line is None or line.dose is None:
        return _ready_orders(orders, chosen, chart.templates.filling.given(given))
    words, weight = chart.words.held, chart.weight
    if weight.kilograms is None:
        missing = "; ".join(weight.missing)
        return HeldOrders(why=words.weight.format(order=orders.title, missing=missing), datum=chart.words.weight_datum)
    found = dose_by_weight(line.dose, chart.protocol.parameters[line.dose.per_kg], weight.kilograms)
    highest = line.dose.highest
    if highest is not None and found.dose.highest > highest.value:
        return HeldOrders(why=words.highest.format(order=orders.title, highest=f"{highest}"))
    filling = chart.templates.filling.given(given | _dose_fields(chart, line, line.dose, found), found.dose)
    return _ready_orders(orders, chosen, filling, tuple(each.reference for each in weight.evidence))


def _ready_orders(
    orders: OrderSet, chosen: tuple[Template, ...], filling: OrderFields, supporting: tuple[str, ...] = ()
) -> ReadyOrders:
    """The orders with their dosage, and references to what it rests on."""
    rests_on = references(each for each in supporting if is_reference(each))
    templates = tuple(_with_dosage(each, filling, rests_on) if each.varies else each for each in chosen)
    return ReadyOrders(orders=orders, chosen=templates, label=filling.sentence(orders.label))


def _with_dosage(template: Template, filling: OrderFields, rests_on: list[Resource]) -> Template:
    body = {**template.body[""], "dosageInstruction": dosages(template.order, filling)}
    if rests_on:
        body["supportingInformation"] = rests_on
    return replace(template, body={"": body}, varies=False)


def _dose_fields(chart: Chart, line: OrderLine, dose: OrderDose, found: WeightBasedDose) -> dict[str, str]:
    """The dose, and how it came about, so that it can be worked out again by hand."""
    words, weight = chart.words.numbers, chart.weight
    calculation = words.calculation.format(
        per_kg=chart.templates.filling.sentence(f"{{{dose.per_kg}}}"),
        weight=format_decimal(found.weight),
        day=weight.day,
        converted=words.converted.format(written=weight.written) if weight.written else "",
        product=found.product,
    )
    return {
        "dose": f"{found.dose} mg",
        "calculation": calculation,
        "rate": _rate(chart, line, found.dose, dose.rate_to),
    }


def _rate(chart: Chart, line: OrderLine, dose: NumberRange, step: Number | None) -> str:
    """``0.89 mg/min``; from the slowest to the fastest where dose or time is a range."""
    time = amount_of(chart.protocol.parameters[line.schedule.duration])
    slowest, fastest = to_step(dose.low / time.highest, step), to_step(dose.highest / time.low, step)
    return f"{NumberRange(slowest, fastest if fastest != slowest else None)} mg/min"
