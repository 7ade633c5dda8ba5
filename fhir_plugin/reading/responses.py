"""Server responses, read within a limit on bytes."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpcore
import httpx

_OK = 200


_CREATED = 201


_TOO_MANY_REQUESTS = 429


_TEMPORARY = frozenset({408, 425, _TOO_MANY_REQUESTS, 500, 502, 503, 504})


_REDIRECTS = range(300, 400)


_CHUNK_BYTES = 262_144
"""Bytes decompressed at a time, so that a decompression bomb is detected early."""


_GZIP = zlib.MAX_WBITS | 16


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on the requests to a server and on its responses, for one record."""

    bytes_per_record: int = 16_000_000
    """After decompression, in total over all responses that could be read."""
    bytes_per_answer: int = 6_000_000
    """The same for one response, so that one that is too large leaves room for the others."""
    pages: int = 10
    entries: int = 2_000
    """Per input, whatever their subject."""
    parallel: int = 16
    """Concurrent requests for one record."""
    connections: int = 48
    """To one server, for all records."""
    servers: int = 64
    silent_calls: int = 3
    """After so many consecutive records without any response, the server is not queried for ``rest_seconds``."""
    rest_seconds: float = 5.0
    connect_seconds: float = 1.0
    pause_seconds: float = 0.05
    """Before the single retry, if the server does not state how long to wait."""


class ByteAllowance:
    """The bytes that may still be read for one record."""

    __slots__ = ("left", "per_answer")

    def __init__(self, limits: Limits) -> None:
        self.left = limits.bytes_per_record
        self.per_answer = limits.bytes_per_answer


class _ResponseAllowance:
    """The part of the allowance used by one response; returned if the response cannot be read."""

    __slots__ = ("_allowance", "taken")

    def __init__(self, allowance: ByteAllowance) -> None:
        self._allowance = allowance
        self.taken = 0

    @property
    def left(self) -> int:
        return min(self._allowance.left, self._allowance.per_answer - self.taken)

    def take(self, size: int) -> None:
        if size > self.left:
            raise TooLarge
        self.taken += size
        self._allowance.left -= size

    def give_back(self) -> None:
        self._allowance.left += self.taken
        self.taken = 0


@dataclass(frozen=True, slots=True)
class ServerResponse:
    """The result of one request."""

    outcome: str
    """Such as ``200``, ``403``, ``connection failed``, ``too large``."""
    body: bytes | None = None
    temporary: bool = False
    """Whether the same request may succeed later."""
    wait: float | None = None
    """Seconds after which the server requests a retry (``Retry-After``)."""
    location: str | None = None
    """The ``Location`` of a created resource."""

    @property
    def reached(self) -> bool:
        """Whether the server responded at all, even with a refusal."""
        return not self.temporary or self.outcome.isdigit()


class TooLarge(Exception):
    """The allowance is used up."""


class UnsupportedEncoding(Exception):
    """The content encoding is unknown or the compressed data is damaged."""


async def read_response(response: httpcore.Response, allowance: ByteAllowance) -> ServerResponse:
    status = response.status
    if status == _OK:
        return ServerResponse("200", await _read(response, allowance))
    if status == _CREATED:
        return ServerResponse("201", location=_header(response, "Location"))
    if status in _REDIRECTS:
        return ServerResponse(f"{status} redirect refused")
    wait = _retry_after(_header(response, "Retry-After")) if status in _TEMPORARY else None
    return ServerResponse(str(status), temporary=status in _TEMPORARY, wait=wait)


async def _read(response: httpcore.Response, allowance: ByteAllowance) -> bytes:
    """The whole body; bytes are counted while they are decompressed."""
    encoding = (_header(response, "Content-Encoding") or "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise UnsupportedEncoding
    share = _ResponseAllowance(allowance)
    body = bytearray()
    complete = False
    try:
        async for piece in _inflated(response.aiter_stream(), share) if "gzip" in encoding else response.aiter_stream():
            share.take(len(piece))
            body += piece
        complete = True
    finally:
        if not complete:
            share.give_back()
    return bytes(body)


async def _inflated(chunks: AsyncIterator[bytes], share: _ResponseAllowance) -> AsyncIterator[bytes]:
    """The chunks decompressed, in pieces of limited size; several gzip members form one body."""
    inflator = zlib.decompressobj(_GZIP)
    async for chunk in chunks:
        rest = chunk
        while rest:
            if inflator.eof:
                inflator = zlib.decompressobj(_GZIP)
            try:
                piece = inflator.decompress(rest, min(_CHUNK_BYTES, share.left + 1))
            except zlib.error:
                raise UnsupportedEncoding from None
            yield piece
            rest = inflator.unused_data if inflator.eof else inflator.unconsumed_tail
    if not inflator.eof:
        raise UnsupportedEncoding


def _header(response: httpcore.Response, name: str) -> str | None:
    """Its value, if it is there; several are joined."""
    value: str | None = httpx.Headers(response.headers).get(name)
    return value


def _retry_after(text: str | None) -> float | None:
    """Seconds to wait according to a Retry-After header, in either form; ``None`` without a usable one."""
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
