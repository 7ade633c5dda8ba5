"""The pure part of a call: record -> facts -> assess -> recommend. The same input gives the same decision."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from fhir_plugin.deciding.assess import assess
from fhir_plugin.deciding.finding import Finding
from fhir_plugin.deciding.plan import ProtocolPlan, ProtocolPlans
from fhir_plugin.deciding.recommend import Recommendation, recommend_by, reordered
from fhir_plugin.errors import BadInput
from fhir_plugin.facts.read import Facts, read_facts
from fhir_plugin.record.record import Record
from mappings.schema.load import Knowledge


@dataclass(frozen=True)
class Decision:
    """Everything that follows from one record, with every step kept so that it can be shown and explained."""

    record: Record
    facts: Facts
    findings: tuple[Finding, ...]
    recommendation: Recommendation
    others: tuple[ProtocolPlan, ...] = ()
    """The protocols that the site did not choose."""
    ordered: tuple[str, ...] = ()
    """The treatments that are being ordered, by whichever protocol."""

    @cached_property
    def beside(self) -> tuple[Recommendation, ...]:
        """The recommendations of the other protocols, from the same findings; made when somebody asks for them."""
        return tuple(recommend_by(plan, self.findings, self.ordered) for plan in self.others)

    def finding(self, criterion: str) -> Finding | None:
        """The finding of one criterion, if it was assessed."""
        return self.by_criterion.get(criterion)

    @cached_property
    def by_criterion(self) -> dict[str, Finding]:
        """The findings, by criterion."""
        return {finding.criterion: finding for finding in self.findings}


def decide(
    record: Record,
    knowledge: Knowledge,
    *,
    as_of: date,
    protocol: str | None = None,
    ordered: Collection[str] = (),
    mark: Callable[[str], None] = lambda _step: None,
) -> Decision:
    """Decide for one record by one protocol on one day.

    The day is always given, because this part of Tandem has no clock. The protocol is the knowledge's own choice if
    none is named. ``ordered`` names the treatments that are being ordered; ``mark`` is called with the name of every
    completed step. Raises BadInput for a protocol that is not in the knowledge.
    """
    chosen = chosen_protocol(knowledge, protocol)
    facts = read_facts(record, knowledge, as_of)
    mark("facts")
    findings = assess(facts, knowledge)
    mark("assess")
    plans = {name: knowledge.once(ProtocolPlans).of(each) for name, each in knowledge.protocols.items()}
    recommendation = recommend_by(plans.pop(chosen), findings, ordered)
    mark("recommend")
    return Decision(record, facts, findings, recommendation, tuple(plans.values()), tuple(ordered))


def decide_for(decision: Decision, knowledge: Knowledge, ordered: Collection[str]) -> Decision:
    """The same findings, weighed for other orders than the decision was made for."""
    protocol = knowledge.protocols[decision.recommendation.protocol]
    plan = knowledge.once(ProtocolPlans).of(protocol)
    recommendation = reordered(decision.recommendation, plan, decision.findings, ordered)
    return replace(decision, recommendation=recommendation, ordered=tuple(ordered))


def chosen_protocol(knowledge: Knowledge, name: str | None = None) -> str:
    """The protocol of that name, else the knowledge's own choice. Raises BadInput for one that is not there."""
    chosen = name or knowledge.protocol
    if chosen not in knowledge.protocols:
        raise BadInput(f"no protocol {chosen}: choose one of {', '.join(knowledge.protocols)}")
    return chosen
