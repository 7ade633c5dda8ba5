"""One call as a straight line: request -> gather -> facts -> assess -> recommend -> cards."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial

from cds_hooks.cards.app_links import AppLinks
from cds_hooks.cards.builder import CardBasis, CardContext
from cds_hooks.cards.crisis import with_few_suggestions, with_safety
from cds_hooks.cards.criteria import criteria_card
from cds_hooks.cards.measures import with_scores
from cds_hooks.cards.order_notices import notices, other_form_card
from cds_hooks.cards.own_cards import antidepressant_card, safety_cards
from cds_hooks.cards.session import session_cards
from cds_hooks.cards.this_order import with_checks
from cds_hooks.protocol.aside import aside, is_large_record
from cds_hooks.protocol.errors import BadRequest
from cds_hooks.protocol.requests import FhirAuthorization, HookCall, OrderSelect, OrderSign
from cds_hooks.protocol.responses import Card
from cds_hooks.protocol.trace import Trace, discard_mark
from cds_hooks.protocol.turns import no_turn
from cds_hooks.settings.readable import ReadableServers, may_read
from cds_hooks.settings.settings import Detail, Settings
from fhir_plugin.deciding.decide import Decision, decide, decide_for
from fhir_plugin.drafts.draft_orders import Drafts, read_drafts, selected, with_medications
from fhir_plugin.drafts.encounters import encounter_of
from fhir_plugin.drafts.ordered import NOTHING_ORDERED, OrderedTreatments, order_of
from fhir_plugin.drafts.settled import settled
from fhir_plugin.errors import BadInput
from fhir_plugin.order_checks.check import check_orders
from fhir_plugin.orders.templates import Templates
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.draft_medications import find_medications
from fhir_plugin.reading.gather import FhirAccess
from fhir_plugin.reading.needs import DataNeeds, observation_tokens
from fhir_plugin.reading.scopes import EXPIRED, NOT_A_BEARER
from fhir_plugin.reading.sources import PrefetchSource, RecordSource
from fhir_plugin.record.record import Query, Record
from mappings.schema.load import Knowledge
from mappings.schema.service.services import ServiceDefinition


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """The cards of one call, and the basis of the cards or of their absence."""

    cards: tuple[Card, ...]
    decision: Decision | None = None
    """``None`` where no draft was relevant to this service."""
    bases: Mapping[str, CardBasis] = field(default_factory=dict)
    """The bases of the cards, by the uuid of the card."""
    ordered: OrderedTreatments = NOTHING_ORDERED
    """What the draft orders contained."""

    silence: tuple[str, ...] = ()
    """Why nothing is said about drafts of a covered drug or treatment; no text of the record."""
    drafts: DraftsRead | None = None
    """The drafts as they were read, where other knowledge is going to be asked about them."""

    @property
    def verdicts(self) -> dict[str, int]:
        """How many criteria are met, not met and unknown."""
        found = [finding.verdict for finding in self.decision.findings] if self.decision else []
        return {verdict.value: found.count(verdict) for verdict in dict.fromkeys(found)}


@dataclass(frozen=True, slots=True)
class DraftsRead:
    """The drafts of a call, with the drugs that they refer to: the same for all knowledge."""

    answered: Drafts
    every: Drafts
    """Those that were not selected as well."""


class HookService:
    """Answers calls; keeps only what belongs to the process, and no patient data."""

    def __init__(
        self,
        knowledge: Knowledge,
        settings: Settings,
        servers: FhirServers,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        observe: Callable[[str, Sequence[Query]], None] | None = None,
    ) -> None:
        """``new_id`` generates the identifiers of cards and suggestions; ``observe`` is told the queries of each call,
        with the profile of the server.
        """
        self._knowledge = knowledge
        self._app_links = AppLinks(settings.smart, settings.public_url)
        self._settings = settings
        self._servers = servers
        self._new_id = new_id
        self._observe = observe
        codes = observation_tokens(knowledge)
        self._needs = {each.id: DataNeeds(knowledge.inputs_of(each), codes) for each in knowledge.services.services}
        self._templates = Templates(knowledge, knowledge.protocol)

    async def answer(
        self,
        call: HookCall,
        service: ServiceDefinition,
        as_of: date,
        readable: ReadableServers,
        trace: Trace | None = None,
        turn: Callable[[], Awaitable[None]] = no_turn,
        *,
        large: bool = False,
        asked_again: bool = False,
    ) -> HookAnswer:
        """The answer to one call; ``readable`` are the FHIR servers that may be read for it.

        ``trace`` records the steps, the queries and the decision; ``turn`` waits until nobody else works; the work on a
        ``large`` call must not hold up others; with ``asked_again``, the answer keeps what :meth:`again` needs.

        :raises RecordUnavailable: a required input is available from neither the prefetch nor the FHIR server.
        :raises BadRequest: the patient id in the context or the address of the FHIR server is not valid.
        """
        mark = trace.mark if trace else discard_mark
        access = _access(call, readable, trace.headers if trace else ())
        noted = trace.queries if trace else None
        drafts = await self._drafts(call, access, self._seconds(readable), noted, large=large)
        ordered = await aside(lambda: self._ordered(drafts), large=large)
        mark("drafts")
        kept = drafts if asked_again else None
        if service.speaks == "order" and not ordered.needs_record:
            return _keeping(kept, self._without_cards(ordered))
        queries: list[Query] = []
        try:
            record = await _read(self._source(call, service, readable, access, queries))
        finally:
            mark("gather")
            self._note(queries, readable, trace)
        if record.queries:
            await turn()
        large = large or is_large_record(record)
        answer = await aside(lambda: self._answered(call, service, as_of, ordered, record, mark), large=large)
        return _keeping(kept, answer)

    def _answered(
        self,
        call: HookCall,
        service: ServiceDefinition,
        as_of: date,
        ordered: OrderedTreatments,
        record: Record,
        mark: Callable[[str], None],
    ) -> HookAnswer:
        """The answer from the record as it was read: without waiting for anything."""
        decision = decide(record, self._knowledge, as_of=as_of, ordered=ordered.treatments, mark=mark)
        if service.speaks == "order":
            ordered, decision = self._settled(call, ordered, decision)
            if not ordered.needs_record:
                return self._without_cards(ordered, decision)
        answer = self._with_cards(call, service, ordered, decision, self._settings.detail)
        mark("cards")
        return answer

    def in_full(self, call: HookCall, service: ServiceDefinition, answer: HookAnswer) -> HookAnswer:
        """The answer to the same call with the whole reasoning on its cards; nothing is read again."""
        if answer.decision is None or (service.speaks == "order" and not answer.ordered.needs_record):
            return answer
        return self._with_cards(call, service, answer.ordered, answer.decision, "full")

    def again(self, call: HookCall, service: ServiceDefinition, answer: HookAnswer, as_of: date) -> HookAnswer:
        """What this knowledge answers to a call that another has answered: from the same record, nothing is read again.

        Where the other needed no record and this one would, there is none, and so no card.
        """
        ordered = self._ordered(answer.drafts)
        if service.speaks == "order" and not ordered.needs_record:
            return self._without_cards(ordered)
        if answer.decision is None:
            return HookAnswer((), ordered=ordered)
        return self._answered(call, service, as_of, ordered, answer.decision.record, discard_mark)

    def _with_cards(
        self, call: HookCall, service: ServiceDefinition, ordered: OrderedTreatments, decision: Decision, detail: Detail
    ) -> HookAnswer:
        context = CardContext(
            decision,
            self._knowledge,
            call.hook,
            decision.facts.as_of,
            len(ordered.foreign),
            self._new_id,
            ordered=ordered,
            checked=check_orders(ordered, decision, self._knowledge),
            detail=detail,
            has_app=self._app_links.reaches(call.fhir_server),
            templates=self._templates,
        )
        cards = with_few_suggestions(context, _cards(context, service, ordered))
        if context.has_app:
            cards = self._app_links.on(cards, ordered.treatments)
        return HookAnswer(cards, decision, context.bases, ordered, ordered.silence(self._knowledge))

    def _settled(
        self, call: HookCall, ordered: OrderedTreatments, decision: Decision
    ) -> tuple[OrderedTreatments, Decision]:
        """What is ordered in the light of the record, and the decision about that."""
        context, knowledge = call.context, self._knowledge
        encounter = partial(encounter_of, call.prefetch, context.encounter_id, context.patient_id)
        known = settled(ordered, decision.record, decision.facts, knowledge, encounter)
        if known.treatments == ordered.treatments:
            return known, decision
        return known, decide_for(decision, knowledge, known.treatments)

    def _without_cards(self, ordered: OrderedTreatments, decision: Decision | None = None) -> HookAnswer:
        """The answer where nothing is ordered that the criteria are for: at most a notice about the drafts."""
        cards = notices(ordered, self._knowledge, self._new_id)
        bases = {card.uuid: CardBasis("drafts", ()) for card in cards}
        return HookAnswer(cards, decision, bases, ordered, ordered.silence(self._knowledge))

    def _note(self, queries: Sequence[Query], readable: ReadableServers, trace: Trace | None) -> None:
        """Tell what was asked, also where the record is unavailable."""
        if trace:
            trace.queries.extend(queries)
        if queries and self._observe:
            self._observe(readable.profile, queries)

    def _source(
        self,
        call: HookCall,
        service: ServiceDefinition,
        readable: ReadableServers,
        access: FhirAccess | None,
        queries: list[Query],
    ) -> RecordSource:
        """Where the record comes from: the prefetch, and the FHIR server if it may be read."""
        return PrefetchSource(
            call.context.patient_id,
            readable.supplied(call.prefetch),
            self._needs[service.id],
            access,
            self._servers,
            self._seconds(readable),
            queries,
            barred="" if access or call.fhir_server is None else f"fhirServer may not be read: {readable.advice}",
        )

    def _seconds(self, readable: ReadableServers) -> float:
        """How long a call may spend reading."""
        return readable.deadline or self._settings.deadline_seconds

    async def _drafts(
        self,
        call: HookCall,
        access: FhirAccess | None,
        seconds: float,
        noted: list[Query] | None,
        *,
        large: bool,
    ) -> DraftsRead | None:
        """The drafts of a call that has some; a drug that they only refer to is looked up, and the query noted."""
        if not isinstance(call.context, OrderSelect | OrderSign):
            return None
        entries = ((entry.full_url, entry.resource) for entry in call.context.draft_orders.entries)
        patient, server = call.context.patient_id, call.fhir_server
        drafts = every = await aside(lambda: read_drafts(entries, patient, server), large=large)
        if isinstance(call.context, OrderSelect):
            drafts = selected(drafts, call.context.selections)
        unresolved = {draft.unresolved for draft in drafts.drafts if draft.unresolved}
        if unresolved:
            medications = await find_medications(unresolved, call.prefetch, access, self._servers, seconds, noted)
            drafts = with_medications(drafts, medications)
        return DraftsRead(drafts, every)

    def _ordered(self, drafts: DraftsRead | None) -> OrderedTreatments:
        """What the drafts order."""
        return order_of(drafts.answered, self._knowledge, drafts.every) if drafts else NOTHING_ORDERED


def _keeping(drafts: DraftsRead | None, answer: HookAnswer) -> HookAnswer:
    """The answer with the drafts of its call, where they are kept."""
    return replace(answer, drafts=drafts) if drafts else answer


async def _read(source: RecordSource) -> Record:
    try:
        return await source.read()
    except BadInput as fault:
        raise BadRequest("/context/patientId", str(fault)) from None


def _access(call: HookCall, readable: ReadableServers, headers: tuple[tuple[str, str], ...] = ()) -> FhirAccess | None:
    """The FHIR server of the call, if it may be read; ``headers`` are sent with each request to it."""
    if call.fhir_server is None or not may_read(call.fhir_server, readable):
        return None
    authorization = call.fhir_authorization
    try:
        if authorization is None or not authorization.access_token:
            return FhirAccess(call.fhir_server, None, readable.habits, headers=headers)
        return FhirAccess(
            call.fhir_server,
            authorization.access_token,
            readable.habits,
            scope=authorization.scope or "",
            good_for=authorization.valid_seconds,
            refusal=_refusal(authorization),
            headers=headers,
        )
    except BadInput as fault:
        raise BadRequest("/fhirServer", str(fault)) from None


def _refusal(authorization: FhirAuthorization) -> str:
    """Why this token cannot be used to read the server; empty if it can."""
    if (authorization.token_type or "Bearer").lower() != "bearer":
        return NOT_A_BEARER
    return EXPIRED if authorization.valid_seconds <= 0 else ""


def _cards(context: CardContext, service: ServiceDefinition, ordered: OrderedTreatments) -> tuple[Card, ...]:
    """Safety cards first; then the criteria, if something is ordered or the record gives something to act on."""
    recommendation = context.decision.recommendation
    safety = safety_cards(context)
    if service.speaks == "session":
        return session_cards(context, safety)
    if service.speaks == "patient":
        criteria = (criteria_card(context),) if recommendation.actionable else ()
        return with_scores(context, with_safety(context, safety, criteria))
    if ordered.treatments:
        criteria = (with_checks(context, criteria_card(context)),)
        return (*with_safety(context, safety, criteria), *other_form_card(context))
    another = antidepressant_card(context) if ordered.another_antidepressant else ()
    return (*safety, *other_form_card(context), *another)
