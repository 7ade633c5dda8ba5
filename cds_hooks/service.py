"""One call as a straight line: request -> gather -> facts -> assess -> recommend -> cards."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from cds_hooks.cards import criteria_card
from cds_hooks.errors import BadRequest
from cds_hooks.measures import session_card, with_scores
from cds_hooks.own_cards import antidepressant_card, safety_cards
from cds_hooks.protocol import Card, HookCall, OrderSelect, OrderSign
from cds_hooks.settings import Settings
from cds_hooks.telling import Basis, Telling
from cds_hooks.trust import may_read
from fhir_plugin.client import Clients
from fhir_plugin.decide import Decision, decide
from fhir_plugin.drafts import Draft, Drafts, read_drafts, selected
from fhir_plugin.errors import BadInput
from fhir_plugin.facts.medications.products import identify
from fhir_plugin.gather import FhirSource, gather
from fhir_plugin.needs import observation_tokens
from mappings.load import Knowledge
from mappings.services import ServiceDefinition

ANTIDEPRESSANT = "antidepressant"
"""The group of the medication tables that an order is looked up in."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The cards of one call, and what they, or the silence, rest on."""

    cards: tuple[Card, ...]
    decision: Decision | None = None
    """``None`` where no draft concerned anything that this service knows."""
    bases: Mapping[str, Basis] = field(default_factory=dict)
    """What each card rests on, by its uuid."""

    @property
    def verdicts(self) -> dict[str, int]:
        """How many criteria are met, not met and unknown."""
        return dict(Counter(finding.verdict.value for finding in self.decision.findings)) if self.decision else {}


@dataclass(frozen=True, slots=True)
class _Ordered:
    """What the drafts of a call are about."""

    treatments: tuple[str, ...] = ()
    antidepressant: bool = False
    foreign: int = 0

    @property
    def concerns_us(self) -> bool:
        return bool(self.treatments) or self.antidepressant


class HookService:
    """Answers calls; holds what lives as long as the process and nothing of any patient."""

    def __init__(
        self,
        knowledge: Knowledge,
        settings: Settings,
        clients: Clients,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        """``new_id`` gives every card its own identifier."""
        self._knowledge = knowledge
        self._settings = settings
        self._clients = clients
        self._new_id = new_id
        self._wanted = knowledge.inputs
        self._codes = observation_tokens(knowledge)

    async def answer(self, call: HookCall, service: ServiceDefinition, as_of: date) -> Answer:
        """The answer to one call.

        :raises RecordUnavailable: a required input can be had from neither the prefetch nor the FHIR server.
        :raises BadRequest: the context names no possible patient.
        """
        ordered = self._ordered(call)
        if service.speaks == "order" and not ordered.concerns_us:
            return Answer(())
        source = self._source(call)
        try:
            record = await gather(
                call.context.patient_id,
                call.prefetch,
                self._wanted,
                self._codes,
                source,
                self._clients,
                self._settings.deadline_seconds,
            )
        except BadInput as fault:
            raise BadRequest("/context/patientId", str(fault)) from None
        decision = decide(record, self._knowledge, self._knowledge.protocol, as_of, ordered.treatments)
        telling = Telling(decision, self._knowledge, call.hook, as_of, ordered.foreign, self._new_id)
        return Answer(_cards(telling, service, ordered), decision, telling.bases)

    def _ordered(self, call: HookCall) -> _Ordered:
        if not isinstance(call.context, OrderSelect | OrderSign):
            return _Ordered()
        entries = ((entry.full_url, entry.resource) for entry in call.context.draft_orders.entry)
        read = read_drafts(entries, call.context.patient_id)
        if isinstance(call.context, OrderSelect):
            read = Drafts(drafts=selected(read.drafts, call.context.selections), foreign=read.foreign)
        treatments = dict.fromkeys(found for draft in read.drafts for found in self._treatments(draft))
        return _Ordered(
            treatments=tuple(treatments),
            antidepressant=any(map(self._is_antidepressant, read.drafts)),
            foreign=read.foreign,
        )

    def _treatments(self, draft: Draft) -> tuple[str, ...]:
        """What the draft orders, by its codes, else by its words, which may name two treatments at once."""
        treatments = self._knowledge.treatments
        coded = treatments.of_code((each.system, each.code) for each in draft.codings)
        if coded:
            return (coded,)
        return next((found for words in draft.words if (found := treatments.all_of_text(words))), ())

    def _is_antidepressant(self, draft: Draft) -> bool:
        known = self._knowledge.medications
        return any(identify(concept, known).contains(ANTIDEPRESSANT, known) for concept in draft.concepts)

    def _source(self, call: HookCall) -> FhirSource | None:
        """The FHIR server of the call, where the site lets it be read."""
        if call.fhir_server is None or not may_read(call.fhir_server, self._settings):
            return None
        token = call.fhir_authorization.access_token if call.fhir_authorization else None
        try:
            return FhirSource(call.fhir_server, token or None)
        except BadInput as fault:
            raise BadRequest("/fhirServer", str(fault)) from None


def _cards(telling: Telling, service: ServiceDefinition, ordered: _Ordered) -> tuple[Card, ...]:
    """Safety first; then the criteria where an order asks for them, or where the record gives reason to speak."""
    recommendation = telling.decision.recommendation
    safety = safety_cards(telling)
    if service.speaks == "session":
        return (*safety, *with_scores(telling, session_card(telling)))
    if service.speaks == "patient":
        return (*safety, *with_scores(telling, (criteria_card(telling),) if recommendation.speaks else ()))
    if ordered.treatments:
        return (*safety, criteria_card(telling))
    return (*safety, *antidepressant_card(telling))
