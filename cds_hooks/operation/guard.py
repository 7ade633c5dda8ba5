"""Whom the service does not talk to: web pages of other sites, names that are not its own, WebSockets.

An open service answers everybody who reaches it, and every web page in a browser on this machine reaches loopback. A
page of another site is told by its Origin. A site that has its own name resolve to loopback (DNS rebinding) makes the
browser take the service for that site, so that there is no foreign Origin: it is told by Host.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from cds_hooks.operation.probes import is_probe
from cds_hooks.operation.refusals import RefusalPages
from cds_hooks.protocol.outcomes import outcome
from cds_hooks.settings.settings import Settings
from cds_hooks.telemetry.logs import add_log_fields
from cds_hooks.web.origin import is_cross_site, origin_of
from fhir_plugin.reading.addresses import is_loopback

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
_FORBIDDEN, _MISDIRECTED = 403, 421
_OTHER_HOST = (
    "an open service answers only to loopback names, the address at which it listens and the host of public_url: "
    "call it by one of these, or set public_url"
)
_OTHER_ORIGIN = "web pages of another origin may not call this service: list the origin in allowed_origins if it shall"


class Guard:
    """Middleware that refuses what nobody may send. Where there are clients, their tokens say who calls."""

    def __init__(self, app: ASGIApp, settings: Settings, pages: RefusalPages) -> None:
        self._app, self._pages = app, pages
        self._open = settings.open
        self._every_origin = "*" in settings.allowed_origins
        self._origins = frozenset(settings.allowed_origins)
        self._public_origin = origin_of(settings.public_url)
        public = urlsplit(settings.public_url or "").hostname
        self._names = frozenset({settings.host.strip("[]").lower(), public})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        elif scope["type"] == "http" and (refused := self._refused(Request(scope))):
            await self._pages.instead_of(refused, Request(scope))(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refused(self, request: Request) -> Response | None:
        if request.headers.get("upgrade", "").lower() == "websocket":
            add_log_fields(reason="guard.websocket")
            return outcome(_FORBIDDEN, "not-supported", "there are no WebSockets here")
        if not self._open or is_probe(request.scope):
            return None
        if not self._is_own_host(request):
            add_log_fields(reason="guard.host")
            return outcome(_MISDIRECTED, "forbidden", _OTHER_HOST)
        if not self._every_origin and self._is_foreign(request):
            add_log_fields(reason="guard.origin")
            return outcome(_FORBIDDEN, "forbidden", _OTHER_ORIGIN)
        return None

    def _is_own_host(self, request: Request) -> bool:
        """Whether the request names this service; browsers always name somebody, and cannot be made to name another."""
        given = request.headers.getlist("host")
        if not given:
            return True
        found = _HOST.fullmatch(given[0].lower())
        if found is None or len(given) > 1:
            return False
        # A dot at the end makes a name absolute: it is the same name.
        host, listens = found[1].removesuffix(".").strip("[]"), request.scope.get("server") or ("",)
        return bool(host) and (host in self._names or host == listens[0] or is_loopback(host))

    def _is_foreign(self, request: Request) -> bool:
        """Whether a page of an origin that is neither ours nor allowed had a browser send the request."""
        return is_cross_site(request, self._public_origin) and request.headers.get("origin") not in self._origins
