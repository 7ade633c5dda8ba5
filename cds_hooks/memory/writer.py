"""Between the hook path, which never waits, and the database, which may be away.

What was shown waits in memory, up to a limit; one task writes it down, and reads which cards are quiet. Feedback is the
one thing that waits for the database, because it is acknowledged only when it is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Literal

from sqlalchemy import URL

from cds_hooks.memory.database import FAULTS, REVISION, is_file, open_engine, revision, upgrade
from cds_hooks.memory.quiet import DAY_MS, QuietCards
from cds_hooks.memory.silence import RuleActivity, is_silent, rule_activities
from cds_hooks.memory.store import AnswerRow, CardRow, KeepResult, Store
from cds_hooks.memory.tally import Tally
from cds_hooks.protocol.clock import milliseconds, today
from cds_hooks.protocol.errors import StoreUnavailable
from cds_hooks.settings.settings import Settings
from cds_hooks.telemetry.logs import fault_fields, log
from mappings.schema.service.memory import SilenceRule

State = Literal["starting", "open", "away", "old tables"]

MOST_PENDING = 10_000
"""Cards that wait to be written; beyond, the oldest is given up, and feedback to it cannot be taken."""
MOST_WAITING = 16
"""Requests with feedback that wait for the database at one time."""
KEEP_SECONDS = 2.5
_GATHER_SECONDS, _IDLE_SECONDS, _COUNT_SECONDS, _HOUR = 0.1, 5.0, 15.0, 3600.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_STOP_SECONDS = 3.0
_OVERLAP_MS = 60_000
"""Read again each time: clocks of several processes differ, and a transaction that began earlier may end later."""


class Writer:
    """Owns the engine; started and stopped with the application."""

    def __init__(self, url: URL, settings: Settings, quiet: QuietCards, tally: Tally, silence: SilenceRule) -> None:
        self.state: State = "starting"
        self.given_up = 0
        """Cards that were never written because the database was away for too long."""
        self.silent: list[RuleActivity] = []
        """Rules that should have spoken in the last days and did not."""
        self._url, self._settings = url, settings
        self._quiet, self._tally, self._silence = quiet, tally, silence
        self._engine = open_engine(url)
        self._store: Store | None = None
        self._pending: dict[str, CardRow] = {}
        self._lock = asyncio.Lock()
        self._wake, self._stop = asyncio.Event(), asyncio.Event()
        self._running: set[asyncio.Task[list[KeepResult]]] = set()
        self._feedback_read_until: int | None = None
        self._counted = self._cleaned = 0.0
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._ended)

    @property
    def pending(self) -> int:
        """How many cards wait to be written."""
        return len(self._pending)

    def put(self, card: CardRow) -> None:
        """Have a card written soon."""
        if len(self._pending) >= MOST_PENDING:
            del self._pending[next(iter(self._pending))]
            self.given_up += 1
        self._pending[card.uuid] = card
        self._wake.set()

    async def keep(self, answers: Sequence[AnswerRow], tenant: str, service: str) -> list[KeepResult]:
        """Keep answers to cards; returns when they are committed.

        :raises StoreUnavailable: they are not known to be; sending them again is harmless.
        """
        if self._store is None or len(self._running) >= MOST_WAITING:
            raise StoreUnavailable("the database is away or busy: send the feedback again later")
        # Not cancelled when it takes too long: the transaction ends by itself, and nobody waits for its end.
        task = asyncio.create_task(self._keep(self._store, answers, tenant, service))
        self._running.add(task)
        task.add_done_callback(self._done)
        await asyncio.wait({task}, timeout=KEEP_SECONDS)
        if not task.done():
            raise StoreUnavailable("the database is slow: send the feedback again later")
        try:
            return task.result()
        except FAULTS:
            raise StoreUnavailable("the database is away: send the feedback again later") from None

    def _done(self, task: asyncio.Task[list[KeepResult]]) -> None:
        self._running.discard(task)
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            self._set_state("away", fault)
            self._wake.set()

    async def _keep(self, store: Store, answers: Sequence[AnswerRow], tenant: str, service: str) -> list[KeepResult]:
        async with self._lock:
            cards = tuple(self._pending.values())
            results = await store.keep(cards, answers, tenant, service)
            self._drop_pending(cards)
        with suppress(*FAULTS):  # what is kept is kept; what it makes quiet is then learned a little later
            await self._read_feedback(store)
        return results

    async def aclose(self) -> None:
        """Write what waits, if that can be done soon, and close the connections."""
        self._stop.set()
        self._wake.set()
        waiting = {self._task, *self._running}
        _, late = await asyncio.wait(waiting, timeout=_STOP_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        with suppress(*FAULTS):
            await self._engine.dispose()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A fault of this program is told, and the service goes on without memory."""
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            self._store = None
            self._set_state("away", fault)

    async def _run(self) -> None:
        pause = _SHORTEST_PAUSE
        while True:
            last = self._stop.is_set()
            try:
                await self._flush(last=last)
                pause = _SHORTEST_PAUSE
            except FAULTS as fault:
                self._set_state("away", fault)
                await _wait(self._stop, pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            if last:
                return
            await _wait(self._wake, _IDLE_SECONDS)
            self._wake.clear()
            await _wait(self._stop, _GATHER_SECONDS)

    async def _flush(self, *, last: bool) -> None:
        store = self._store or await self._open()
        if store is None:
            return
        moment = asyncio.get_running_loop().time()
        counting = last or moment - self._counted >= _COUNT_SECONDS
        async with self._lock:
            cards = tuple(self._pending.values())
            counts = self._tally.unsaved() if counting else {}
            if cards or counts:
                await store.write(cards, counts)
                self._drop_pending(cards)
                self._tally.saved(counts)
        if last:
            return
        await self._read_feedback(store)
        self._counted = moment if counting else self._counted
        if not self._cleaned or moment - self._cleaned >= _HOUR:
            self._cleaned = moment
            await self._clean(store)
        self._set_state("open")

    async def _open(self) -> Store | None:
        """The store once its tables are up to date: those of a file are brought there, those of a server are not."""
        current = await revision(self._engine)
        if current != REVISION and is_file(self._url) and current is None:
            await upgrade(self._engine)
        elif current != REVISION:
            self._set_state("old tables")
            return None
        self._store = Store(self._engine)
        return self._store

    async def _read_feedback(self, store: Store) -> None:
        """Learn which cards are quiet, also from what other processes were told."""
        if not self._quiet.longest:
            return
        moment = milliseconds()
        since = (
            moment - self._quiet.longest
            if self._feedback_read_until is None
            else self._feedback_read_until - _OVERLAP_MS
        )
        for record in await store.feedback_since(since):
            self._quiet.learn(record)
        self._feedback_read_until = moment

    async def _clean(self, store: Store) -> None:
        """Forget what is old; see which rules have stopped speaking."""
        moment, settings = milliseconds(), self._settings
        await store.purge(moment - settings.feedback_days * DAY_MS, moment - settings.unanswered_days * DAY_MS)
        days = self._silence.before_days.value + self._silence.recent_days.value
        activities = rule_activities(await store.firings(today() - timedelta(days=days)), today(), self._silence)
        self.silent = [rule for rule in activities if is_silent(rule, self._silence)]
        for rule in self.silent:
            log.warning("a rule has stopped speaking", service=rule.service, rule=rule.rule)

    def _drop_pending(self, cards: Sequence[CardRow]) -> None:
        for card in cards:
            self._pending.pop(card.uuid, None)

    def _set_state(self, state: State, fault: BaseException | None = None) -> None:
        if state != self.state:
            self.state = state
            write = log.info if state == "open" else log.warning
            write("database", reason=state.replace(" ", "-"), **fault_fields(fault))


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
