"""Replay protection: a token is valid for one call only, whichever worker receives it.

Hashes of used tokens are stored until the token expires. One process keeps them in memory; several processes on one
machine share a SQLite file, in which the first insert wins.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from hashlib import sha256
from heapq import heappop, heappush
from pathlib import Path
from typing import Protocol

from fhir_plugin.errors import BadInput

MOST_TOKENS = 200_000
"""Maximum per client: 55 calls a second for an hour, about 40 MB in memory."""
_BUSY_SECONDS = 1.0
_SWEEP_EVERY = 1_000
"""Expired entries of a file are deleted after this many inserts."""
_TABLE = (
    "CREATE TABLE IF NOT EXISTS used"
    " (client TEXT NOT NULL, token BLOB NOT NULL, until REAL NOT NULL, PRIMARY KEY (client, token)) WITHOUT ROWID"
)


class ReplayStoreUnavailable(Exception):
    """It cannot be determined whether a token was used, so it must not be accepted. Message: ``full`` or ``store``."""


class ReplayStore(Protocol):
    """Records the tokens that were used."""

    async def first_use(self, client: str, jti: str, until: float) -> bool:
        """Whether this is the first use of ``jti`` by that client; stored until ``until``, in seconds since 1970.

        :raises ReplayStoreUnavailable: the store failed or is full.
        """

    def close(self) -> None:
        """Release open files."""


class MemoryReplayStore:
    """For one process."""

    def __init__(self, now: Callable[[], float] = time.time, most: int = MOST_TOKENS) -> None:
        self._now = now
        self._most = most
        self._used: dict[str, set[bytes]] = {}
        self._expiries: dict[str, list[tuple[float, bytes]]] = {}

    async def first_use(self, client: str, jti: str, until: float) -> bool:
        """See :class:`ReplayStore`."""
        used = self._used.setdefault(client, set())
        expiries = self._expiries.setdefault(client, [])
        while expiries and expiries[0][0] < self._now():
            used.discard(heappop(expiries)[1])
        token = _hash(jti)
        if token in used:
            return False
        if len(used) >= self._most:
            raise ReplayStoreUnavailable("full")
        used.add(token)
        heappush(expiries, (until, token))
        return True

    def close(self) -> None:
        """No open files."""


class FileReplayStore:
    """For several processes on one machine."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time, most: int = MOST_TOKENS) -> None:
        """:class:`BadInput` if the file cannot be used."""
        self._now = now
        self._most = most
        self._inserts = 0
        self._turn = asyncio.Lock()
        try:
            self._file = sqlite3.connect(path, _BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=NORMAL")
            self._file.execute(_TABLE)
        except sqlite3.Error as fault:
            raise BadInput(f"replay_store: {path.name} cannot be used: {fault}") from fault

    async def first_use(self, client: str, jti: str, until: float) -> bool:
        """See :class:`ReplayStore`."""
        async with self._turn:
            return await asyncio.to_thread(self._insert, client, _hash(jti), until)

    def _insert(self, client: str, token: bytes, until: float) -> bool:
        try:
            if self._inserts % _SWEEP_EVERY == 0:
                self._sweep(client)
            self._inserts += 1
            added = self._file.execute(
                "INSERT INTO used VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET until = excluded.until WHERE used.until < ?",
                (client, token, until, self._now()),
            )
        except sqlite3.Error as fault:
            raise ReplayStoreUnavailable("store") from fault
        return added.rowcount == 1

    def _sweep(self, client: str) -> None:
        """Delete expired entries, and enforce the limit for the client."""
        self._file.execute("DELETE FROM used WHERE until < ?", (self._now(),))
        (count,) = self._file.execute("SELECT count(*) FROM used WHERE client = ?", (client,)).fetchone()
        if count >= self._most:
            raise ReplayStoreUnavailable("full")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _hash(jti: str) -> bytes:
    return sha256(jti.encode("utf-8", "surrogatepass")).digest()[:16]
