"""New connections, where there are several workers: their parent accepts each, and hands it to one that has few.

Where all accept on one socket, the first to wake takes all that come at once, and has them for long: EHRs keep
connections open. A worker that hangs is given one connection, and no more as long as others take theirs.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, MutableSequence
from dataclasses import dataclass

TAKEN, OPEN = 0, 1
"""What stands in the tally of a worker: how many connections it has taken, and how many of them are open."""
_PAUSE_SECONDS = 0.2
"""Between attempts to accept, where no worker serves or no more files can be opened: whoever connects waits."""
_BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Inlet:
    """Where a worker receives connections."""

    channel: socket.socket
    tally: MutableSequence[int]
    """In memory that its parent reads."""

    def listen(self, take: Callable[[socket.socket], None]) -> None:
        """Pass on each connection that is received from now on."""
        self.channel.settimeout(0)
        asyncio.get_running_loop().add_reader(self.channel, self._receive, take)

    def close(self) -> None:
        """Receive no more."""
        asyncio.get_running_loop().remove_reader(self.channel)
        self.channel.close()

    def _receive(self, take: Callable[[socket.socket], None]) -> None:
        said, files, _, _ = socket.recv_fds(self.channel, 1, 1)
        if not said:  # the parent is gone
            asyncio.get_running_loop().remove_reader(self.channel)
            return
        self.tally[TAKEN] += 1
        # None where this process can open no more files: that connection is lost, and the next may not be.
        for file in files:
            self.tally[OPEN] += 1
            connection = socket.socket(fileno=file)
            connection.settimeout(0)
            take(connection)


class Outlet:
    """The parent's side of an inlet."""

    def __init__(self, tally: MutableSequence[int]) -> None:
        self._channel, other = socket.socketpair()
        self._channel.settimeout(0)
        self._given = 0
        self.inlet = Inlet(other, tally)

    @property
    def load(self) -> tuple[bool, int]:
        """Whether connections wait to be taken, as they do where a worker hangs; and how many it has."""
        taken, opened = self.inlet.tally
        return self._given > taken, self._given - taken + opened

    def hand(self, connection: socket.socket) -> bool:
        """Give a connection away; whether the worker can be reached."""
        try:
            socket.send_fds(self._channel, [b"+"], [connection.fileno()])
        except OSError:
            return False
        self._given += 1
        return True

    def close(self) -> None:
        """Give no more."""
        self._channel.close()


class Acceptor:
    """Accepts connections, and hands each to the worker with the least to do."""

    def __init__(self, listener: socket.socket, outlets: Callable[[], Iterable[Outlet]]) -> None:
        """``outlets`` are those of the workers that serve now."""
        self._listener, self._outlets = listener, outlets
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Accept from now on."""
        self._listener.settimeout(0)
        self._listener.listen(_BACKLOG)
        self._go_on()

    def close(self) -> None:
        """Accept no more; who tries to connect is refused."""
        self._loop.remove_reader(self._listener)
        if self._pause is not None:
            self._pause.cancel()
        self._listener.close()

    def _go_on(self) -> None:
        self._loop.add_reader(self._listener, self._accept)

    def _wait(self) -> None:
        self._loop.remove_reader(self._listener)
        self._pause = self._loop.call_later(_PAUSE_SECONDS, self._go_on)

    def _accept(self) -> None:
        outlets = sorted(self._outlets(), key=lambda outlet: outlet.load)
        if not outlets:
            self._wait()
            return
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError:
            self._wait()
            return
        with connection:
            any(outlet.hand(connection) for outlet in outlets)
