"""One call as a straight line: request -> gather -> facts -> assess -> recommend -> cards."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from cds_hooks.cards.app_links import AppLinks
from cds_hooks.cards.builder import CardBasis, CardContext
from cds_hooks.cards.criteria import criteria_card
from cds_hooks.cards.measures import session_card, with_scores
from cds_hooks.cards.order_notices import notices, other_form_card
from cds_hooks.cards.own_cards import antidepressant_card, safety_cards
from cds_hooks.cards.this_order import with_checks
from cds_hooks.protocol.errors import BadRequest
from cds_hooks.protocol.requests import FhirAuthorization, HookCall, OrderSelect, OrderSign
from cds_hooks.protocol.responses import Card
from cds_hooks.protocol.trace import Trace, discard_mark
from cds_hooks.settings.readable import ReadableServers, may_read
from cds_hooks.settings.settings import Settings
from fhir_plugin.deciding.decide import Decision, decide
from fhir_plugin.drafts.draft_orders import read_drafts, selected, with_medications
from fhir_plugin.drafts.ordered import NOTHING_ORDERED, OrderedTreatments, order_of
from fhir_plugin.errors import BadInput
from fhir_plugin.order_checks.check import check_orders
from fhir_plugin.orders.templates import Templates
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.draft_medications import find_medications
from fhir_plugin.reading.gather import FhirSource, gather
from fhir_plugin.reading.needs import observation_tokens
from fhir_plugin.reading.scopes import EXPIRED, NO_BEARER
from mappings.schema.load import Knowledge
from mappings.schema.service.services import ServiceDefinition


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """The cards of one call, and what they, or the silence, rest on."""

    cards: tuple[Card, ...]
    decision: Decision | None = None
    """``None`` where no draft concerned anything that this service knows."""
    bases: Mapping[str, CardBasis] = field(default_factory=dict)
    """What each card rests on, by its uuid."""
    ordered: OrderedTreatments = NOTHING_ORDERED
    """What the draft orders were about."""

    @property
    def verdicts(self) -> dict[str, int]:
        """How many criteria are met, not met and unknown."""
        return dict(Counter(finding.verdict.value for finding in self.decision.findings)) if self.decision else {}


class HookService:
    """Answers calls; holds what lives as long as the process and nothing of any patient."""

    def __init__(
        self,
        knowledge: Knowledge,
        settings: Settings,
        clients: FhirServers,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        """``new_id`` gives every card its own identifier."""
        self._knowledge = knowledge
        self._app_links = AppLinks(settings.smart, settings.public_url)
        self._settings = settings
        self._clients = clients
        self._new_id = new_id
        self._codes = observation_tokens(knowledge)
        self._templates = Templates(knowledge, knowledge.protocol)

    async def answer(
        self,
        call: HookCall,
        service: ServiceDefinition,
        as_of: date,
        readable: ReadableServers,
        trace: Trace | None = None,
    ) -> HookAnswer:
        """The answer to one call; ``readable`` are the FHIR servers that may be read for it.

        ``trace`` takes down how it came about.

        :raises RecordUnavailable: a required input can be had from neither the prefetch nor the FHIR server.
        :raises BadRequest: the context names no possible patient.
        """
        mark = trace.mark if trace else discard_mark
        source = _source(call, readable)
        ordered = await self._ordered(call, source)
        mark("drafts")
        if service.speaks == "order" and not ordered.concerns_us:
            cards = notices(ordered, self._knowledge, self._new_id)
            return HookAnswer(cards, bases={card.uuid: CardBasis("drafts", ()) for card in cards}, ordered=ordered)
        try:
            record = await gather(
                call.context.patient_id,
                readable.supplied(call.prefetch),
                self._knowledge.inputs_of(service),
                self._codes,
                source,
                self._clients,
                self._settings.deadline_seconds,
                trace.queries if trace else None,
            )
        except BadInput as fault:
            raise BadRequest("/context/patientId", str(fault)) from None
        finally:
            mark("gather")
        decision = decide(record, self._knowledge, self._knowledge.protocol, as_of, ordered.treatments, mark)
        checked = check_orders(ordered, decision, self._knowledge)
        telling = CardContext(
            decision,
            self._knowledge,
            call.hook,
            as_of,
            len(ordered.foreign),
            self._new_id,
            ordered=ordered,
            checked=checked,
            templates=self._templates,
        )
        cards = self._app_links.on(_cards(telling, service, ordered), call.fhir_server, ordered.treatments)
        answer = HookAnswer(cards, decision, telling.bases, ordered)
        mark("cards")
        return answer

    async def _ordered(self, call: HookCall, source: FhirSource | None) -> OrderedTreatments:
        """What the drafts are about; a drug that they only refer to is looked up first."""
        if not isinstance(call.context, OrderSelect | OrderSign):
            return NOTHING_ORDERED
        entries = ((entry.full_url, entry.resource) for entry in call.context.draft_orders.entry)
        drafts = every = read_drafts(entries, call.context.patient_id)
        if isinstance(call.context, OrderSelect):
            drafts = selected(drafts, call.context.selections)
        wanted = {draft.unresolved for draft in drafts.drafts if draft.unresolved}
        if wanted:
            seconds = self._settings.deadline_seconds
            found = await find_medications(wanted, call.prefetch, source, self._clients, seconds)
            drafts = with_medications(drafts, found)
        return order_of(drafts, self._knowledge, every)


def _source(call: HookCall, readable: ReadableServers) -> FhirSource | None:
    """The FHIR server of the call, where it may be read."""
    if call.fhir_server is None or not may_read(call.fhir_server, readable):
        return None
    given = call.fhir_authorization
    try:
        if given is None or not given.access_token:
            return FhirSource(call.fhir_server, None, readable.habits)
        return FhirSource(
            call.fhir_server,
            given.access_token,
            readable.habits,
            scope=given.scope or "",
            good_for=given.good_for,
            refusal=_refusal(given),
        )
    except BadInput as fault:
        raise BadRequest("/fhirServer", str(fault)) from None


def _refusal(given: FhirAuthorization) -> str:
    """Why the server may not be asked with this token; without it the EHR has not allowed any asking."""
    if (given.token_type or "Bearer").lower() != "bearer":
        return NO_BEARER
    return EXPIRED if given.good_for <= 0 else ""


def _cards(telling: CardContext, service: ServiceDefinition, ordered: OrderedTreatments) -> tuple[Card, ...]:
    """Safety first; then the criteria where an order asks for them, or where the record gives reason to speak."""
    recommendation = telling.decision.recommendation
    safety = safety_cards(telling)
    if service.speaks == "session":
        return (*safety, *with_scores(telling, session_card(telling)))
    if service.speaks == "patient":
        return (*safety, *with_scores(telling, (criteria_card(telling),) if recommendation.speaks else ()))
    if ordered.treatments:
        return (*safety, with_checks(telling, criteria_card(telling)), *other_form_card(telling))
    return (*safety, *other_form_card(telling), *(antidepressant_card(telling) if ordered.antidepressant else ()))
