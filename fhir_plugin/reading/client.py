"""Reads and searches on FHIR servers: the only module that sends HTTP requests.

Requests use the connections of httpcore, below any client: cookies are not shared between callers, redirects are not
followed, no proxy is taken from the environment, and no URL (it names the patient) is logged. The result is always a
``ServerResponse``, never an exception: an outcome in a word or two, and the body if there is one.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType, TracebackType
from typing import TypeAlias
from urllib.parse import urlencode

import httpcore
import httpx

from fhir_plugin.reading.addresses import AddressRefused
from fhir_plugin.reading.connections import Connections
from fhir_plugin.reading.responses import (
    ByteAllowance,
    Limits,
    ServerResponse,
    TooLarge,
    UnsupportedEncoding,
    read_response,
)
from fhir_plugin.reading.urls import encoded
from fhir_plugin.record.subjects import is_fhir_id, reference_parts
from mappings.schema.service.servers import DEFAULT_HABITS, ServerHabits

_NO_POST = frozenset({"400", "404", "405", "415", "501"})
_FORM = "application/x-www-form-urlencoded"
_FHIR, _JSON = "application/fhir+json", "application/json"
_ALWAYS = {"Accept-Encoding": "gzip", "User-Agent": "tandem-cds"}
_FRESH = {"Cache-Control": "no-cache"}
"""HAPI answers a repeated search from a cache, by default for a minute: what was just recorded would be missing."""
_FAILURES = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol)
Headers: TypeAlias = tuple[tuple[str, str], ...]


class FhirServer:
    """One FHIR server: its base URL and its pool of connections."""

    def __init__(
        self, base_url: str, context: ssl.SSLContext, limits: Limits, habits: ServerHabits = DEFAULT_HABITS
    ) -> None:
        self.habits = habits
        self._limits = limits
        self._base = httpx.URL(base_url)
        self._base_url = str(self._base)
        self._host = self._base.netloc
        self._root = f"{self._base.scheme}://{self._host.decode('ascii')}"
        self._origin = httpcore.URL(self._root).origin
        self._silent_calls = 0
        self._resting_until = 0.0
        self._connections = Connections(self._origin, context, limits.connections)
        self.in_flight = 0
        """Number of requests in progress."""

    def note(self, *, answered: bool) -> None:
        """Record whether the server answered any request for one record."""
        self._silent_calls = 0 if answered else self._silent_calls + 1
        if self._silent_calls >= self._limits.silent_calls:
            self._resting_until = asyncio.get_running_loop().time() + self._limits.rest_seconds

    @property
    def is_resting(self) -> bool:
        """Whether the server is not queried for now, because it did not response repeatedly."""
        return asyncio.get_running_loop().time() < self._resting_until

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connections.aclose()

    def url(self, relative: str) -> str:
        """The URL of a read or search written relative to the base, such as ``Condition?patient=1``; encoded."""
        return encoded(f"{self._base_url}/{relative}")

    def page_url(self, link: str) -> str | None:
        """The URL of a next link if it is under the base URL of this server; ``None`` if it must not be followed.

        Accepts an absolute link, one relative to the base URL, and one relative to the root of the host. What a server
        leaves unencoded in its link is encoded, as in a search.
        """
        absolute = "://" in link.partition("?")[0]
        candidates = [link] if absolute else [str(self._base.copy_with(raw_path=b"/")).rstrip("/") + link]
        if not absolute:
            candidates = candidates if link.startswith("/") else []
            candidates.append(f"{self._base_url}{'' if link.startswith('?') else '/'}{link.lstrip('/')}")
        for candidate in candidates:
            try:
                url = httpx.URL(candidate)
            except httpx.InvalidURL:
                continue
            if self._is_under_base(url):
                return encoded(self.address(url))
        return None

    def address(self, url: httpx.URL) -> str:
        """A URL on the host of this server, without user and fragment."""
        return f"{self._root}{url.raw_path.decode('ascii')}"

    def id_of(self, resource_type: str, reference: str) -> str | None:
        """The id in a reference to a resource of that type on this server; ``None`` for any other reference."""
        root, kind, identifier = reference_parts(reference)
        if kind != resource_type or not is_fhir_id(identifier):
            return None
        return identifier if not root or self.page_url(reference) is not None else None

    def _is_under_base(self, url: httpx.URL) -> bool:
        # Raw hosts, as they are sent: decoding a host name may fail and is not needed for the comparison.
        origin, own_origin = ((one.scheme, one.raw_host, _port(one)) for one in (url, self._base))
        if origin != own_origin or url.userinfo or url.fragment:
            return False
        path, base = url.path, self._base.path.rstrip("/")
        if "\\" in path or any(part in {".", ".."} for part in path.split("/")):
            return False
        if b"%2f" in url.raw_path.partition(b"?")[0].lower():
            return False
        return path.rstrip("/") == base or path.startswith(f"{base}/")

    async def ask(
        self, url: str, token: str | None, allowance: ByteAllowance, deadline: float, headers: Headers = ()
    ) -> ServerResponse:
        """Send one read or search; a temporary failure is retried once if there is time before ``deadline``.

        ``deadline`` is a time of the running event loop; ``headers`` are sent beside those of every request. The
        server's habits decide whether a search is a POST.
        """
        if self.is_resting:
            return ServerResponse("not asked, the server has been silent", temporary=True)
        if "?" in url and self.habits.post_search == "long" and len(url) > self.habits.url_length:
            response = await self._ask_twice(url, token, allowance, deadline, headers, post=True)
            if response.outcome not in _NO_POST:
                return response
        return await self._ask_twice(url, token, allowance, deadline, headers, post=False)

    async def _ask_twice(
        self, url: str, token: str | None, allowance: ByteAllowance, deadline: float, headers: Headers, *, post: bool
    ) -> ServerResponse:
        response = await self._ask_once(url, token, allowance, headers, post=post)
        if not response.temporary:
            return response
        wait = self._limits.pause_seconds if response.wait is None else response.wait
        if asyncio.get_running_loop().time() + wait >= deadline:
            return response
        await asyncio.sleep(wait)
        return await self._ask_once(url, token, allowance, headers, post=post)

    async def _ask_once(
        self, url: str, token: str | None, allowance: ByteAllowance, headers: Headers, *, post: bool
    ) -> ServerResponse:
        try:
            request = self._question(url, token, headers, post=post)
        except UnicodeEncodeError:
            return ServerResponse("the access token cannot be sent")
        return await self.send(request, allowance)

    async def send(self, request: httpcore.Request, allowance: ByteAllowance) -> ServerResponse:
        """Send one request without a retry."""
        self.in_flight += 1
        try:
            async with self._connections.one() as connection:
                response = await connection.handle_async_request(request)
                try:
                    return await read_response(response, allowance)
                finally:
                    await response.aclose()
        except httpcore.TimeoutException:
            return ServerResponse("timeout", temporary=True)
        except _FAILURES:
            return ServerResponse("connection failed", temporary=True)
        except TooLarge:
            return ServerResponse("too large")
        except UnsupportedEncoding:
            return ServerResponse("unknown or damaged compression")
        except AddressRefused:
            return ServerResponse("address refused")
        finally:
            self.in_flight -= 1

    def request(
        self, url: str, headers: Mapping[str, str], content: bytes | None = None, connect_seconds: float | None = None
    ) -> httpcore.Request:
        """A read of a URL on this server, or a post of ``content`` to it.

        :raises UnicodeEncodeError: a header cannot be sent.
        """
        own = [(b"Host", self._host)]
        if content is not None:
            own.append((b"Content-Length", b"%d" % len(content)))
        origin, target = self._origin, url.removeprefix(self._root).encode("ascii")
        return httpcore.Request(
            b"GET" if content is None else b"POST",
            httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=target),
            headers=own + [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()],
            content=content,
            extensions={"timeout": {"connect": connect_seconds}},
        )

    def _question(self, url: str, token: str | None, further: Headers, *, post: bool) -> httpcore.Request:
        headers = {**dict(further), "Accept": _FHIR, **_FRESH, **_ALWAYS}
        if self.habits.strict:
            headers["Prefer"] = "handling=strict"
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if not post:
            return self.request(url, headers, None, self._limits.connect_seconds)
        place, _, query = url.partition("?")
        headers["Content-Type"] = _FORM
        return self.request(f"{place}/_search", headers, query.encode("ascii"), self._limits.connect_seconds)


class FhirServers:
    """The FHIR servers in use, with one connection pool per server that is kept between calls.

    Belongs to one event loop. Close it with ``aclose`` or ``async with``.
    """

    def __init__(self, limits: Limits | None = None, context: ssl.SSLContext | None = None) -> None:
        self.limits = limits or Limits()
        self._context = context or ssl.create_default_context()
        self._servers: dict[tuple[str, ServerHabits], FhirServer] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def server(self, base_url: str, habits: ServerHabits = DEFAULT_HABITS) -> FhirServer:
        """The server at that base URL (see ``normal_base_url``); beyond the limit, the longest idle one is closed."""
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
        """Number of servers that are not queried for now, because they did not response repeatedly."""
        return sum(server.is_resting for server in self._servers.values())

    async def create(self, base_url: str, kind: str, body: bytes, token: str, seconds: float) -> ServerResponse:
        """Create one resource on a FHIR server; never retried, because the first attempt may have succeeded."""
        server = self.server(base_url)
        headers = {"Accept": _FHIR, "Content-Type": _FHIR, "Prefer": "return=minimal", **_ALWAYS}
        headers["Authorization"] = f"Bearer {token}"
        request = server.request(server.url(kind), headers, body)
        try:
            async with asyncio.timeout(seconds):
                return await server.send(request, ByteAllowance(self.limits))
        except TimeoutError:
            return ServerResponse("timeout", temporary=True)

    async def fetch(
        self,
        url: str,
        max_bytes: int,
        seconds: float,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> ServerResponse:
        """Fetch one non-FHIR document, or post a form; without a retry and within the usual limits."""
        target = httpx.URL(url)
        server = self.server(str(target.copy_with(raw_path=b"/")).rstrip("/"))
        allowance = ByteAllowance(replace(self.limits, bytes_per_record=max_bytes, bytes_per_answer=max_bytes))
        sent = {"Accept": _JSON, **_ALWAYS, **headers}
        content = None
        if form is not None:
            sent["Content-Type"], content = _FORM, urlencode(form).encode()
        try:
            async with asyncio.timeout(seconds):
                return await server.send(server.request(server.address(target), sent, content), allowance)
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


def _port(url: httpx.URL) -> int | None:
    return url.port or {"http": 80, "https": 443}.get(url.scheme)
