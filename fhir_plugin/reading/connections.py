"""The connections to one server, kept between requests."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpcore

from fhir_plugin.reading.addresses import CheckedNetwork

_KEPT_SECONDS = 30


class Connections:
    """At most ``most`` at a time; who comes later waits. What was used last is used next, so that the rest grows old.

    The pool of httpcore looks at all its connections for each request, and asks the system whether each idle one is
    still open: for the queries of one record that took longer than to send them and to read the answers.
    """

    def __init__(self, origin: httpcore.Origin, context: ssl.SSLContext, most: int) -> None:
        self._origin, self._context = origin, context
        self._network = CheckedNetwork()
        self._places = asyncio.Semaphore(most)
        self._used: set[httpcore.AsyncHTTPConnection] = set()
        self._idle: deque[httpcore.AsyncHTTPConnection] = deque()
        """Whichever was used last is at the end."""

    @asynccontextmanager
    async def one(self) -> AsyncIterator[httpcore.AsyncHTTPConnection]:
        """A connection for one request and its whole response; kept if the next request can follow on it."""
        async with self._places:
            connection = await self._kept() or self._new()
            self._used.add(connection)
            try:
                yield connection
            finally:
                self._used.discard(connection)
                if connection.is_available():
                    self._idle.append(connection)
                else:
                    await connection.aclose()

    async def aclose(self) -> None:
        """Close them all; a request in progress fails."""
        everyone = [*self._used, *self._idle]
        self._idle.clear()
        for connection in everyone:
            await connection.aclose()

    async def _kept(self) -> httpcore.AsyncHTTPConnection | None:
        """The one that was used last, if it is still open; those that have been idle for too long are closed."""
        while self._idle and self._idle[0].has_expired():
            await self._idle.popleft().aclose()
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return None

    def _new(self) -> httpcore.AsyncHTTPConnection:
        return httpcore.AsyncHTTPConnection(
            self._origin, ssl_context=self._context, keepalive_expiry=_KEPT_SECONDS, network_backend=self._network
        )
