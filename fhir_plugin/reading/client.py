"""Reads and searches on FHIR servers: the only module that speaks HTTP.

Requests go through the transport of httpx, below its client: so no cookie of one caller reaches another, no redirect
is followed, no proxy is taken from the environment, and no URL (it names the patient) is written to a log. What comes
back is an ``ServerResponse``, never an exception: an outcome in a word or two, and the bytes if there are any.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType, TracebackType
from urllib.parse import urlencode

import httpcore
import httpx

from fhir_plugin.reading.addresses import AddressRefused, CheckedNetwork
from fhir_plugin.reading.responses import (
    ByteAllowance,
    Limits,
    ServerResponse,
    TooLarge,
    UnsupportedEncoding,
    read_response,
)
from fhir_plugin.record.subjects import is_fhir_id, reference_parts
from mappings.schema.service.servers import DEFAULT_HABITS, ServerHabits

_NO_POST = frozenset({"400", "404", "405", "415", "501"})
_FORM = "application/x-www-form-urlencoded"
_FHIR, _JSON = "application/fhir+json", "application/json"
_ALWAYS = {"Accept-Encoding": "gzip", "User-Agent": "tandem-cds"}
_KEEPALIVE_SECONDS = 30


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


class FhirServer:
    """One FHIR server: its base URL and its pool of connections."""

    def __init__(
        self, base_url: str, context: ssl.SSLContext, limits: Limits, habits: ServerHabits = DEFAULT_HABITS
    ) -> None:
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

    async def ask(self, url: httpx.URL, token: str | None, allowance: ByteAllowance, deadline: float) -> ServerResponse:
        """Send one read or search; a temporary failure is tried once more if that fits before ``deadline``.

        ``deadline`` is a time of the running event loop. Whether a search is posted as a form is a habit of the server.
        """
        if self.rests:
            return ServerResponse("not asked, the server has been silent", temporary=True)
        if url.query and self.habits.post_search == "long" and len(str(url)) > self.habits.url_length:
            answer = await self._ask_twice(url, token, allowance, deadline, post=True)
            if answer.outcome not in _NO_POST:
                return answer
        return await self._ask_twice(url, token, allowance, deadline, post=False)

    async def _ask_twice(
        self, url: httpx.URL, token: str | None, allowance: ByteAllowance, deadline: float, *, post: bool
    ) -> ServerResponse:
        answer = await self._ask_once(url, token, allowance, post=post)
        if not answer.temporary:
            return answer
        wait = self._limits.pause_seconds if answer.wait is None else answer.wait
        if asyncio.get_running_loop().time() + wait >= deadline:
            return answer
        await asyncio.sleep(wait)
        return await self._ask_once(url, token, allowance, post=post)

    async def _ask_once(
        self, url: httpx.URL, token: str | None, allowance: ByteAllowance, *, post: bool
    ) -> ServerResponse:
        try:
            request = self._request(url, token, post=post)
        except UnicodeEncodeError:
            return ServerResponse("the access token cannot be sent")
        return await self.send(request, allowance)

    async def send(self, request: httpx.Request, allowance: ByteAllowance) -> ServerResponse:
        """Send one request once, whatever comes of it."""
        self.in_flight += 1
        try:
            response = await self._transport.handle_async_request(request)
            try:
                return await read_response(response, allowance)
            finally:
                await response.aclose()
        except httpx.TimeoutException:
            return ServerResponse("timeout", temporary=True)
        except httpx.TransportError:
            return ServerResponse("connection failed", temporary=True)
        except TooLarge:
            return ServerResponse("too large")
        except UnsupportedEncoding:
            return ServerResponse("unknown or damaged compression")
        except AddressRefused:
            return ServerResponse("address refused")
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


class FhirServers:
    """The FHIR servers spoken to, each with one pool of connections kept between calls.

    Belongs to one event loop. Close it with ``aclose`` or ``async with``.
    """

    def __init__(self, limits: Limits | None = None, context: ssl.SSLContext | None = None) -> None:
        self.limits = limits or Limits()
        self._context = context or ssl.create_default_context()
        self._servers: dict[tuple[str, ServerHabits], FhirServer] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def server(self, base_url: str, habits: ServerHabits = DEFAULT_HABITS) -> FhirServer:
        """The server at that base URL, as ``normal_base_url`` writes it; the one unused for longest makes room."""
        server = self._servers.pop((base_url, habits), None)
        if server is None:
            self._make_room()
            server = FhirServer(base_url, self._context, self.limits, habits)
        self._servers[base_url, habits] = server
        return server

    def __len__(self) -> int:
        return len(self._servers)

    @property
    def resting(self) -> int:
        """How many servers are left alone for now, because they answered nothing."""
        return sum(server.rests for server in self._servers.values())

    async def create(self, base_url: str, kind: str, body: bytes, token: str, seconds: float) -> ServerResponse:
        """Create one resource on a FHIR server; sent once and never again, because nobody knows what the first did."""
        server = self.server(base_url)
        headers = {"Accept": _FHIR, "Content-Type": _FHIR, "Prefer": "return=minimal", **_ALWAYS}
        headers["Authorization"] = f"Bearer {token}"
        request = httpx.Request("POST", server.url(kind), headers=headers, content=body)
        try:
            async with asyncio.timeout(seconds):
                return await server.send(request, ByteAllowance(self.limits))
        except TimeoutError:
            return ServerResponse("timeout", temporary=True)

    async def fetch(
        self,
        url: str,
        most_bytes: int,
        seconds: float,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> ServerResponse:
        """One document that is no FHIR, or the answer to a form; asked for once, within the bounds of all reading."""
        target = httpx.URL(url)
        server = self.server(str(target.copy_with(raw_path=b"/")).rstrip("/"))
        allowance = ByteAllowance(replace(self.limits, bytes_per_record=most_bytes, bytes_per_answer=most_bytes))
        try:
            async with asyncio.timeout(seconds):
                return await server.send(_plain_request(target, form, headers), allowance)
        except TimeoutError:
            return ServerResponse("timeout", temporary=True)

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

    async def __aenter__(self) -> FhirServers:
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


def _port(url: httpx.URL) -> int | None:
    return url.port or {"http": 80, "https": 443}.get(url.scheme)
