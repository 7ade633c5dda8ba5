"""Whether the orders of a treatment can be offered for this patient: every number known, no obstacle. Pure."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.orders.chart import Chart
from fhir_plugin.orders.dosing import NumberRange, WeightBasedDose, amount_of, dose_by_weight, format_decimal, to_step
from fhir_plugin.orders.fhir import Resource, dosages, is_reference, references
from fhir_plugin.orders.filling import OrderFields
from fhir_plugin.orders.templates import Template
from fhir_plugin.orders.weeks import Week, week_of
from mappings.schema.base.entries import Number
from mappings.schema.orders.model import OrderDose, OrderLine, OrderSet, TreatmentOrders


class ReadyOrders(msgspec.Struct, frozen=True, kw_only=True):
    """Orders that can be offered, with every number filled in."""

    orders: OrderSet
    chosen: tuple[Template, ...]
    """Those of its orders that are for this week of treatment, with their dosage."""
    label: str
    """The offer in one line, as the clinician reads it."""


class HeldOrders(msgspec.Struct, frozen=True, kw_only=True):
    """Orders that would fit but cannot be offered."""

    why: str = ""
    """A sentence without text of the record; empty where the protocol does not cover such orders."""
    datum: str = ""
    """What to obtain, so that it can be offered."""


def readiness(chart: Chart, orders: TreatmentOrders) -> ReadyOrders | HeldOrders:
    """Whether they can be offered and with which numbers, or the first reason why not."""
    templates = chart.templates.of(orders.id)
    if not templates:
        return HeldOrders()
    if held := _reason_to_hold(chart, orders):
        return held
    week = week_of(chart.decision.facts, orders.treatment) if templates[0].order.weeks else Week(None)
    chosen = tuple(
        template for template in templates if not template.order.weeks or week.number in template.order.weeks
    )
    if not chosen:
        words = chart.words.held
        return HeldOrders(why=(words.earlier_course if week.earlier else words.week).format(order=orders.title))
    return _with_dose(chart, orders, chosen, _week_fields(week))


def ready(chart: Chart, name: str, orders: OrderSet) -> ReadyOrders:
    """Orders without conditions: a measurement, a scale."""
    return ReadyOrders(
        orders=orders, chosen=chart.templates.of(name), label=chart.templates.fields.sentence(orders.label)
    )


def _reason_to_hold(chart: Chart, orders: TreatmentOrders) -> HeldOrders | None:
    """The first reason against the orders: a criterion passes only where it is known not to be met."""
    words = chart.words.held
    for criterion in orders.unless:
        verdict = chart.verdict(criterion)
        if verdict is not Verdict.NOT_MET:
            sentence = words.under_way if verdict is Verdict.MET else words.perhaps_under_way
            return HeldOrders(why=sentence.format(order=orders.title, criterion=chart.title(criterion)))
    if other := _another_drug(chart, orders.treatment):
        return HeldOrders(why=words.other_drug.format(order=orders.title, treatment=other))
    return None


def _another_drug(chart: Chart, treatment: str) -> str:
    """The other form of the same drug, where a course of it is under way; empty where there is none."""
    treatments = chart.knowledge.treatments
    if treatment not in treatments.by_id:
        return ""
    modality = treatments[treatment].modality
    courses = (course for course in chart.decision.facts.treatments.courses if not course.ended)
    others = (course for course in courses if course.treatment != treatment and course.modality == modality)
    return next((treatments[course.treatment].title for course in others), "")


def _week_fields(week: Week) -> dict[str, str]:
    return {"week": str(max(week.number or 0, 1)), "since": str(week.since or "")}


def _with_dose(
    chart: Chart, orders: OrderSet, chosen: tuple[Template, ...], week_fields: dict[str, str]
) -> ReadyOrders | HeldOrders:
    lines = (line for template in chosen for line in template.order.lines)
    line = next((line for line in lines if line.dose and line.dose.per_kg), None)
    if line is None or line.dose is None:
        return _ready_orders(orders, chosen, chart.templates.fields.with_values(week_fields))
    words, weight = chart.words.held, chart.weight
    if weight.kilograms is None:
        missing = "; ".join(weight.missing)
        return HeldOrders(why=words.weight.format(order=orders.title, missing=missing), datum=chart.words.weight_datum)
    calculation = dose_by_weight(line.dose, chart.protocol.parameters[line.dose.per_kg], weight.kilograms)
    highest = line.dose.highest
    if highest is not None and calculation.dose.highest > highest.value:
        return HeldOrders(why=words.highest.format(order=orders.title, highest=f"{highest}"))
    values = week_fields | _dose_fields(chart, line, line.dose, calculation)
    fields = chart.templates.fields.with_values(values, calculation.dose)
    return _ready_orders(orders, chosen, fields, tuple(evidence.reference for evidence in weight.evidence))


def _ready_orders(
    orders: OrderSet, chosen: tuple[Template, ...], fields: OrderFields, supporting: tuple[str, ...] = ()
) -> ReadyOrders:
    """The orders with their dosage, and references to what it is based on."""
    basis = references(reference for reference in supporting if is_reference(reference))
    templates = tuple(_with_dosage(template, fields, basis) if template.varies else template for template in chosen)
    return ReadyOrders(orders=orders, chosen=templates, label=fields.sentence(orders.label))


def _with_dosage(template: Template, fields: OrderFields, basis: list[Resource]) -> Template:
    body = {**template.body[""], "dosageInstruction": dosages(template.order, fields)}
    if basis:
        body["supportingInformation"] = basis
    return replace(template, body={"": body}, varies=False)


def _dose_fields(chart: Chart, line: OrderLine, dose: OrderDose, calculation: WeightBasedDose) -> dict[str, str]:
    """The dose and its calculation, so that it can be checked by hand."""
    words, weight = chart.words.numbers, chart.weight
    explanation = words.calculation.format(
        per_kg=chart.templates.fields.sentence(f"{{{dose.per_kg}}}"),
        weight=format_decimal(calculation.weight),
        day=weight.day,
        converted=words.converted.format(written=weight.written) if weight.written else "",
        product=calculation.product,
    )
    return {
        "dose": f"{calculation.dose} mg",
        "calculation": explanation,
        "rate": _rate(chart, line, calculation.dose, dose.rate_to),
    }


def _rate(chart: Chart, line: OrderLine, dose: NumberRange, step: Number | None) -> str:
    """``0.89 mg/min``; from the slowest to the fastest where dose or time is a range."""
    time = amount_of(chart.protocol.parameters[line.schedule.duration])
    slowest, fastest = to_step(dose.low / time.highest, step), to_step(dose.highest / time.low, step)
    return f"{NumberRange(slowest, fastest if fastest != slowest else None)} mg/min"
