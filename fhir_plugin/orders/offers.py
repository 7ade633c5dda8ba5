"""Which orders fit a decision. Pure.

A treatment is offered only where the verdict is met, nothing that would come before its pathway is undecided, no
criterion that stands against a second order is met or unknown, and every number that it needs is there. What would
settle an unknown is offered always.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from fhir_plugin.deciding.recommend import Standing
from fhir_plugin.drafts.draft_orders import Draft
from fhir_plugin.orders.chart import Chart
from fhir_plugin.orders.drafting import DraftOrder, drafts_of, plan_of, safety_notes
from fhir_plugin.orders.fhir import is_reference
from fhir_plugin.orders.readiness import HeldOrders, ReadyOrders, readiness, ready
from fhir_plugin.orders.templates import datum_name
from mappings.schema.orders.model import DataOrders, TreatmentOrders
from mappings.schema.rules.protocols import Pathway, PathwayStep


class ProposedAction(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that taking an offer does: create a draft, or take one back."""

    description: str
    resource: dict[str, Any] | None = None
    takes_back: str = ""
    """Reference of a draft of the client."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a clinician may take as a whole; never pre-selected."""

    id: str
    label: str
    treats: bool
    """Whether a treatment is ordered, so that of several offers only one may be taken."""
    actions: tuple[ProposedAction, ...]


class Offers(msgspec.Struct, frozen=True, kw_only=True):
    """All offers of a call, and why others are missing."""

    offers: tuple[Offer, ...] = ()
    held: tuple[str, ...] = ()
    """Sentences: what would fit and is not offered, and why. No text of the record."""

    @property
    def exclusive(self) -> bool:
        """Whether at most one of them may be taken."""
        return any(offer.treats for offer in self.offers)


def make_offers(chart: Chart, hook: str) -> Offers:
    """The offers for one hook, in the order of the knowledge; none for a hook that it does not name."""
    making = _OfferBuilder(chart)
    found = [offer for part in making.words.parts(hook) for offer in making.part(part)]
    return Offers(offers=tuple(found), held=tuple(dict.fromkeys(held.why for held in making.held if held.why)))


