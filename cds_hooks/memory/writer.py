"""The background writer between the hook path, which never waits, and the database, which may be unreachable.

Shown cards are queued in memory, up to a limit; one task writes them and reads which cards are quiet. Only feedback
waits for the database, because it is acknowledged only after it is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Literal

from sqlalchemy import URL

from cds_hooks.memory.database import FAULTS, Cause, FileReplaced, cause_of, file_of, let_go, make_file, open_engine
from cds_hooks.memory.quiet import DAY_MS, QuietCards
from cds_hooks.memory.schema import check, upgrade
from cds_hooks.memory.silence import RuleActivity, is_silent, rule_activities
from cds_hooks.memory.store import AnswerRow, CardRow, KeepResult, Store
from cds_hooks.memory.tally import Tally
from cds_hooks.protocol.clock import milliseconds, today
from cds_hooks.protocol.errors import StoreUnavailable, UnusableDatabase, UnusableState
from cds_hooks.protocol.files import Identity, identity, is_held, log_of, remove_log
from cds_hooks.settings.settings import Settings
from cds_hooks.telemetry.logs import fault_fields, log
from mappings.schema.service.memory import SilenceRule

State = Literal["starting", "open", "away"] | UnusableState

MOST_PENDING = 10_000
"""Maximum number of queued cards; beyond it, the oldest is dropped and feedback on it cannot be accepted."""
MOST_WAITING = 16
"""Maximum number of feedback requests that wait for the database at the same time."""
KEEP_SECONDS = 2.5
_ELSEWHERE_SECONDS = 0.5
"""After which a card that another process or host has shown is in the database, unless that one is slow."""
_GATHER_SECONDS, _IDLE_SECONDS, _COUNT_SECONDS, _HOUR = 0.1, 5.0, 15.0, 3600.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_STOP_SECONDS = 3.0
_OVERLAP_MS = 60_000
"""Overlap of successive reads: clocks of processes differ, and an earlier transaction may commit later."""


class Writer:
    """Owns the database engine; started and stopped with the application."""

    def __init__(self, url: URL, settings: Settings, quiet: QuietCards, tally: Tally, silence: SilenceRule) -> None:
        self.state: State = "starting"
        self.cause: Cause | Literal[""] = ""
        """Why the database is ``away``."""
        self.given_up = 0
        """Cards that were dropped because the database was unreachable for too long."""
        self.silent: list[RuleActivity] = []
        """Rules that were expected to fire in recent days and did not."""
        self._url, self._settings = url, settings
        self._quiet, self._tally, self._silence = quiet, tally, silence
        self._engine = open_engine(url)
        self._store: Store | None = None
        self._file = file_of(url)
        self._opened: Identity | None = None
        self._log: Identity | None = None
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
        """The number of queued cards."""
        return len(self._pending)

    def put(self, card: CardRow) -> None:
        """Queue a card for writing."""
        if len(self._pending) >= MOST_PENDING:
            del self._pending[next(iter(self._pending))]
            self.given_up += 1
        self._pending[card.uuid] = card
        self._wake.set()

    async def keep(self, answers: Sequence[AnswerRow], tenant: str, service: str) -> list[KeepResult]:
        """Store feedback; returns when it is committed.

        :raises StoreUnavailable: it is not known to be committed; sending it again is harmless.
        """
        if self._store is None or len(self._running) >= MOST_WAITING:
            raise StoreUnavailable("the database is unreachable or busy: send the feedback again later")
        # Not cancelled on timeout: the transaction ends by itself, and nothing waits for it.
        task = asyncio.create_task(self._keep(self._store, answers, tenant, service))
        self._running.add(task)
        task.add_done_callback(self._done)
        await asyncio.wait({task}, timeout=KEEP_SECONDS)
        if not task.done():
            raise StoreUnavailable("the database is slow: send the feedback again later")
        try:
            return task.result()
        except FAULTS:
            raise StoreUnavailable("the database is unreachable: send the feedback again later") from None

    def _done(self, task: asyncio.Task[list[KeepResult]]) -> None:
        self._running.discard(task)
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            self._set_state("away", fault)
            self._wake.set()

    async def _keep(self, store: Store, answers: Sequence[AnswerRow], tenant: str, service: str) -> list[KeepResult]:
        """Store feedback; where a card is not known, look once more: another process may be about to write it."""
        results = await self._keep_now(store, answers, tenant, service)
        unknown = [number for number, result in enumerate(results) if result == "unknown"]
        if unknown and not self._stop.is_set():
            await _wait(self._stop, _ELSEWHERE_SECONDS)
            again = await self._keep_now(store, [answers[number] for number in unknown], tenant, service)
            for number, result in zip(unknown, again, strict=True):
                results[number] = result
        with suppress(*FAULTS):  # the feedback is stored; quiet cards are then updated a little later
            await self._read_feedback(store)
        return results

    async def _keep_now(
        self, store: Store, answers: Sequence[AnswerRow], tenant: str, service: str
    ) -> list[KeepResult]:
        async with self._lock:
            cards = tuple(self._pending.values())
            self._check_file()
            results = await store.keep(cards, answers, tenant, service)
            # Committed into a file that nobody will find again is not kept.
            self._check_file()
            self._drop_pending(cards)
        return results

    async def aclose(self) -> None:
        """Write queued data, if that takes only a short time, and close the connections."""
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
        """An unexpected exception is logged, and the service continues without memory."""
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
        # After a fault the tables are looked at again: they may be gone, or be mended.
        store = await self._open() if self._store is None or self.state == "away" else self._store
        if store is None:
            return
        self._check_file()
        moment = asyncio.get_running_loop().time()
        counting = last or moment - self._counted >= _COUNT_SECONDS
        async with self._lock:
            cards = tuple(self._pending.values())
            counts = self._tally.unsaved() if counting else {}
            if cards or counts:
                await store.write(cards, counts)
                self._check_file()
                self._drop_pending(cards)
                self._tally.saved(counts)
        if last:
            return
        await self._read_feedback(store)
        self._counted = moment if counting else self._counted
        if not self._cleaned or moment - self._cleaned >= _HOUR:
            self._cleaned = moment
            await self._clean(store)
        if self._store is store:  # else feedback has found its file gone meanwhile
            self._set_state("open")

    async def _open(self) -> Store | None:
        """The store, if its tables can be used; a SQLite file is migrated, a database server is not."""
        try:
            if self._file is None:
                await check(self._engine)
            else:
                await self._open_file(self._file)
        except UnusableDatabase as fault:
            self._store = None
            self._set_state(fault.state)
            return None
        self._store = Store(self._engine)
        return self._store

    async def _open_file(self, file: Path) -> None:
        if self._opened is not None and not is_held(file, self._opened, self._log):
            async with self._lock:
                await let_go(self._engine)
            if identity(file) != self._opened:
                remove_log(file, self._log)
        make_file(self._url)
        self._opened = identity(file)
        await upgrade(self._engine)
        self._log = identity(log_of(file))

    def _check_file(self) -> None:
        """:class:`FileReplaced` if a SQLite file or its log was deleted, replaced or emptied since it was opened."""
        if self._file is not None and not is_held(self._file, self._opened, self._log):
            self._store = None
            raise FileReplaced

    async def _read_feedback(self, store: Store) -> None:
        """Read new feedback, including that received by other processes, to update the quiet cards."""
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
        """Purge old rows and determine which rules have stopped firing."""
        moment, settings = milliseconds(), self._settings
        await store.purge(moment - settings.feedback_days * DAY_MS, moment - settings.unanswered_days * DAY_MS)
        days = self._silence.before_days.value + self._silence.recent_days.value
        activities = rule_activities(await store.firings(today() - timedelta(days=days)), today(), self._silence)
        self.silent = [rule for rule in activities if is_silent(rule, self._silence)]
        for rule in self.silent:
            log.warning("a rule has stopped firing", service=rule.service, rule=rule.rule)

    def _drop_pending(self, cards: Sequence[CardRow]) -> None:
        for card in cards:
            self._pending.pop(card.uuid, None)

    def _set_state(self, state: State, fault: BaseException | None = None) -> None:
        cause = cause_of(fault) if fault is not None else ""
        if (state, cause) != (self.state, self.cause):
            self.state, self.cause = state, cause
            write = log.info if state == "open" else log.warning
            write("database", reason=state.replace(" ", "-"), cause=cause or None, **fault_fields(fault))


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
