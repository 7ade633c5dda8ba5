"""Reads and writes of the database; each public method is one transaction."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Literal, NamedTuple

from sqlalchemy import Table, delete, exists, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cds_hooks.memory.database import for_writing
from cds_hooks.memory.quiet import CardKey, FeedbackRecord
from cds_hooks.memory.tables import CARDS, FEEDBACK, FIRINGS
from cds_hooks.memory.tally import DailyCounts, TallyKey

MOST_ANSWERS = 20
"""Maximum number of different feedback entries per card: a clinician may change her mind, a loop never stops."""
MOST_CARDS = 1_000_000
"""Maximum number of cards without feedback, whatever their age."""
_UUID = re.compile(r"[0-9a-f-]{36}")
_BATCH_SIZE = 500

KeepResult = Literal["kept", "known", "unknown", "too many"]


class CardRow(NamedTuple):
    """One card that was shown, as a row of the table."""

    uuid: str
    shown_at: int
    tenant: str
    service: str
    rule: str
    role: str
    indicator: str
    mode: str
    knowledge: str
    patient: str
    fingerprint: str
    suggestions: str


class AnswerRow(NamedTuple):
    """One feedback entry for a card; ``suggestions`` are the accepted uuids."""

    card: str
    digest: str
    outcome: str
    outcome_at: int
    received_at: int
    reason: str
    comment: str
    suggestions: tuple[str, ...]


class OutcomeCount(NamedTuple):
    """How often cards of a rule ended with an outcome."""

    service: str
    rule: str
    outcome: str
    reason: str
    number: int


class Store:
    """The three tables behind one engine."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine, self._writing = engine, for_writing(engine)
        self._insert: Any = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[engine.dialect.name]

    async def write(self, cards: Sequence[CardRow], counts: DailyCounts) -> None:
        """Insert shown cards and add counts."""
        async with self._writing.begin() as connection:
            await self._put_cards(connection, cards)
            rows = [
                {"day": day, **key._asdict(), "rule": rule, "said": outcome, "count": count}
                for (day, key, (rule, outcome)), count in counts.items()
            ]
            if rows:
                put = self._insert(FIRINGS)
                more = FIRINGS.c.count + put.excluded["count"]
                await connection.execute(
                    put.on_conflict_do_update(index_elements=list(FIRINGS.primary_key), set_={"count": more}), rows
                )

    async def keep(
        self, cards: Sequence[CardRow], answers: Sequence[AnswerRow], tenant: str, service: str
    ) -> list[KeepResult]:
        """Insert ``cards``, then feedback on cards of this tenant and service; returns the result for each entry."""
        async with self._writing.begin() as connection:
            await self._put_cards(connection, cards)
            uuids = {answer.card for answer in answers if _UUID.fullmatch(answer.card)}
            offered = await self._offered(connection, uuids, tenant, service)
            digests = await self._digests(connection, offered)
            results, rows = [], []
            for answer in answers:
                result = _keep_result(answer, digests)
                results.append(result)
                if result == "kept":
                    digests[answer.card].add(answer.digest)
                    rows.append(_row(answer, offered[answer.card]))
            if rows:
                await connection.execute(self._insert(FEEDBACK).on_conflict_do_nothing(), rows)
        return results

    async def _put_cards(self, connection: AsyncConnection, cards: Sequence[CardRow]) -> None:
        for start in range(0, len(cards), _BATCH_SIZE):
            rows = [card._asdict() for card in cards[start : start + _BATCH_SIZE]]
            await connection.execute(self._insert(CARDS).on_conflict_do_nothing(), rows)

    async def _offered(
        self, connection: AsyncConnection, cards: Iterable[str], tenant: str, service: str
    ) -> dict[str, list[str]]:
        """The suggestions of those cards that this service has shown to this tenant."""
        wanted = select(CARDS.c.uuid, CARDS.c.suggestions).where(
            CARDS.c.uuid.in_(sorted(cards)), CARDS.c.tenant == tenant, CARDS.c.service == service
        )
        return {row.uuid: json.loads(row.suggestions) for row in await connection.execute(wanted)}

    async def _digests(self, connection: AsyncConnection, cards: Mapping[str, object]) -> dict[str, set[str]]:
        digests: dict[str, set[str]] = {card: set() for card in cards}
        rows = select(FEEDBACK.c.card, FEEDBACK.c.digest).where(FEEDBACK.c.card.in_(sorted(cards)))
        for row in await connection.execute(rows):
            digests[row.card].add(row.digest)
        return digests

    async def feedback_since(self, moment: int) -> list[FeedbackRecord]:
        """Feedback received since a moment, in the order of its outcomes."""
        joined = FEEDBACK.join(CARDS, CARDS.c.uuid == FEEDBACK.c.card)
        wanted = select(
            FEEDBACK.c.outcome_at, FEEDBACK.c.id, CARDS.c.patient, CARDS.c.rule, CARDS.c.role,
            CARDS.c.fingerprint, FEEDBACK.c.outcome, FEEDBACK.c.reason, FEEDBACK.c.received_at,
        )  # fmt: skip
        recent = wanted.select_from(joined).where(FEEDBACK.c.received_at >= moment)
        async with self._engine.connect() as connection:
            rows = await connection.execute(recent.order_by(FEEDBACK.c.outcome_at, FEEDBACK.c.id))
            return [
                FeedbackRecord(at, number, CardKey(patient, rule, role), facts, outcome, reason, received)
                for at, number, patient, rule, role, facts, outcome, reason, received in rows
            ]

    async def firings(self, since: date) -> DailyCounts:
        """The daily counts since ``since``."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(select(FIRINGS).where(FIRINGS.c.day >= since))
            return {
                (day, TallyKey(tenant, service, mode), (rule, outcome)): count
                for day, tenant, service, mode, rule, outcome, count in rows
            }

    async def outcome_counts(self, since: int) -> list[OutcomeCount]:
        """The latest feedback on each card shown since a moment, counted by service, rule, outcome and reason."""
        newest = (FEEDBACK.c.outcome_at.desc(), FEEDBACK.c.id.desc())
        place = func.row_number().over(partition_by=FEEDBACK.c.card, order_by=newest).label("place")
        last = select(FEEDBACK.c.card, FEEDBACK.c.outcome, FEEDBACK.c.reason, place).subquery()
        what = (CARDS.c.service, CARDS.c.rule, last.c.outcome, last.c.reason)
        wanted = (
            select(*what, func.count())
            .select_from(CARDS.join(last, last.c.card == CARDS.c.uuid))
            .where(last.c.place == 1, CARDS.c.shown_at >= since)
            .group_by(*what)
            .order_by(*what)
        )
        async with self._engine.connect() as connection:
            return [OutcomeCount(*row) for row in await connection.execute(wanted)]

    async def latest(self) -> dict[str, int | date | None]:
        """The moments of the latest card and feedback, in milliseconds since 1970, and the last day of the counts."""
        wanted = (func.max(CARDS.c.shown_at), func.max(FEEDBACK.c.received_at), func.max(FIRINGS.c.day))
        async with self._engine.connect() as connection:
            found = [await connection.scalar(select(each)) for each in wanted]
        return dict(zip(("cards", "feedback", "counts"), found, strict=True))

    async def purge(self, answered_before: int, unanswered_before: int) -> int:
        """Delete older rows, and cards without feedback beyond ``MOST_CARDS``, oldest first; returns how many."""
        unanswered = ~exists().where(FEEDBACK.c.card == CARDS.c.uuid)
        async with self._writing.begin() as connection:
            deleted = await _delete(connection, FEEDBACK, FEEDBACK.c.received_at < answered_before)
            limit = await connection.scalar(
                select(CARDS.c.shown_at).where(unanswered).order_by(CARDS.c.shown_at.desc()).offset(MOST_CARDS).limit(1)
            )
            before = max(unanswered_before, limit or 0)
            return deleted + await _delete(connection, CARDS, unanswered & (CARDS.c.shown_at < before))


async def _delete(connection: AsyncConnection, table: Table, which: Any) -> int:
    return (await connection.execute(delete(table).where(which))).rowcount


def _keep_result(answer: AnswerRow, digests: Mapping[str, set[str]]) -> KeepResult:
    if answer.card not in digests:
        return "unknown"
    if answer.digest in digests[answer.card]:
        return "known"
    return "too many" if len(digests[answer.card]) >= MOST_ANSWERS else "kept"


def _row(answer: AnswerRow, offered: list[str]) -> dict[str, Any]:
    """Accepted suggestions are stored as positions among those offered: an unknown id could contain anything."""
    places = sorted({offered.index(suggestion) for suggestion in answer.suggestions if suggestion in offered})
    return {name: getattr(answer, name) for name in AnswerRow._fields if name != "suggestions"} | {
        "accepted": json.dumps(places)
    }
