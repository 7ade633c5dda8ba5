"""Which orders fit a decision. Pure.

A treatment is offered only where the verdict is met, no earlier pathway is undecided, no criterion that excludes a
second order is met or unknown, and every number that it needs is known. Orders that would settle an unknown are
always offered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from fhir_plugin.deciding.standing import CLEARED, Standing, cleared_apart_from_reviews
from fhir_plugin.drafts.draft_orders import Draft
from fhir_plugin.orders.chart import Chart
from fhir_plugin.orders.drafting import DraftOrder, drafts_of, plan_of, safety_notes
from fhir_plugin.orders.fhir import is_reference
from fhir_plugin.orders.readiness import HeldOrders, ReadyOrders, readiness, ready
from fhir_plugin.orders.templates import datum_name
from mappings.schema.orders.model import DataOrders, TreatmentOrders
from mappings.schema.rules.protocols import Pathway, PathwayStep


class ProposedAction(msgspec.Struct, frozen=True, kw_only=True):
    """One effect of accepting an offer: a draft is created or deleted."""

    description: str
    resource: dict[str, Any] | None = None
    takes_back: str = ""
    """Reference of the client's draft to delete."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """Orders that a clinician may accept as a whole; never pre-selected."""

    id: str
    label: str
    treats: bool
    """Whether a treatment is ordered, so that only one of several offers may be accepted."""
    actions: tuple[ProposedAction, ...]


class Offers(msgspec.Struct, frozen=True, kw_only=True):
    """All offers of a call, and why others were not made."""

    offers: tuple[Offer, ...] = ()
    held: tuple[str, ...] = ()
    """Sentences: what would fit but is not offered, and why. No text of the record."""

    @property
    def exclusive(self) -> bool:
        """Whether at most one of them may be accepted."""
        return any(offer.treats for offer in self.offers)


def make_offers(chart: Chart, hook: str) -> Offers:
    """The offers for one hook, in the order of the knowledge; none for a hook that it does not name."""
    builder = _OfferBuilder(chart)
    offers = [offer for part in builder.words.parts(hook) for offer in builder.part(part)]
    return Offers(offers=tuple(offers), held=tuple(dict.fromkeys(held.why for held in builder.held if held.why)))


