"""What the drafts of one call rest on: the decision, the protocol, and what the record gives to an order. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from fhir_plugin.deciding.assess import Verdict
from fhir_plugin.deciding.decide import Decision
from fhir_plugin.deciding.recommend import Standing
from fhir_plugin.drafts.draft_orders import Draft
from fhir_plugin.drafts.ordered import NOTHING_ORDERED, OrderedTreatments
from fhir_plugin.facts.fact import Measurement, Presence
from fhir_plugin.facts.weight import DosingWeight, dosing_weight
from fhir_plugin.orders.fhir import OrderContext, Resource, is_reference
from fhir_plugin.orders.templates import Templates
from fhir_plugin.scales.codes import panel_coding
from mappings.schema.load import Knowledge
from mappings.schema.orders.model import OfferWords, Order
from mappings.schema.rules.protocols import Protocol

_NAMESPACE = uuid.UUID("a5d2c0d4-0f0a-5b0c-9d1e-7c6f3e2b1a90")


@dataclass(frozen=True)
class Chart:
    """One decision, as far as orders need it."""

    decision: Decision
    knowledge: Knowledge
    templates: Templates
    ordered: OrderedTreatments = NOTHING_ORDERED
    """What the drafts of the call are about."""

    @cached_property
    def drafts(self) -> tuple[Draft, ...]:
        """Every draft of the call."""
        return tuple(each.draft for each in (*self.ordered.recognised, *self.ordered.beside))

    @cached_property
    def of_treatment(self) -> Mapping[str, tuple[Draft, ...]]:
        """The drafts that order a treatment."""
        found: dict[str, tuple[Draft, ...]] = {}
        for each in (*self.ordered.recognised, *self.ordered.beside):
            for treatment in each.treatments:
                found[treatment] = (*found.get(treatment, ()), each.draft)
        return found

    @cached_property
    def protocol(self) -> Protocol:
        """The protocol that was applied."""
        return self.knowledge.protocols[self.decision.recommendation.protocol]

    @property
    def words(self) -> OfferWords:
        """The sentences."""
        return self.knowledge.orders.words

    @cached_property
    def free(self) -> frozenset[str]:
        """The treatments that nothing known or unknown stands against."""
        answers = self.decision.recommendation.treatments
        return frozenset(answer.treatment for answer in answers if answer.standing is Standing.MET)

    @cached_property
    def verdicts(self) -> Mapping[str, Verdict]:
        """By criterion."""
        return {finding.criterion: finding.verdict for finding in self.decision.findings}

    @cached_property
    def weight(self) -> DosingWeight:
        """The weight to dose by, or why there is none; none under a protocol that does not say how old it may be."""
        age = self.protocol.parameters.get(self.words.weight_max_age)
        if age is None:
            return DosingWeight(kilograms=None, missing=(self.words.held.no_age,))
        return dosing_weight(self.decision.facts, age.low, self.knowledge.wording)

    @cached_property
    def about(self) -> OrderContext:
        """Whom the orders are for, and why."""
        criterion = self.knowledge.criteria[self.words.reason]
        values = [self.decision.facts.named[name].value for name in criterion.facts]
        entries = [each for value in values if isinstance(value, Presence) for each in value.current]
        return OrderContext(
            patient_id=self.decision.record.patient_id,
            as_of=self.decision.facts.as_of,
            reasons=tuple(each.reference for each in entries if is_reference(each.reference)),
        )

    @cached_property
    def head(self) -> Resource:
        """What every order of the call begins with."""
        return self.about.head()

    @cached_property
    def identity(self) -> str:
        """The beginning of the ids of all drafts: the same for the same patient, day and protocol."""
        about = self.about
        return str(uuid.uuid5(_NAMESPACE, f"{about.patient_id}|{about.as_of}|{self.protocol.id}"))

    def title(self, criterion: str) -> str:
        """What a reader calls a criterion."""
        return self.knowledge.criteria[criterion].title

    def instrument(self, order: Order) -> str:
        """Of the instruments of a questionnaire the first with a score on the record, else the first."""
        facts = self.decision.facts.named
        scored = (each for each in order.instruments if isinstance(facts[f"scores.{each}.latest"].value, Measurement))
        return next(scored, order.instruments[0])

    def drafted(self, order: Order) -> bool:
        """Whether such an order is among the drafts already: by its code, its words, or as one of the same kind."""
        codes, titles = self._called(order)
        is_companion = self.knowledge.order_checks.is_companion
        beside = is_companion((order.title,), (code for _, code in codes))
        return any(
            any((coding.system, coding.code) in codes for coding in draft.codings)
            or draft.text in titles
            or (beside and is_companion(draft.words, (coding.code for coding in draft.codings)))
            for draft in self.drafts
        )

    def drafted_otherwise(self, treatment: str) -> bool:
        """Whether the drug of a treatment is drafted in a form that its orders are not made for."""
        return any(each.other_form == treatment for each in (*self.ordered.recognised, *self.ordered.beside))

    def _called(self, order: Order) -> tuple[set[tuple[str, str]], set[str]]:
        if order.kind != "questionnaire":
            return {(each.system, each.code) for each in order.codes}, {order.title}
        asked = [self.knowledge.instruments[name] for name in order.instruments]
        codings = [panel_coding(each) for each in asked]
        return {(each["system"], each["code"]) for each in codings}, {each.title for each in asked}