class _OfferBuilder:
    """The offers of one chart, and what was found to be held back on the way."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self.words = chart.words
        self.held: list[HeldOrders] = []
        self._asked: dict[str, ReadyOrders | None] = {}

    def part(self, part: str) -> Iterator[Offer]:
        """The offers of one part of ``hooks`` in the knowledge."""
        parts = {"plan": self._plan, "steps": self._steps, "ordered": self._ordered, "along": self._along}
        return parts.get(part, self._data)()

    # The pathway that fits

    def _way(self) -> Pathway | None:
        """The pathway of the chosen protocol, where it is certain and nothing stands against any step of it."""
        made = self.chart.decision.recommendation
        fitting = made.pathway
        if fitting is None or made.verdict is not Standing.MET or made.undecided:
            return None
        free = self.chart.free.issuperset(step.treatment for step in fitting.pathway.steps)
        return fitting.pathway if free and fitting.standing is Standing.MET else None

    def _plan(self) -> Iterator[Offer]:
        way = self._way()
        steps = [step for step in way.steps if step.begins != "if_needed"] if way else []
        found = [(step, self._of_treatment(step.treatment)) for step in steps]
        if way is None or not found or any(self._is_drafted(step.treatment) for step in steps):
            return
        together: dict[str, list[DraftOrder]] = {}
        replaced: list[Draft] = []
        for step, each in found:
            if each is None:
                return
            together |= {each.orders.title: drafts_of(self.chart, each, self._step_notes(way, step))}
            replaced += self._bare(step.treatment)
        for _, each in found:
            together |= {company.orders.title: drafts_of(self.chart, company) for company in self._company(each)}
        drafts = [draft for several in together.values() for draft in several]
        notes = (*safety_notes(self.chart), *self._choice_note(way))
        drafts.append(plan_of(self.chart, way, drafts, notes))
        label = self.words.plan.label.format(count=len(drafts), pathway=way.title)
        yield self._offer("plan", self._as_choice(way, label), drafts, replaced)

    def _steps(self) -> Iterator[Offer]:
        """Each treatment that begins now, and what may be given instead of it."""
        way = self._way()
        if way is None:
            return
        orders = self.chart.knowledge.orders
        for step in way.steps:
            if step.begins != "now":
                continue
            instead = [
                each.treatment for each in orders.instead_of(step.treatment) if each.treatment in self.chart.free
            ]
            for treatment in (step.treatment, *instead):
                found = self._of_treatment(treatment)
                if found is not None:
                    yield self._treatment(treatment, found, self._step_notes(way, step), way)

    def _step_notes(self, way: Pathway, step: PathwayStep) -> tuple[str, ...]:
        treatment = self.chart.knowledge.cards.treatments[step.treatment]
        place = self.words.plan.step.format(pathway=way.title, treatment=treatment, timing=step.timing, why=step.why)
        return (place, *safety_notes(self.chart), *self._choice_note(way))

    def _choice_note(self, way: Pathway) -> tuple[str, ...]:
        return (way.says,) if way.choice == "clinician" else ()

    def _as_choice(self, way: Pathway | None, label: str) -> str:
        if way is None or way.choice != "clinician":
            return label
        return self.words.choice.format(grade=way.grade.value, label=label)

    # What is being ordered

    def _ordered(self) -> Iterator[Offer]:
        """What is being ordered, with dose and schedule, in the place of a draft that has neither."""
        made = self.chart.decision.recommendation
        if made.verdict is not Standing.MET:
            return
        for treatment in made.ordered:
            bare = self._bare(treatment)
            found = self._of_treatment(treatment) if bare else None
            if found is not None:
                yield self._treatment(treatment, found, safety_notes(self.chart), None, bare)

    def _along(self) -> Iterator[Offer]:
        """What goes along with what is being ordered, unless it is drafted already."""
        made, orders = self.chart.decision.recommendation, self.chart.knowledge.orders
        if made.verdict is not Standing.MET:
            return
        names = [name for each in made.ordered if (of := orders.of_treatment(each)) for name in of.company]
        for name in dict.fromkeys(names):
            each = ready(self.chart, name, orders.by_id[name])
            if not all(self.chart.drafted(template.order) for template in each.chosen):
                yield self._offer(name, each.label, drafts_of(self.chart, each), treats=False)

    def _bare(self, treatment: str) -> list[Draft]:
        """The one draft of a treatment, where it has neither dose nor schedule and can be named."""
        drafts = self.chart.of_treatment.get(treatment, ())
        others = [each for name, found in self.chart.of_treatment.items() if name != treatment for each in found]
        bare = [each for each in drafts if each.is_bare and is_reference(each.reference) and each not in others]
        return bare if len(drafts) == 1 else []

    def _is_drafted(self, treatment: str) -> bool:
        """Whether the treatment, or what is given instead, is drafted in a way that a plan could not replace."""
        instead = self.chart.knowledge.orders.instead_of(treatment)
        if self.chart.drafted_otherwise(treatment) or any(
            each.treatment in self.chart.of_treatment for each in instead
        ):
            return True
        return treatment in self.chart.of_treatment and not self._bare(treatment)

    # What is missing

    def _data(self) -> Iterator[Offer]:
        made, orders = self.chart.decision.recommendation, self.chart.knowledge.orders
        wanted = [ask.datum for ask in made.asks]
        if made.verdict is Standing.MET:
            waiting = [criterion for answer in made.undecided for criterion in answer.open]
            wanted += [self.chart.knowledge.criteria[criterion].ask.datum for criterion in waiting]
            wanted += [held.datum for held in self.held if held.datum]
        for datum in dict.fromkeys(wanted):
            found = orders.data.get(datum)
            if found is not None and self._makes_sense(found):
                each = ready(self.chart, datum_name(datum), found)
                yield self._offer(datum, each.label, drafts_of(self.chart, each), treats=False)

    def _makes_sense(self, orders: DataOrders) -> bool:
        patient = self.chart.decision.record.patient
        gender = patient.gender if patient else None
        return gender not in orders.not_for and not all(map(self.chart.drafted, orders.orders))

    # Offers

    def _of_treatment(self, treatment: str) -> ReadyOrders | None:
        if treatment not in self._asked:
            orders = self.chart.knowledge.orders.of_treatment(treatment)
            found = readiness(self.chart, orders) if orders else HeldOrders()
            if isinstance(found, HeldOrders):
                self.held.append(found)
            self._asked[treatment] = found if isinstance(found, ReadyOrders) else None
        return self._asked[treatment]

    def _company(self, each: ReadyOrders | None) -> Iterator[ReadyOrders]:
        if each is not None and isinstance(each.orders, TreatmentOrders):
            by_id = self.chart.knowledge.orders.by_id
            yield from (ready(self.chart, name, by_id[name]) for name in each.orders.company)

    def _treatment(
        self,
        treatment: str,
        found: ReadyOrders,
        notes: tuple[str, ...],
        way: Pathway | None,
        bare: list[Draft] | None = None,
    ) -> Offer:
        drafts = drafts_of(self.chart, found, notes)
        if isinstance(found.orders, TreatmentOrders) and found.orders.monitored_by:
            name = found.orders.monitored_by
            drafts += drafts_of(self.chart, ready(self.chart, name, self.chart.knowledge.orders.by_id[name]))
        return self._offer(treatment, self._as_choice(way, found.label), drafts, bare or [])

    def _offer(
        self,
        identity: str,
        label: str,
        drafts: list[DraftOrder],
        replaced: list[Draft] | None = None,
        *,
        treats: bool = True,
    ) -> Offer:
        create = [
            ProposedAction(description=self.words.create.format(title=draft.title), resource=draft.resource)
            for draft in drafts
        ]
        back = [ProposedAction(description=self.words.replace, takes_back=draft.reference) for draft in replaced or ()]
        return Offer(id=identity, label=label, treats=treats, actions=(*create, *back))