class _OfferBuilder:
    """Builds the offers of one chart and collects what is held back."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self.words = chart.words
        self.held: list[HeldOrders] = []
        self._ready: dict[str, ReadyOrders | None] = {}

    def part(self, part: str) -> Iterator[Offer]:
        """The offers of one part of ``hooks`` in the knowledge."""
        parts = {"plan": self._plan, "steps": self._steps, "ordered": self._ordered, "along": self._companions}
        return parts.get(part, self._data)()

    # The pathway that fits

    def _pathway(self) -> Pathway | None:
        """The pathway of the chosen protocol, where it is certain and every treatment of its steps is cleared."""
        recommendation = self.chart.decision.recommendation
        fitting = recommendation.pathway
        if fitting is None or recommendation.verdict not in CLEARED or recommendation.undecided:
            return None
        cleared = self.chart.cleared.issuperset(step.treatment for step in fitting.pathway.steps)
        return fitting.pathway if cleared and fitting.standing in CLEARED else None

    def _plan(self) -> Iterator[Offer]:
        pathway = self._pathway()
        steps = [step for step in pathway.steps if step.begins != "if_needed"] if pathway else []
        orders_of_steps = [(step, self._of_treatment(step.treatment)) for step in steps]
        if pathway is None or not orders_of_steps or any(self._is_drafted(step.treatment) for step in steps):
            return
        by_title: dict[str, list[DraftOrder]] = {}
        replaced: list[Draft] = []
        for step, orders in orders_of_steps:
            if orders is None:
                return
            by_title |= {orders.orders.title: drafts_of(self.chart, orders, self._step_notes(pathway, step))}
            replaced += self._bare(step.treatment)
        for _, orders in orders_of_steps:
            by_title |= {company.orders.title: drafts_of(self.chart, company) for company in self._company(orders)}
        drafts = [draft for several in by_title.values() for draft in several]
        notes = (*safety_notes(self.chart), *self._choice_note(pathway))
        drafts.append(plan_of(self.chart, pathway, drafts, notes))
        label = self.words.plan.label.format(count=len(drafts), pathway=pathway.title)
        yield self._offer("plan", self._as_choice(pathway, label), drafts, replaced)

    def _steps(self) -> Iterator[Offer]:
        """The treatments that begin now, and their alternatives."""
        pathway = self._pathway()
        if pathway is None:
            return
        order_sets = self.chart.knowledge.orders
        for step in pathway.steps:
            if step.begins != "now":
                continue
            instead = [
                alternative.treatment
                for alternative in order_sets.instead_of(step.treatment)
                if alternative.treatment in self.chart.cleared
            ]
            for treatment in (step.treatment, *instead):
                orders = self._of_treatment(treatment)
                if orders is not None:
                    yield self._treatment(treatment, orders, self._step_notes(pathway, step), pathway)

    def _step_notes(self, pathway: Pathway, step: PathwayStep) -> tuple[str, ...]:
        treatment = self.chart.knowledge.cards.treatments[step.treatment]
        note = self.words.plan.step.format(pathway=pathway.title, treatment=treatment, timing=step.timing, why=step.why)
        return (note, *safety_notes(self.chart), *self._choice_note(pathway))

    def _choice_note(self, pathway: Pathway) -> tuple[str, ...]:
        return (pathway.says,) if pathway.choice == "clinician" else ()

    def _as_choice(self, pathway: Pathway | None, label: str) -> str:
        if pathway is None or pathway.choice != "clinician":
            return label
        return self.words.choice.format(grade=pathway.grade.value, label=label)

    # What is being ordered

    def _ordered(self) -> Iterator[Offer]:
        """The ordered treatment with dose and schedule, in place of a draft that has neither."""
        recommendation = self.chart.decision.recommendation
        if recommendation.verdict not in CLEARED:
            return
        for treatment in recommendation.ordered:
            bare = self._bare(treatment) if treatment in self.chart.cleared else []
            orders = self._of_treatment(treatment) if bare else None
            if orders is not None:
                yield self._treatment(treatment, orders, safety_notes(self.chart), None, bare)

    def _companions(self) -> Iterator[Offer]:
        """The orders that accompany an ordered treatment, without those that are drafted already.

        They make the treatment safer, so that a reason to review it withholds none of them. Apart from such reasons
        it has to be cleared: a finding that speaks against it must never add an offer.
        """
        recommendation, order_sets = self.chart.decision.recommendation, self.chart.knowledge.orders
        ordered = [answer for answer in recommendation.treatments if answer.treatment in recommendation.ordered]
        if not all(cleared_apart_from_reviews(answer.weighed) for answer in ordered):
            return
        of_treatments = (order_sets.of_treatment(treatment) for treatment in recommendation.ordered)
        names = [name for orders in of_treatments if orders for name in orders.company]
        for name in dict.fromkeys(names):
            orders = ready(self.chart, name, order_sets.by_id[name])
            missing = tuple(template for template in orders.chosen if not self.chart.drafted(template.marks))
            if missing:
                drafts = drafts_of(self.chart, msgspec.structs.replace(orders, chosen=missing))
                yield self._offer(name, orders.label, drafts, treats=False)

    def _bare(self, treatment: str) -> list[Draft]:
        """The only draft of a treatment, where it has neither dose nor schedule and can be referred to."""
        drafts = self.chart.of_treatment.get(treatment, ())
        if len(drafts) != 1:
            return []
        others = [draft for name, several in self.chart.of_treatment.items() if name != treatment for draft in several]
        return [draft for draft in drafts if draft.is_bare and is_reference(draft.reference) and draft not in others]

    def _is_drafted(self, treatment: str) -> bool:
        """Whether the treatment or an alternative is drafted in a way that a plan could not replace."""
        instead = self.chart.knowledge.orders.instead_of(treatment)
        if self.chart.drafted_otherwise(treatment) or any(
            alternative.treatment in self.chart.of_treatment for alternative in instead
        ):
            return True
        return treatment in self.chart.of_treatment and not self._bare(treatment)

    # What is missing

    def _data(self) -> Iterator[Offer]:
        recommendation, order_sets = self.chart.decision.recommendation, self.chart.knowledge.orders
        wanted = [ask.datum for ask in recommendation.asks]
        if recommendation.verdict in CLEARED:
            undecided = [criterion for answer in recommendation.undecided for criterion in answer.open]
            wanted += [self.chart.knowledge.criteria[criterion].ask.datum for criterion in undecided]
            wanted += [held.datum for held in self.held if held.datum]
        if recommendation.ordered and recommendation.verdict is not Standing.CONTRAINDICATED:
            wanted += [ask.datum for ask in recommendation.questions]
        for datum in dict.fromkeys(wanted):
            data_orders = order_sets.data.get(datum)
            if data_orders is not None and self._is_applicable(datum, data_orders):
                orders = ready(self.chart, datum_name(datum), data_orders)
                yield self._offer(datum, orders.label, drafts_of(self.chart, orders), treats=False)

    def _is_applicable(self, datum: str, orders: DataOrders) -> bool:
        patient = self.chart.decision.record.patient
        gender = patient.gender if patient else None
        marks = self.chart.templates.marks(datum_name(datum))
        return gender not in orders.not_for and not all(map(self.chart.drafted, marks))

    # Offers

    def _of_treatment(self, treatment: str) -> ReadyOrders | None:
        if treatment not in self._ready:
            orders = self.chart.knowledge.orders.of_treatment(treatment)
            result = readiness(self.chart, orders) if orders else HeldOrders()
            if isinstance(result, HeldOrders):
                self.held.append(result)
            self._ready[treatment] = result if isinstance(result, ReadyOrders) else None
        return self._ready[treatment]

    def _company(self, ready_orders: ReadyOrders | None) -> Iterator[ReadyOrders]:
        if ready_orders is not None and isinstance(ready_orders.orders, TreatmentOrders):
            by_id = self.chart.knowledge.orders.by_id
            yield from (ready(self.chart, name, by_id[name]) for name in ready_orders.orders.company)

    def _treatment(
        self,
        treatment: str,
        ready_orders: ReadyOrders,
        notes: tuple[str, ...],
        pathway: Pathway | None,
        bare: list[Draft] | None = None,
    ) -> Offer:
        drafts = drafts_of(self.chart, ready_orders, notes)
        if isinstance(ready_orders.orders, TreatmentOrders) and ready_orders.orders.monitored_by:
            name = ready_orders.orders.monitored_by
            drafts += drafts_of(self.chart, ready(self.chart, name, self.chart.knowledge.orders.by_id[name]))
        return self._offer(treatment, self._as_choice(pathway, ready_orders.label), drafts, bare or [])

    def _offer(
        self,
        identity: str,
        label: str,
        drafts: list[DraftOrder],
        replaced: list[Draft] | None = None,
        *,
        treats: bool = True,
    ) -> Offer:
        created = [
            ProposedAction(description=self.words.create.format(title=draft.title), resource=draft.resource)
            for draft in drafts
        ]
        deleted = [
            ProposedAction(description=self.words.replace, takes_back=draft.reference) for draft in replaced or ()
        ]
        return Offer(id=identity, label=label, treats=treats, actions=(*created, *deleted))
