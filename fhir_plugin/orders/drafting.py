"""The drafts of an offer: templates completed with patient, dose and notes. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from fhir_plugin.orders.chart import Chart
from fhir_plugin.orders.fhir import Resource, care_plan, identify, notes
from fhir_plugin.orders.readiness import ReadyOrders
from fhir_plugin.orders.templates import Template
from mappings.schema.rules.protocols import Pathway


class DraftOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One draft: its title and its resource."""

    title: str
    resource: Resource


def drafts_of(chart: Chart, ready: ReadyOrders, patient_notes: Iterable[str] = ()) -> list[DraftOrder]:
    """Every order of a set as a draft; ``patient_notes`` stand between the notes of the template and its basis."""
    annotations = notes(patient_notes)
    return [_draft(chart, template, annotations) for template in ready.chosen]


def _draft(chart: Chart, template: Template, patient_notes: list[Resource]) -> DraftOrder:
    order = template.order
    instrument = chart.instrument(order) if order.instruments else ""
    body = template.body[instrument] | chart.head
    body["note"] = [*template.own, *patient_notes, *template.basis]
    return DraftOrder(title=order.title or chart.knowledge.instruments[instrument].short, resource=body)


def safety_notes(chart: Chart) -> tuple[str, ...]:
    """The notes on every treatment while a criterion with a safety card is met or unknown."""
    texts = (chart.words.safety_note(chart.verdict(own.criterion).value) for own in chart.knowledge.cards.safety)
    return tuple(text for text in texts if text)


def plan_of(chart: Chart, pathway: Pathway, orders: list[DraftOrder], patient_notes: Iterable[str]) -> DraftOrder:
    """The plan that groups the orders; every order is given an identifier, so that the plan can refer to it."""
    words, treatments = chart.words.plan, chart.knowledge.cards.treatments
    for place, order in enumerate(orders, start=1):
        identify(order.resource, f"{chart.identity}.{place}")
    later = [
        words.later.format(treatment=treatments[step.treatment], timing=step.timing, why=step.why)
        for step in pathway.steps
        if step.begins == "if_needed"
    ]
    title = words.title.format(pathway=pathway.title)
    plan = care_plan(chart.context, title, pathway.says, (order.resource for order in orders), later)
    plan |= {"id": chart.identity, "note": [*notes(patient_notes), *chart.templates.basis(pathway.sources)]}
    return DraftOrder(title=title, resource=plan)
