"""Workers that accept on one socket share connections out: who has more of them lets others go first.

Left to themselves, the first to wake takes all that come at once, and keeps them, because EHRs keep connections open.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from cds_hooks.operation.workers import WorkerPlace

_COURTESY_SECONDS, _MOST_COURTESY = 0.002, 10
"""How long a worker with fewer connections may take to wake, for each that it has fewer, up to so many."""
_FULL_SECONDS = 1.0
"""The pause where this process can open no more files."""


class Acceptor:
    """Accepts connections for one of several workers."""

    def __init__(
        self,
        place: WorkerPlace,
        listener: socket.socket,
        opened: Callable[[], int],
        take: Callable[[socket.socket], None],
    ) -> None:
        """``opened`` counts the open connections of this worker, and ``take`` is given new ones."""
        self._place, self._listener, self._opened, self._take = place, listener, opened, take
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Accept from now on."""
        self._listener.settimeout(0)
        self._place.opened[self._place.number] = self._opened()
        self._wait()

    def close(self) -> None:
        """Accept no more."""
        self._loop.remove_reader(self._listener)
        if self._pause is not None:
            self._pause.cancel()

    def _wait(self) -> None:
        self._loop.add_reader(self._listener, self._somebody_comes)

    def _somebody_comes(self) -> None:
        """Every worker is told; the others do not yet know how many connections this one has closed meanwhile."""
        mine = self._place.opened[self._place.number] = self._opened()
        more = min(mine - min(self._place.opened), _MOST_COURTESY)
        if more:
            self._loop.remove_reader(self._listener)
            self._pause = self._loop.call_later(more * _COURTESY_SECONDS, self._accept_again)
        else:
            self._accept()

    def _accept_again(self) -> None:
        self._wait()
        self._accept()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another worker was faster, or the client has left
        except OSError:
            self._loop.remove_reader(self._listener)
            self._pause = self._loop.call_later(_FULL_SECONDS, self._wait)
            return
        connection.settimeout(0)
        self._place.opened[self._place.number] += 1
        self._take(connection)
