"""The pure part of a call: record -> facts -> assess -> recommend. The same input gives the same decision."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import date

from fhir_plugin.deciding.assess import assess
from fhir_plugin.deciding.finding import Finding
from fhir_plugin.deciding.recommend import Recommendation, recommend
from fhir_plugin.errors import BadInput
from fhir_plugin.facts.read import Facts, read_facts
from fhir_plugin.record.record import Record
from mappings.schema.load import Knowledge


@dataclass(frozen=True, slots=True)
class Decision:
    """Everything that follows from one record, with every step kept so that it can be shown and explained."""

    record: Record
    facts: Facts
    findings: tuple[Finding, ...]
    recommendation: Recommendation
    beside: tuple[Recommendation, ...] = ()
    """The recommendations of the protocols that the site did not choose, from the same findings."""

    def finding(self, criterion: str) -> Finding | None:
        """The finding of one criterion, if it was assessed."""
        return next((finding for finding in self.findings if finding.criterion == criterion), None)


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
    recommendation, beside = _recommended(findings, knowledge, chosen, ordered)
    mark("recommend")
    return Decision(record, facts, findings, recommendation, beside)


def decide_for(decision: Decision, knowledge: Knowledge, ordered: Collection[str]) -> Decision:
    """The same findings, weighed for other orders than the decision was made for."""
    recommendation, beside = _recommended(decision.findings, knowledge, decision.recommendation.protocol, ordered)
    return replace(decision, recommendation=recommendation, beside=beside)


def _recommended(
    findings: tuple[Finding, ...], knowledge: Knowledge, chosen: str, ordered: Collection[str]
) -> tuple[Recommendation, tuple[Recommendation, ...]]:
    """By the chosen protocol, and by each of the others."""
    by_protocol = {
        name: recommend(findings, definition, knowledge, ordered) for name, definition in knowledge.protocols.items()
    }
    return by_protocol.pop(chosen), tuple(by_protocol.values())


def chosen_protocol(knowledge: Knowledge, name: str | None = None) -> str:
    """The protocol of that name, else the knowledge's own choice. Raises BadInput for one that is not there."""
    chosen = name or knowledge.protocol
    if chosen not in knowledge.protocols:
        raise BadInput(f"no protocol {chosen}: choose one of {', '.join(knowledge.protocols)}")
    return chosen
