"""Turns at the processor: the calls of one process work one after the other, and between two of them others are heard.

Deciding about a record keeps the event loop busy for some milliseconds. If every call whose body has arrived began at
once, whoever came last (a probe, a caller that only has to be told to come back) would wait for all of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from starlette.requests import ClientDisconnect
from starlette.types import Message

from cds_hooks.protocol.clock import seconds
from cds_hooks.protocol.errors import Overloaded

SCOPE = "tandem.turn"
"""The ASGI scope key for a function that waits for another turn of a call that has begun."""
_ROUNDS = 6
"""Rounds of the event loop between two turns: a new connection is accepted, read and answered within these."""
_FEW = 2
"""Calls that may wait in a rush: more would only wait longer, as no more calls are answered in a second."""
_CALM_SECONDS = 0.25
"""How long a rush is over when nobody had to be turned away."""


class Turns:
    """A queue, first come, first served, of bounded length.

    It may grow to ``most`` in ordinary times, when calls come in handfuls. Once it was full there is a rush: it is cut
    to ``_FEW`` and kept so short until it has run empty and nobody was turned away for a while. Whoever gets in is then
    answered as soon as on a quiet day.
    """

    def __init__(self, most: int, clock: Callable[[], float] = seconds) -> None:
        """``clock`` counts seconds."""
        self._most = most
        self._clock = clock
        self._queue: deque[tuple[asyncio.Future[None], bool]] = deque()
        self._rush = False
        self._refused_at = 0.0
        self._handing_out = False

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return len(self._queue)

    def check(self) -> None:
        """:class:`Overloaded` where one more call would wait for too long."""
        now = self._clock()
        if self._rush and not self._queue and now - self._refused_at > _CALM_SECONDS:
            self._rush = False
        most = min(_FEW, self._most) if self._rush else self._most
        if len(self._queue) < most:
            return
        if not self._rush:
            self._rush = True
            self._shorten()
        self._refused_at = now
        raise Overloaded("waiting")

    async def take(self, left: asyncio.Future[Message], *, begun: bool = False) -> None:
        """Wait for a turn; it lasts until the caller of this method waits for something else.

        ``left`` is done as soon as the client has left. Where work has ``begun``, the call is not turned away any more.

        :raises Overloaded: too many wait already, or a rush began meanwhile.
        :raises ClientDisconnect: the client has left.
        """
        if not begun:
            self.check()
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (place, begun)
        self._queue.append(entry)
        if not self._handing_out:
            self._handing_out = True
            self._task = asyncio.create_task(self._hand_out())

        def leave(_: asyncio.Future[Message]) -> None:
            if not place.done():
                place.set_exception(ClientDisconnect())

        left.add_done_callback(leave)
        try:
            await place
        finally:
            left.remove_done_callback(leave)
            if entry in self._queue:
                self._queue.remove(entry)
        if left.done():
            raise ClientDisconnect

    async def take_last(self) -> None:
        """Wait for a turn that anybody else comes before: until nobody waits, and new calls have been heard."""
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)
        while self._handing_out:
            await asyncio.wait({self._task})

    def _shorten(self) -> None:
        """Turn away all that have not begun but the first few, who have waited longest."""
        for place, begun in list(self._queue)[_FEW:]:
            if not begun and not place.done():
                place.set_exception(Overloaded("waiting"))
        self._queue = deque(entry for entry in self._queue if not entry[0].done())

    async def _hand_out(self) -> None:
        try:
            while self._queue:
                place, _ = self._queue.popleft()
                if not place.done():
                    place.set_result(None)
                for _ in range(_ROUNDS):
                    await asyncio.sleep(0)
        finally:
            self._handing_out = False


async def no_turn() -> None:
    """The turn of a call that nobody else competes with."""
