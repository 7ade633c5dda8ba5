"""Protocols planned for one knowledge: what is the same for every patient is worked out once. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fhir_plugin.deciding.made_ready import RulesMadeReady
from fhir_plugin.deciding.standing import PlannedClause, planned
from mappings.schema.load import Knowledge
from mappings.schema.rules.criteria import Ask
from mappings.schema.rules.protocols import Conflict, Protocol


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ProtocolPlan:
    """A protocol with what it needs of the knowledge."""

    protocol: Protocol
    clauses: tuple[PlannedClause, ...]
    concerned: Mapping[str, tuple[int, ...]]
    """By treatment: which of the clauses are for it, in the order of the protocol."""
    asks: Mapping[str, Ask]
    """By criterion."""
    speaking: tuple[str, ...]
    """Criteria of which one that is met is reason enough for a card without an order."""
    conflicts: tuple[Conflict, ...]
    """Every conflict with the protocol's own resolution."""


class ProtocolPlans(RulesMadeReady[Protocol, ProtocolPlan]):
    """The protocols of one knowledge, each planned when it is first applied."""

    def __init__(self, knowledge: Knowledge) -> None:
        super().__init__(knowledge, _planned)


def _planned(protocol: Protocol, knowledge: Knowledge) -> ProtocolPlan:
    clauses = protocol.clauses
    return ProtocolPlan(
        protocol=protocol,
        clauses=tuple(map(planned, clauses)),
        concerned={
            name: tuple(place for place, clause in enumerate(clauses) if name in clause.treatments)
            for name in protocol.treatments
        },
        asks={clause.criterion: knowledge.criteria[clause.criterion].ask for clause in clauses},
        speaking=tuple(dict.fromkeys(clause.criterion for clause in clauses if clause.speaks)),
        conflicts=knowledge.resolved_conflicts[protocol.id],
    )
