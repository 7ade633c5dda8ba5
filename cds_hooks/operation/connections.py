"""Connections that cost a caller nothing to hold are ended: without a request, with an endless one, or too many.

The web server itself gives a connection any time to send its first request, and a request line, headers and a trailer
any length; and it takes what stands in a trailer for headers.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cds_hooks.settings.settings import Settings

MOST_HEADER_BYTES = 65_536
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"  # RFC 6585
)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limits of one process."""

    most: int
    header_seconds: float


class LimitedConnection(HttpToolsProtocol):
    """One connection. From its beginning, and from each answer, it owes a request until headers are complete."""

    limits: ConnectionLimits
    owing: dict[LimitedConnection, None]
    """All connections that owe a request, the one that has for longest first."""

    _timer: asyncio.TimerHandle | None = None
    _in_headers = False
    _header_bytes = 0
    _after_chunk_header = False
    """Whether a chunk has been announced and nothing of it has come: behind the last one, a trailer comes."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as the base class
        """Begin; where there are too many connections, the one that has sent nothing for longest ends."""
        super().connection_made(transport)
        self._owe()
        if len(self.connections) > self.limits.most:
            next(iter(self.owing)).end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._paid()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """The first byte of a request has come."""
        super().on_message_begin()
        self._in_headers, self._header_bytes = True, 0
        self._after_chunk_header = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; a line of a trailer is dropped, because a proxy does not look there for a token or an origin."""
        if self._in_headers:
            super().on_header(name, value)

    def on_chunk_header(self) -> None:
        """A chunk follows, or a trailer."""
        self._after_chunk_header = True

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._after_chunk_header = False
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """The request is there, but for its body."""
        self._in_headers = False
        self._paid()
        super().on_headers_complete()
        if self.parser.should_upgrade():
            # It is not made, and of what was sent behind it the parser has dropped a piece: the rest is no request.
            self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        """The connection may be used again, unless another request waits on it already."""
        super().on_response_complete()
        if self.cycle.response_complete:
            self._owe()

    def data_received(self, data: bytes) -> None:
        """Read on, but not for ever within one set of headers or one trailer."""
        was_after_chunk_header = self._after_chunk_header
        super().data_received(data)
        in_trailer = was_after_chunk_header and self._after_chunk_header
        if not (self._in_headers or in_trailer):
            return
        self._header_bytes += len(data)
        if self._header_bytes > MOST_HEADER_BYTES and not self.transport.is_closing():
            if in_trailer:
                self.end()
                return
            self.transport.write(_TOO_LARGE)
            self._paid()
            self.transport.close()

    def _owe(self) -> None:
        self._paid()
        self.owing[self] = None
        self._timer = self.loop.call_later(self.limits.header_seconds, self.end)

    def _paid(self) -> None:
        self.owing.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def end(self) -> None:
        """End it at once: an answer that nobody reads is not waited for either."""
        self._paid()
        self.transport.abort()


def limited(settings: Settings) -> type[LimitedConnection]:
    """The class of the connections of one server."""
    limits = ConnectionLimits(settings.connections, settings.header_seconds)
    return type("Connection", (LimitedConnection,), {"limits": limits, "owing": {}})
