"""Reads and searches on FHIR servers: the only module that speaks HTTP.

Requests go through the transport of httpx, below its client: so no cookie of one caller reaches another, no redirect
is followed, no proxy is taken from the environment, and no URL (it names the patient) is written to a log. What comes
back is an ``Answer``, never an exception: an outcome in a word or two, and the bytes if there are any.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType, TracebackType
from urllib.parse import urlencode, urlsplit

import httpcore
import httpx

from fhir_plugin.addresses import AddressRefused, CheckedNetwork
from fhir_plugin.errors import BadInput
from fhir_plugin.subjects import is_fhir_id, reference_parts
from mappings.servers import PLAIN, Habits

_OK = 200
_CREATED = 201
_TOO_MANY_REQUESTS = 429
_TEMPORARY = frozenset({408, 425, _TOO_MANY_REQUESTS, 500, 502, 503, 504})
_REDIRECTS = range(300, 400)
_NO_POST = frozenset({"400", "404", "405", "415", "501"})
_FORM = "application/x-www-form-urlencoded"
_FHIR, _JSON = "application/fhir+json", "application/json"
_ALWAYS = {"Accept-Encoding": "gzip", "User-Agent": "tandem-cds"}
_BASE_URL = re.compile(
    r"https?://([a-z0-9.\-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?(/[a-z0-9._~!$&'()*+,;=:\-]*)*", re.IGNORECASE
)
_KEEPALIVE_SECONDS = 30
_MOST_AT_ONCE = 262_144
"""Bytes unpacked in one go: a bomb is noticed before it goes off."""
_GZIP = zlib.MAX_WBITS | 16


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one record may be asked of a server, and how much taken from it."""

    bytes_per_record: int = 16_000_000
    """After decompression, over all answers together that could be read."""
    bytes_per_answer: int = 6_000_000
    """The same of one answer, so that one that is too large leaves room for the others."""
    pages: int = 10
    entries: int = 2_000
    """Per input, whoever they are about."""
    parallel: int = 16
    """Requests at the same time for one record."""
    connections: int = 48
    """To one server, for all records."""
    servers: int = 64
    silent_calls: int = 3
    """After so many records in a row for which the server answered nothing, it is left alone for a while."""
    rest_seconds: float = 5.0
    connect_seconds: float = 1.0
    pause_seconds: float = 0.05
    """Before the one retry, when the server does not say how long to wait."""


class Allowance:
    """The bytes that may still be read for one record."""

    __slots__ = ("left", "per_answer")

    def __init__(self, limits: Limits) -> None:
        self.left = limits.bytes_per_record
        self.per_answer = limits.bytes_per_answer


