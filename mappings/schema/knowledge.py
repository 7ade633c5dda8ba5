"""All knowledge as one frozen object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TypeVar, cast

from mappings.schema.base.entries import Source
from mappings.schema.codes.interactions import Interactions
from mappings.schema.codes.laboratory import Laboratory
from mappings.schema.codes.screens import Screens
from mappings.schema.codes.value_sets import ValueSets
from mappings.schema.codes.vitals import VitalSigns
from mappings.schema.instruments import Instruments
from mappings.schema.medications import Medications
from mappings.schema.order_checks import OrderChecks
from mappings.schema.orders import Orders
from mappings.schema.payers import COVERAGE_INPUT as COVERAGES
from mappings.schema.payers import Payers
from mappings.schema.rules.criteria import Criterion
from mappings.schema.rules.facts import FactDefinition
from mappings.schema.rules.person import PersonRules
from mappings.schema.rules.protocols import Conflict, Protocol
from mappings.schema.rules.sites import Site
from mappings.schema.service.memory import MemoryRules
from mappings.schema.service.servers import ServerProfile
from mappings.schema.service.services import ServiceDefinition, ServicesFile
from mappings.schema.sessions import Sessions
from mappings.schema.texts.about import AboutWords
from mappings.schema.texts.cards import CardWords
from mappings.schema.texts.claims import Claims
from mappings.schema.texts.dossier import DossierWords
from mappings.schema.texts.wording import FindingWords, Wording
from mappings.schema.treatments import Treatments

T = TypeVar("T")


@dataclass(frozen=True)
class Knowledge:
    """All knowledge, frozen; the same files give the same ``digest``."""

    sources: Mapping[str, Source]
    value_sets: ValueSets
    vital_signs: VitalSigns
    instruments: Instruments
    treatments: Treatments
    medications: Medications
    interactions: Interactions
    laboratory: Laboratory
    screens: Screens
    facts: Mapping[str, FactDefinition]
    person: PersonRules
    criteria: Mapping[str, Criterion]
    protocols: Mapping[str, Protocol]
    conflicts: Mapping[str, Conflict]
    claims: Claims
    resolved_conflicts: Mapping[str, tuple[Conflict, ...]]
    """By protocol: every conflict with that protocol's resolution."""
    payers: Payers
    dossier: DossierWords
    wording: Wording
    sentences: Mapping[str, Mapping[str, FindingWords]]
    """By criterion and fact: the sentences of its findings, the title filled in."""
    cards: CardWords
    sessions: Sessions
    """The rules before a treatment session."""
    orders: Orders
    services: ServicesFile
    servers: Mapping[str, ServerProfile]
    """Kinds of FHIR server, by the name of their profile."""
    order_checks: OrderChecks
    about: AboutWords
    memory: MemoryRules
    digest: str
    """SHA-256 over the names and bytes of all knowledge files, and of the site's."""
    site: Site | None = None
    """A site's own settings."""

    @property
    def short_digest(self) -> str:
        """The beginning of the digest, by which cards, logs, metrics and rows name the knowledge."""
        return self.digest[:12]

    @property
    def protocol(self) -> str:
        """The protocol to apply: the site's choice, else ours."""
        return (self.site.protocol if self.site else None) or self.services.protocol

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The names of all inputs: for criteria, for the payer and for order checks."""
        return tuple(sorted({*self.deciding_inputs, *self._payer_inputs, *self.order_checks.inputs}))

    def inputs_of(self, service: ServiceDefinition) -> tuple[str, ...]:
        """The inputs of one service; the payer is irrelevant at the start of a session."""
        if service.speaks == "order":
            return self.inputs
        more = self._payer_inputs if service.speaks == "patient" else self._session_inputs
        return tuple(sorted({*self.deciding_inputs, *more}))

    @cached_property
    def deciding_inputs(self) -> tuple[str, ...]:
        """Every input that some criterion needs, sorted by name."""
        return tuple(sorted(self.inputs_for(self.criteria)))

    @cached_property
    def _payer_inputs(self) -> frozenset[str]:
        comparisons = (item for policy in self.payers.policies.values() for item in policy.comparisons.values())
        return frozenset(
            {COVERAGES, *(place for item in comparisons for name in item.facts for place in self.facts[name].inputs)}
        )

    @cached_property
    def _session_inputs(self) -> frozenset[str]:
        return frozenset(place for name in self.sessions.facts for place in self.facts[name].inputs)

    @cached_property
    def criteria_due(self) -> date:
        """The day from which the review of at least one criterion is overdue."""
        return min(criterion.review_due for criterion in self.criteria.values())

    def once(self, make: Callable[[Knowledge], T]) -> T:
        """What ``make`` makes of this knowledge: made when it is first asked for, and kept with the knowledge.

        For what a room above needs ready-made. A copy of the knowledge with other rules makes its own.
        """
        if make not in self._made:
            self._made[make] = make(self)
        return cast("T", self._made[make])

    @cached_property
    def _made(self) -> dict[Callable[[Knowledge], object], object]:
        return {}

    def inputs_for(self, criteria: Iterable[str]) -> frozenset[str]:
        """The inputs that the facts of these criteria read, and so what a prefetch must supply."""
        names = (name for criterion in criteria for name in self.criteria[criterion].facts)
        return frozenset(place for name in names for place in self.facts[name].inputs)
