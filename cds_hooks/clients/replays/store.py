"""Replay protection: a token is valid for one call only, whichever process receives it.

Hashes of used tokens are stored until the token expires: in the memory of one process (here), in a SQLite file for
several processes on one machine (``file.py``), or in the shared PostgreSQL database for several machines
(``shared.py``).

A store never forgets silently. It knows since when it records, and per client the latest expiry of what it has
forgotten: a token that may have been used before the one, or expires no later than the other, is refused. So no
token is accepted twice, even if the clock jumps or calls overtake each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from heapq import heappop, heappush
from typing import Literal, Protocol

MOST_TOKENS = 200_000
"""Maximum per client: 55 calls a second for an hour, about 40 MB in memory."""
NEVER = float("-inf")

StoreState = Literal["open", "full", "away"]
"""``full``: for at least one client; ``away``: the last use could not be recorded, so no call is let in."""


class ReplayStoreUnavailable(Exception):
    """It cannot be determined whether a token was used, so it must not be accepted. Message: ``full`` or ``store``."""


class ReplayStore(Protocol):
    """Records the tokens that were used."""

    @property
    def since(self) -> float:
        """The moment from which each use is recorded, in seconds since 1970: earlier uses are not known."""

    @property
    def state(self) -> StoreState:
        """As the last use found it."""

    async def first_use(self, client: str, jti: str, until: float, now: float) -> bool:
        """Whether this is the first use of ``jti`` by that client; stored until ``until``, in seconds since 1970.

        ``now`` is the moment at which the token was checked, so that both checks see the same clock. A token that
        expires no later than one that was forgotten counts as used.

        :raises ReplayStoreUnavailable: the store failed or is full.
        """

    async def try_out(self) -> None:
        """Find out whether a use could be recorded now; ``state`` says it afterwards."""

    async def aclose(self) -> None:
        """Release open files and connections."""


@dataclass(slots=True)
class _Share:
    """The used tokens of one client, by hash and by expiry."""

    used: set[bytes] = field(default_factory=set)
    expiries: list[tuple[float, bytes]] = field(default_factory=list)
    forgotten: float = NEVER


class MemoryReplayStore:
    """For one process."""

    def __init__(self, clock: Callable[[], float] = time.time, most: int = MOST_TOKENS) -> None:
        self.since = clock()
        self._most = most
        self._shares: dict[str, _Share] = {}

    @property
    def state(self) -> StoreState:
        """See :class:`ReplayStore`."""
        return "full" if any(len(share.used) >= self._most for share in self._shares.values()) else "open"

    async def first_use(self, client: str, jti: str, until: float, now: float) -> bool:
        """See :class:`ReplayStore`."""
        share, token = self._shares.setdefault(client, _Share()), token_hash(jti)
        while share.expiries and share.expiries[0][0] < now:
            expiry, expired = heappop(share.expiries)
            share.used.discard(expired)
            share.forgotten = max(share.forgotten, expiry)
        if token in share.used or until <= share.forgotten:
            return False
        if len(share.used) >= self._most:
            raise ReplayStoreUnavailable("full")
        share.used.add(token)
        heappush(share.expiries, (until, token))
        return True

    async def try_out(self) -> None:
        """Memory does not fail."""

    async def aclose(self) -> None:
        """No open files."""


def token_hash(jti: str) -> bytes:
    """What is kept of a token."""
    return sha256(jti.encode("utf-8", "surrogatepass")).digest()[:16]
