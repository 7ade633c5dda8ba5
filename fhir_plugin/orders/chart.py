"""What the proposed orders of one call are based on: the decision, the protocol, and data of the record. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from fhir_plugin.deciding.decide import Decision
from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.drafts.draft_orders import Draft
from fhir_plugin.drafts.ordered import NOTHING_ORDERED, OrderedTreatments
from fhir_plugin.facts.fact import Measurement, Presence
from fhir_plugin.facts.weight import DosingWeight, dosing_weight
from fhir_plugin.orders.fhir import OrderContext, Resource, is_reference
from fhir_plugin.orders.templates import OrderMarks, Templates
from mappings.schema.load import Knowledge
from mappings.schema.orders.model import OfferWords, Order
from mappings.schema.rules.protocols import Protocol

_NAMESPACE = uuid.UUID("a5d2c0d4-0f0a-5b0c-9d1e-7c6f3e2b1a90")


@dataclass(frozen=True)
class Chart:
    """One decision, as far as orders depend on it."""

    decision: Decision
    knowledge: Knowledge
    templates: Templates
    ordered: OrderedTreatments = NOTHING_ORDERED
    """What the draft orders of the call contain."""

    @cached_property
    def drafts(self) -> tuple[Draft, ...]:
        """Every draft of the call."""
        return tuple(recognised.draft for recognised in self.ordered.considered)

    @cached_property
    def of_treatment(self) -> Mapping[str, tuple[Draft, ...]]:
        """The drafts by the treatment that they order."""
        by_treatment: dict[str, tuple[Draft, ...]] = {}
        for recognised in self.ordered.considered:
            for treatment in recognised.treatments:
                by_treatment[treatment] = (*by_treatment.get(treatment, ()), recognised.draft)
        return by_treatment

    @cached_property
    def protocol(self) -> Protocol:
        """The protocol that was applied."""
        return self.knowledge.protocols[self.decision.recommendation.protocol]

    @property
    def words(self) -> OfferWords:
        """The sentences."""
        return self.knowledge.orders.words

    @cached_property
    def cleared(self) -> frozenset[str]:
        """The treatments that nothing known or unknown argues against."""
        answers = self.decision.recommendation.treatments
        return frozenset(answer.treatment for answer in answers if answer.may_be_offered)

    def verdict(self, criterion: str) -> Verdict:
        """The verdict on a criterion."""
        return self.decision.by_criterion[criterion].verdict

    @cached_property
    def weight(self) -> DosingWeight:
        """The weight for dosing, or why there is none; a protocol that does not limit its age allows none."""
        age = self.protocol.parameters.get(self.words.weight_max_age)
        if age is None:
            return DosingWeight(kilograms=None, missing=(self.words.held.no_age,))
        return dosing_weight(self.decision.facts, age.low, self.knowledge.wording)

    @cached_property
    def context(self) -> OrderContext:
        """Patient, day and reasons of the orders."""
        criterion = self.knowledge.criteria[self.words.reason]
        values = [self.decision.facts.named[name].value for name in criterion.facts]
        entries = [entry for value in values if isinstance(value, Presence) for entry in value.current]
        return OrderContext(
            patient_id=self.decision.record.patient_id,
            as_of=self.decision.facts.as_of,
            reasons=tuple(entry.reference for entry in entries if is_reference(entry.reference)),
        )

    @cached_property
    def head(self) -> Resource:
        """The members that all orders of the call share."""
        return self.context.head()

    @cached_property
    def identity(self) -> str:
        """The prefix of the ids of all drafts: the same for the same patient, day and protocol."""
        context = self.context
        return str(uuid.uuid5(_NAMESPACE, f"{context.patient_id}|{context.as_of}|{self.protocol.id}"))

    def title(self, criterion: str) -> str:
        """The title of a criterion."""
        return self.knowledge.criteria[criterion].title

    def instrument(self, order: Order) -> str:
        """The first instrument of a questionnaire that has a score on the record, else the first."""
        facts = self.decision.facts.named
        scored = (name for name in order.instruments if isinstance(facts[f"scores.{name}.latest"].value, Measurement))
        return next(scored, order.instruments[0])

    def drafted(self, marks: OrderMarks) -> bool:
        """Whether the drafts already include such an order: by code, by title, or as a companion of the same kind."""
        is_companion = self.knowledge.order_checks.is_companion
        return any(
            any((coding.system, coding.code) in marks.codes for coding in draft.codings)
            or draft.text in marks.titles
            or (marks.companion and is_companion(draft.words, (coding.code for coding in draft.codings)))
            for draft in self.drafts
        )

    def drafted_otherwise(self, treatment: str) -> bool:
        """Whether the drug of a treatment is drafted in a form that its orders do not cover."""
        return any(recognised.other_form == treatment for recognised in self.ordered.considered)
