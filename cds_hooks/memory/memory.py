"""The interface of the hook path to memory: selects the cards to show and records them. Never blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import chain
from typing import NamedTuple

import msgspec

from cds_hooks.cards.builder import CardBasis
from cds_hooks.hooks.service import HookAnswer
from cds_hooks.memory.keys import KeyedHash, key_before, site_key
from cds_hooks.memory.quiet import CardKey, QuietCards, fingerprint, is_person, may_be_quiet, role_of
from cds_hooks.memory.repeats import Repeats
from cds_hooks.memory.silence import RuleActivity
from cds_hooks.memory.store import AnswerRow, CardRow, KeepResult
from cds_hooks.memory.tally import LIVE, UNKNOWN_CARD, RuleOutcome, Tally, TallyKey, standing_rule
from cds_hooks.memory.wire import FeedbackItem, ReasonCoding
from cds_hooks.memory.writer import Writer
from cds_hooks.protocol.clock import milliseconds, today
from cds_hooks.protocol.errors import StoreUnavailable
from cds_hooks.protocol.markdown import plain
from cds_hooks.protocol.requests import HookCall
from cds_hooks.protocol.responses import Card
from cds_hooks.settings.database import OFF, database_url
from cds_hooks.settings.settings import Settings
from cds_hooks.telemetry.logs import fault_fields, log
from fhir_plugin.deciding.finding import Verdict
from mappings.schema.load import Knowledge
from mappings.schema.service.services import ServiceDefinition

LONGEST_COMMENT = 1_000
UNLISTED, COMMENT, NO_REASON = "unlisted", "comment", "none"
"""Placeholders for an override reason that is not on a list, for a comment without a reason, and for no reason."""
_NO_BASIS = CardBasis("other", ())
_ENCODER = msgspec.json.Encoder()
_VERDICTS = {verdict: verdict.value for verdict in Verdict}


class _PreparedCard(NamedTuple):
    """One card with its basis and the fingerprint of its facts and the person to whom it is shown."""

    card: Card
    basis: CardBasis
    facts: str


class Memory:
    """One instance per process; ``start`` and ``aclose`` follow the event loop."""

    def __init__(self, settings: Settings, knowledge: Knowledge, others: Iterable[Knowledge] = ()) -> None:
        """``others`` decide for some of the clients: the reasons that their cards offer are known as well."""
        rules = knowledge.memory.quiet
        days = rules.days.value if settings.quiet_days is None else settings.quiet_days
        self.tally = Tally()
        self._settings, self._knowledge = settings, knowledge
        self._quiet = QuietCards(frozenset(rules.reasons), days, min(days, rules.safety_days.value))
        self._repeats = Repeats(int(rules.again_seconds.value * 1000))
        self._reasons = {
            (system, reason.code)
            for each in (knowledge, *others)
            for reason in each.cards.override_reasons
            for system in ("", each.cards.system)
        }
        self._url = database_url(settings)
        self._keyed: KeyedHash | None = None
        self._keyed_before: KeyedHash | None = None
        """Of the key that was replaced: what it keeps quiet stays quiet."""
        self._writer: Writer | None = None

    @property
    def state(self) -> str:
        """``off``, ``closed``, or the state of the writer."""
        if self._writer is not None:
            return self._writer.state
        return OFF if self._url is None else "closed"

    @property
    def cause(self) -> str:
        """Why the database is ``away``, as a code; else empty."""
        return self._writer.cause if self._writer is not None else ""

    @property
    def offered(self) -> bool:
        """Whether feedback is accepted at all."""
        return self._url is not None

    @property
    def pending(self) -> int:
        """The number of cards waiting to be written."""
        return self._writer.pending if self._writer else 0

    @property
    def given_up(self) -> int:
        """The number of cards that were dropped unwritten."""
        return self._writer.given_up if self._writer else 0

    @property
    def silent(self) -> Sequence[RuleActivity]:
        """Rules that have stopped firing."""
        return self._writer.silent if self._writer else ()

    @property
    def quiet(self) -> int:
        """The number of quiet cards, including expired ones."""
        return len(self._quiet)

    async def start(self) -> None:
        """Open the memory. If the key file cannot be stored, the service still answers but records nothing.

        :raises BadInput: the key is missing or damaged.
        """
        if self._url is None:
            return
        try:
            self._keyed = KeyedHash(site_key(self._settings, self._url))
            before = key_before(self._settings, self._url)
            self._keyed_before = KeyedHash(before) if before else None
        except OSError as fault:
            log.error("the folder of the database cannot be used", **fault_fields(fault))
            return
        self._writer = Writer(self._url, self._settings, self._quiet, self.tally, self._knowledge.memory.silence)

    async def aclose(self) -> None:
        """Write pending data and close the database."""
        if self._writer is not None:
            await self._writer.aclose()
            self._writer = None

    def record_shown(
        self,
        call: HookCall,
        service: ServiceDefinition,
        answer: HookAnswer,
        day: date,
        tenant: str = "",
        mode: str = "live",
        knowledge: str | None = None,
    ) -> tuple[Card, ...]:
        """Select the cards of an answer that are not quiet, count them and record them as shown.

        ``knowledge`` is the short digest of what has decided, if that is not the knowledge of the service.
        In any mode but ``live`` no card is shown: they are counted but not recorded.
        """
        moment, key = milliseconds(), TallyKey(tenant, service.id, mode)
        patient = _patient(call, tenant, self._keyed) if self._keyed else ""
        prepared = [
            entry for entry in self._prepare(answer, call) if not self._hides(entry, call, tenant, service, moment)
        ]
        cards = tuple(entry.card for entry in prepared)
        if call.hook == "order-select" and cards:
            identity = (tenant, service.id, call.fhir_server or "", call.context.user_id, call.context.patient_id)
            earlier = self._repeats.same(identity, cards, moment)
            if earlier is not None:
                return earlier
        outcomes = chain(_finding_outcomes(answer), _standing_outcomes(answer), _card_outcomes(prepared))
        self.tally.count(day, key, outcomes)
        if self._writer is not None and mode == "live":
            for entry in prepared:
                self._writer.put(self._row(entry, patient, role_of(call.context.user_id), key, moment, knowledge))
        return cards

    def _prepare(self, answer: HookAnswer, call: HookCall) -> Iterator[_PreparedCard]:
        for card in answer.cards:
            basis = answer.bases.get(card.uuid, _NO_BASIS)
            facts = fingerprint(card, basis, call.context.user_id, self._keyed) if self._keyed else ""
            yield _PreparedCard(card, basis, facts)

    def _hides(
        self, prepared: _PreparedCard, call: HookCall, tenant: str, service: ServiceDefinition, moment: int
    ) -> bool:
        """Whether an override keeps the card quiet, under the present key or the one that was replaced."""
        user, (card, basis, facts) = call.context.user_id, prepared
        if not self._quiet or not is_person(user) or not may_be_quiet(card, basis, service):
            return False

        def hides(keyed: KeyedHash, facts: str) -> bool:
            return self._quiet.hides(CardKey(_patient(call, tenant, keyed), basis.rule, role_of(user)), facts, moment)

        if self._keyed and hides(self._keyed, facts):
            return True
        before = self._keyed_before
        return before is not None and hides(before, fingerprint(card, basis, user, before))

    def _row(
        self, prepared: _PreparedCard, patient: str, role: str, key: TallyKey, moment: int, knowledge: str | None
    ) -> CardRow:
        return CardRow(
            uuid=prepared.card.uuid,
            shown_at=moment,
            tenant=key.tenant,
            service=key.service,
            rule=prepared.basis.rule,
            role=role,
            indicator=prepared.card.indicator,
            mode=key.mode,
            knowledge=knowledge or self._knowledge.short_digest,
            patient=patient,
            fingerprint=prepared.facts,
            suggestions=_ENCODER.encode([suggestion.uuid for suggestion in prepared.card.suggestions]).decode(),
        )

    async def keep(
        self, items: Sequence[FeedbackItem], service: ServiceDefinition, tenant: str = ""
    ) -> list[KeepResult]:
        """Store feedback items; returns the result for each item once they are committed.

        :raises StoreUnavailable: the database is unreachable, slow or switched off.
        """
        if self._writer is None or self._keyed is None:
            raise StoreUnavailable("the database is not open: send the feedback again later")
        moment = milliseconds()
        rows = [self._answer(item, moment, self._keyed) for item in items]
        results = await self._writer.keep(rows, tenant, service.id)
        for item, result in zip(items, results, strict=True):
            if result == "unknown":
                self.tally.add(today(), TallyKey(tenant, service.id, LIVE), [(UNKNOWN_CARD, item.outcome)])
        return results

    def _answer(self, item: FeedbackItem, moment: int, keyed: KeyedHash) -> AnswerRow:
        reason = self.reason(item.reason, item.comment)
        content = (item.outcome, str(item.outcome_at), reason, item.comment, *item.accepted)
        return AnswerRow(
            card=item.card,
            digest=keyed.of("answer", *content),
            outcome=item.outcome,
            outcome_at=item.outcome_at,
            received_at=moment,
            reason=reason,
            comment=plain(item.comment, LONGEST_COMMENT) if self._settings.feedback_comments else "",
            suggestions=item.accepted,
        )

    def reason(self, reason: ReasonCoding | None, comment: str = "") -> str:
        """A reason from a closed set: our own code, a listed code of the EHR, or a placeholder for any other."""
        if reason is None or not reason.code:
            return COMMENT if comment else NO_REASON
        if (reason.system, reason.code) in self._reasons:
            return reason.code
        written = f"{reason.system}|{reason.code}"
        return written if written in self._settings.feedback_reasons else UNLISTED


def _patient(call: HookCall, tenant: str, keyed: KeyedHash) -> str:
    """A pseudonym that is unique for one patient on one server of one tenant."""
    return keyed.of("patient", tenant, (call.fhir_server or "").rstrip("/"), call.context.patient_id)


def _finding_outcomes(answer: HookAnswer) -> list[RuleOutcome]:
    findings = answer.decision.findings if answer.decision else ()
    return [(finding.criterion, _VERDICTS[finding.verdict]) for finding in findings]


def _standing_outcomes(answer: HookAnswer) -> Iterator[RuleOutcome]:
    """The standing of each treatment that the call concerns."""
    if answer.decision is None:
        return
    recommendation = answer.decision.recommendation
    for treatment in recommendation.treatments:
        if treatment.treatment in recommendation.ordered or not recommendation.ordered:
            yield standing_rule(treatment.treatment), treatment.standing.value


def _card_outcomes(cards: Iterable[_PreparedCard]) -> Iterator[RuleOutcome]:
    return ((prepared.basis.rule, prepared.card.indicator) for prepared in cards)
