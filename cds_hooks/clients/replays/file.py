"""Used tokens in a SQLite file: for several processes on one machine, in which the first insert wins."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from cds_hooks.clients.replays.store import MOST_TOKENS, NEVER, ReplayStoreUnavailable, StoreState, token_hash
from cds_hooks.protocol.files import Identity, identity, is_held, log_of, remove_log
from fhir_plugin.errors import BadInput

_BUSY_SECONDS = 1.0

T = TypeVar("T")

_TABLES = """
CREATE TABLE IF NOT EXISTS used
  (client TEXT NOT NULL, token BLOB NOT NULL, until REAL NOT NULL, PRIMARY KEY (client, token)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS used_until ON used (client, until);
CREATE TABLE IF NOT EXISTS shares
  (client TEXT PRIMARY KEY, held INTEGER NOT NULL, forgotten REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS recording (since REAL NOT NULL)
"""

_TRIAL = ("INSERT OR REPLACE INTO used VALUES ('', zeroblob(16384), 0)", "DELETE FROM used WHERE client = ''")
"""More room than a use needs, taken and given back: a smaller trial succeeds on a disk that has no room for a use."""


class FileReplayStore:
    """For several processes on one machine, and across restarts."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time, most: int = MOST_TOKENS) -> None:
        """:class:`BadInput` if the file cannot be used."""
        self._path, self._clock, self._most = path, clock, most
        self._full: set[str] = set()
        self._away = False
        self._turn, self._lock = asyncio.Lock(), threading.Lock()
        try:
            self._open()
        except (sqlite3.Error, OSError) as fault:
            raise BadInput(f"replay_store: {path.name} cannot be used: {fault}") from fault

    @property
    def state(self) -> StoreState:
        """See :class:`ReplayStore`."""
        return "away" if self._away else "full" if self._full else "open"

    async def first_use(self, client: str, jti: str, until: float, now: float) -> bool:
        """See :class:`ReplayStore`."""
        async with self._turn:
            found = await asyncio.to_thread(self._guarded, lambda: self._use(client, token_hash(jti), until, now))
        (self._full.add if found == "full" else self._full.discard)(client)
        if found == "full":
            raise ReplayStoreUnavailable("full")
        return found == "first"

    async def try_out(self) -> None:
        """See :class:`ReplayStore`."""
        with suppress(ReplayStoreUnavailable):
            async with self._turn:
                for statement in _TRIAL:
                    await asyncio.to_thread(self._guarded, partial(self._file_does, statement))

    def _guarded(self, work: Callable[[], T]) -> T:
        """``work`` in one transaction, on the file that is at the path now.

        The lock is of threads: a call that is cancelled leaves its thread running.
        """
        with self._lock:
            try:
                if not is_held(self._path, self._opened, self._log):
                    self._file.close()
                    if identity(self._path) != self._opened:
                        remove_log(self._path, self._log)
                    self._open(renewed=True)
                found = self._transaction(work)
            except (sqlite3.Error, OSError) as fault:
                self._away = True
                raise ReplayStoreUnavailable("store") from fault
            self._away = False
            return found

    def _transaction(self, work: Callable[[], T]) -> T:
        self._file.execute("BEGIN IMMEDIATE")
        try:
            found = work()
            self._file.execute("COMMIT")
        except BaseException:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            raise
        return found

    def _open(self, *, renewed: bool = False) -> None:
        """Open the file, accessible to this user only where it is new; ``renewed``: another was there before."""
        self._opened: Identity | None = None
        if renewed:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        found = identity(self._path)
        self._file = sqlite3.connect(self._path, _BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
            self._file.execute(f"PRAGMA {pragma}")
        self._transaction(lambda: self._prepare(renewed=renewed))
        self._opened, self._log = found, identity(log_of(self._path))

    def _prepare(self, *, renewed: bool) -> None:
        """Make the tables, and count what is held: an earlier version kept no count."""
        earlier = self._file.execute("SELECT count(*) FROM sqlite_master WHERE name = 'used'").fetchone()[0]
        for statement in _TABLES.split(";"):
            self._file.execute(statement)
        if renewed:
            self._file.execute("DELETE FROM recording")
        if self._file.execute("SELECT count(*) FROM recording").fetchone()[0] == 0:
            moment = 0.0 if earlier and not renewed else self._clock()
            self._file.execute("INSERT INTO recording VALUES (?)", (moment,))
        self.since = float(self._file.execute("SELECT max(since) FROM recording").fetchone()[0])
        counts = self._file.execute("SELECT client, count(*) FROM used GROUP BY client").fetchall()
        self._file.execute("UPDATE shares SET held = 0")
        for client, held in counts:
            self._set_share(client, held, self._share(client)[1])

    def _use(self, client: str, token: bytes, until: float, now: float) -> Literal["first", "used", "full"]:
        held, forgotten = self._share(client)
        expired, latest = self._file.execute(
            "SELECT count(*), max(until) FROM used WHERE client = ? AND until < ?", (client, now)
        ).fetchone()
        if expired:
            self._file.execute("DELETE FROM used WHERE client = ? AND until < ?", (client, now))
            held, forgotten = held - expired, max(forgotten, latest)
            self._set_share(client, held, forgotten)
        if until <= forgotten or not self._is_new(client, token):
            return "used"
        if held >= self._most:
            return "full"
        self._file.execute("INSERT INTO used VALUES (?, ?, ?)", (client, token, until))
        self._set_share(client, held + 1, forgotten)
        return "first"

    def _is_new(self, client: str, token: bytes) -> bool:
        wanted = "SELECT 1 FROM used WHERE client = ? AND token = ?"
        return self._file.execute(wanted, (client, token)).fetchone() is None

    def _share(self, client: str) -> tuple[int, float]:
        """How many tokens are held for a client, and the latest expiry of what was forgotten."""
        found = self._file.execute("SELECT held, forgotten FROM shares WHERE client = ?", (client,)).fetchone()
        return found or (0, NEVER)

    def _set_share(self, client: str, held: int, forgotten: float) -> None:
        self._file.execute("INSERT OR REPLACE INTO shares VALUES (?, ?, ?)", (client, held, forgotten))

    def _file_does(self, statement: str) -> None:
        self._file.execute(statement)

    async def aclose(self) -> None:
        """See :class:`ReplayStore`."""
        self.close()

    def close(self) -> None:
        """Close the file; not beside a use, because a thread of a call that is cancelled may still be writing one."""
        with self._lock:
            self._file.close()