class _Share:
    """What one answer takes of the allowance; given back if the answer comes to nothing."""

    __slots__ = ("_allowance", "taken")

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self.taken = 0

    @property
    def left(self) -> int:
        return min(self._allowance.left, self._allowance.per_answer - self.taken)

    def take(self, size: int) -> None:
        if size > self.left:
            raise _TooLarge
        self.taken += size
        self._allowance.left -= size

    def give_back(self) -> None:
        self._allowance.left += self.taken
        self.taken = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request."""

    outcome: str
    """Such as ``200``, ``403``, ``connection failed``, ``too large``."""
    body: bytes | None = None
    temporary: bool = False
    """Whether the same request may succeed later."""
    wait: float | None = None
    """Seconds after which the server asks to be asked again."""
    location: str | None = None
    """Where what was created is, as the server says."""

    @property
    def reached(self) -> bool:
        """Whether the server said anything, be it a refusal."""
        return not self.temporary or self.outcome.isdigit()


class _TooLarge(Exception):
    """The allowance is used up."""


class _Unpackable(Exception):
    """The content encoding is unknown or the compressed data is damaged."""


class _Transport(httpx.AsyncHTTPTransport):
    """The transport of httpx over connections whose addresses are checked."""

    def __init__(self, context: ssl.SSLContext, connections: int) -> None:
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=_KEEPALIVE_SECONDS,
            network_backend=CheckedNetwork(),
        )


class Server:
    """One FHIR server: its base URL and its pool of connections."""

    def __init__(self, base_url: str, context: ssl.SSLContext, limits: Limits, habits: Habits = PLAIN) -> None:
        self.habits = habits
        self._limits = limits
        self._base = httpx.URL(base_url)
        self._silent_calls = 0
        self._rests_until = 0.0
        self._transport = _Transport(context, limits.connections)
        self.in_flight = 0
        """How many requests are being answered now."""

    def note(self, *, answered: bool) -> None:
        """Note whether the server answered anything for one record."""
        self._silent_calls = 0 if answered else self._silent_calls + 1
        if self._silent_calls >= self._limits.silent_calls:
            self._rests_until = asyncio.get_running_loop().time() + self._limits.rest_seconds

    @property
    def rests(self) -> bool:
        """Whether the server was silent so often that it is not asked for now."""
        return asyncio.get_running_loop().time() < self._rests_until

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    def url(self, relative: str) -> httpx.URL:
        """The URL of a read or search written relative to the base, such as ``Condition?patient=1``."""
        return httpx.URL(f"{self._base}/{relative}")

    def page_url(self, link: str) -> httpx.URL | None:
        """The URL of a next link if it lies under the base of this server; ``None`` if it must not be followed.

        Accepts an absolute link, one relative to the base, and one that starts at the root of the host.
        """
        candidates = [link] if "://" in link else [str(self._base.copy_with(raw_path=b"/")).rstrip("/") + link]
        if "://" not in link:
            candidates = candidates if link.startswith("/") else []
            candidates.append(f"{self._base}/{link.lstrip('/')}" if not link.startswith("?") else f"{self._base}{link}")
        for candidate in candidates:
            try:
                url = httpx.URL(candidate)
            except httpx.InvalidURL:
                continue
            if self._is_ours(url):
                return url
        return None

    def id_of(self, resource_type: str, reference: str) -> str | None:
        """The id in a reference to a resource of that type on this server; ``None`` if it is not there or no id."""
        root, kind, found = reference_parts(reference)
        if kind != resource_type or not is_fhir_id(found):
            return None
        return found if not root or self.page_url(reference) is not None else None

    def _is_ours(self, url: httpx.URL) -> bool:
        # Hosts as they are sent: to read one as a name may fail, and what it looks like decides nothing.
        theirs, ours = ((each.scheme, each.raw_host, _port(each)) for each in (url, self._base))
        if theirs != ours or url.userinfo or url.fragment:
            return False
        path, base = url.path, self._base.path.rstrip("/")
        if "\\" in path or any(part in {".", ".."} for part in path.split("/")):
            return False
        if b"%2f" in url.raw_path.partition(b"?")[0].lower():
            return False
        return path.rstrip("/") == base or path.startswith(f"{base}/")

    async def ask(self, url: httpx.URL, token: str | None, allowance: Allowance, deadline: float) -> Answer:
        """Send one read or search; a temporary failure is tried once more if that fits before ``deadline``.

        ``deadline`` is a time of the running event loop. Whether a search is posted as a form is a habit of the server.
        """
        if self.rests:
            return Answer("not asked, the server has been silent", temporary=True)
        if url.query and self.habits.post_search == "long" and len(str(url)) > self.habits.url_length:
            answer = await self._ask_twice(url, token, allowance, deadline, post=True)
            if answer.outcome not in _NO_POST:
                return answer
        return await self._ask_twice(url, token, allowance, deadline, post=False)

    async def _ask_twice(
        self, url: httpx.URL, token: str | None, allowance: Allowance, deadline: float, *, post: bool
    ) -> Answer:
        answer = await self._ask_once(url, token, allowance, post=post)
        if not answer.temporary:
            return answer
        wait = self._limits.pause_seconds if answer.wait is None else answer.wait
        if asyncio.get_running_loop().time() + wait >= deadline:
            return answer
        await asyncio.sleep(wait)
        return await self._ask_once(url, token, allowance, post=post)

    async def _ask_once(self, url: httpx.URL, token: str | None, allowance: Allowance, *, post: bool) -> Answer:
        try:
            request = self._request(url, token, post=post)
        except UnicodeEncodeError:
            return Answer("the access token cannot be sent")
        return await self.send(request, allowance)

    async def send(self, request: httpx.Request, allowance: Allowance) -> Answer:
        """Send one request once, whatever comes of it."""
        self.in_flight += 1
        try:
            response = await self._transport.handle_async_request(request)
            try:
                return await _answer(response, allowance)
            finally:
                await response.aclose()
        except httpx.TimeoutException:
            return Answer("timeout", temporary=True)
        except httpx.TransportError:
            return Answer("connection failed", temporary=True)
        except _TooLarge:
            return Answer("too large")
        except _Unpackable:
            return Answer("unknown or damaged compression")
        except AddressRefused:
            return Answer("address refused")
        finally:
            self.in_flight -= 1

    def _request(self, url: httpx.URL, token: str | None, *, post: bool) -> httpx.Request:
        headers = {"Accept": _FHIR, **_ALWAYS}
        if self.habits.strict:
            headers["Prefer"] = "handling=strict"
        if token:
            headers["Authorization"] = f"Bearer {token}"
        extensions = {"timeout": {"connect": self._limits.connect_seconds}}
        if not post:
            return httpx.Request("GET", url, headers=headers, extensions=extensions)
        headers["Content-Type"] = _FORM
        searched = url.copy_with(raw_path=url.path.encode() + b"/_search")
        return httpx.Request("POST", searched, headers=headers, content=url.query, extensions=extensions)


class Clients:
    """The FHIR servers spoken to, each with one pool of connections kept between calls.

    Belongs to one event loop. Close it with ``aclose`` or ``async with``.
    """

    def __init__(self, limits: Limits | None = None, context: ssl.SSLContext | None = None) -> None:
        self.limits = limits or Limits()
        self._context = context or ssl.create_default_context()
        self._servers: dict[tuple[str, Habits], Server] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def server(self, base_url: str, habits: Habits = PLAIN) -> Server:
        """The server at that base URL, as ``normal_base_url`` writes it; the one unused for longest makes room."""
        server = self._servers.pop((base_url, habits), None)
        if server is None:
            self._make_room()
            server = Server(base_url, self._context, self.limits, habits)
        self._servers[base_url, habits] = server
        return server

    def __len__(self) -> int:
        return len(self._servers)

    @property
    def resting(self) -> int:
        """How many servers are left alone for now, because they answered nothing."""
        return sum(server.rests for server in self._servers.values())

    async def create(self, base_url: str, kind: str, body: bytes, token: str, seconds: float) -> Answer:
        """Create one resource on a FHIR server; sent once and never again, because nobody knows what the first did."""
        server = self.server(base_url)
        headers = {"Accept": _FHIR, "Content-Type": _FHIR, "Prefer": "return=minimal", **_ALWAYS}
        headers["Authorization"] = f"Bearer {token}"
        request = httpx.Request("POST", server.url(kind), headers=headers, content=body)
        try:
            async with asyncio.timeout(seconds):
                return await server.send(request, Allowance(self.limits))
        except TimeoutError:
            return Answer("timeout", temporary=True)

    async def fetch(
        self,
        url: str,
        most_bytes: int,
        seconds: float,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """One document that is no FHIR, or the answer to a form; asked for once, within the bounds of all reading."""
        target = httpx.URL(url)
        server = self.server(str(target.copy_with(raw_path=b"/")).rstrip("/"))
        allowance = Allowance(replace(self.limits, bytes_per_record=most_bytes, bytes_per_answer=most_bytes))
        try:
            async with asyncio.timeout(seconds):
                return await server.send(_plain_request(target, form, headers), allowance)
        except TimeoutError:
            return Answer("timeout", temporary=True)

    def _make_room(self) -> None:
        if len(self._servers) < self.limits.servers:
            return
        idle = next((url for url, server in self._servers.items() if not server.in_flight), None)
        if idle is not None:
            task = asyncio.get_running_loop().create_task(self._servers.pop(idle).aclose())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """Close every connection."""
        servers, self._servers = list(self._servers.values()), {}
        for server in servers:
            await server.aclose()
        await asyncio.gather(*self._closing)

    async def __aenter__(self) -> Clients:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _plain_request(url: httpx.URL, form: Mapping[str, str] | None, more: Mapping[str, str]) -> httpx.Request:
    headers = {"Accept": _JSON, **_ALWAYS, **more}
    if form is None:
        return httpx.Request("GET", url, headers=headers)
    return httpx.Request("POST", url, headers=headers | {"Content-Type": _FORM}, content=urlencode(form).encode())


def normal_base_url(text: str) -> str:
    """One way to write a base URL: lower-case host, no default port, no trailing slash.

    Raises BadInput for what cannot be one, and for what two readers might read as two different addresses.
    """
    plain = text.strip()
    if not _BASE_URL.fullmatch(plain) or {".", ".."} & set(plain.split("/")):
        raise BadInput("the FHIR server must be given as http(s)://host[:port]/path, without user, query or fragment")
    try:
        _ = urlsplit(plain).port
        return str(httpx.URL(plain)).rstrip("/")
    except (httpx.InvalidURL, ValueError):
        raise BadInput("the FHIR server is given with a host or port that cannot be") from None


def _port(url: httpx.URL) -> int | None:
    return url.port or {"http": 80, "https": 443}.get(url.scheme)


async def _answer(response: httpx.Response, allowance: Allowance) -> Answer:
    status = response.status_code
    if status == _OK:
        return Answer("200", await _read(response, allowance))
    if status == _CREATED:
        return Answer("201", location=response.headers.get("Location"))
    if status in _REDIRECTS:
        return Answer(f"{status} redirect refused")
    wait = _retry_after(response.headers.get("Retry-After")) if status in _TEMPORARY else None
    return Answer(str(status), temporary=status in _TEMPORARY, wait=wait)


async def _read(response: httpx.Response, allowance: Allowance) -> bytes:
    """The whole body, each byte counted as it is unpacked and before the next one is."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise _Unpackable
    share = _Share(allowance)
    body = bytearray()
    complete = False
    try:
        async for piece in _inflated(response.aiter_raw(), share) if "gzip" in encoding else response.aiter_raw():
            share.take(len(piece))
            body += piece
        complete = True
    finally:
        if not complete:
            share.give_back()
    return bytes(body)


async def _inflated(chunks: AsyncIterator[bytes], share: _Share) -> AsyncIterator[bytes]:
    """The chunks unpacked, a bounded piece at a time; several gzip members are one body."""
    inflator = zlib.decompressobj(_GZIP)
    async for chunk in chunks:
        rest = chunk
        while rest:
            if inflator.eof:
                inflator = zlib.decompressobj(_GZIP)
            try:
                piece = inflator.decompress(rest, min(_MOST_AT_ONCE, share.left + 1))
            except zlib.error:
                raise _Unpackable from None
            yield piece
            rest = inflator.unused_data if inflator.eof else inflator.unconsumed_tail
    if not inflator.eof:
        raise _Unpackable


def _retry_after(text: str | None) -> float | None:
    """Seconds to wait by a Retry-After header, in either of its forms; ``None`` without a usable one."""
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
