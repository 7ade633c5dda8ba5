"""Authentication in front of every route: whatever changes or reads patient data needs an authenticated caller.

Public reads (discovery, questionnaires, health) need none. A route that is added later is protected without being
named here.
"""

from __future__ import annotations

from math import ceil

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from cds_hooks.clients.admission import Admission, Caller
from cds_hooks.clients.replays.store import ReplayStoreUnavailable
from cds_hooks.clients.shares import ShareExceeded
from cds_hooks.clients.tokens import TokenRefused
from cds_hooks.protocol.outcomes import outcome
from cds_hooks.telemetry.logs import add_log_fields

PUBLIC_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_SMART_PREFIX = "/smart/"
"""The SMART app authenticates its own users: by the session cookie and the token in its forms."""
_CALLER = "tandem.caller"
_UNAUTHENTICATED, _TOO_MANY, _UNAVAILABLE = 401, 429, 503


class Gate:
    """Middleware that passes on a call with its caller, or refuses it."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, or answer 401 with the same body whatever the reason."""
        if (
            scope["type"] == "lifespan"
            or scope.get("method") in PUBLIC_METHODS
            or scope["path"].startswith(_SMART_PREFIX)
        ):
            await self._app(scope, receive, send)
            return
        try:
            caller = await self._admission.admit(Request(scope))
        except TokenRefused as refused:
            self._admission.refused[refused.client, refused.reason.value] += 1
            add_log_fields(reason=refused.reason.value, tenant=refused.client)
            await _refusal()(scope, receive, send)
        except ReplayStoreUnavailable as fault:
            add_log_fields(reason=f"replays.{fault}")
            await _unavailable()(scope, receive, send)
        except ShareExceeded as refused:
            add_log_fields(reason=f"client.{refused}", tenant=refused.client)
            await _too_many(refused.seconds)(scope, receive, send)
        else:
            add_log_fields(tenant=caller.name, mode=caller.mode)
            scope[_CALLER] = caller
            try:
                await self._app(scope, receive, send)
            finally:
                self._admission.leave(caller)


def caller_of(request: Request, otherwise: Caller) -> Caller:
    """The authenticated caller; ``otherwise`` where there is no gate."""
    caller: Caller = request.scope.get(_CALLER, otherwise)
    return caller


def _refusal() -> Response:
    headers = {"WWW-Authenticate": "Bearer"}
    return outcome(_UNAUTHENTICATED, "login", "the caller is not known", headers=headers)


def _too_many(seconds: float) -> Response:
    headers = {"Retry-After": str(ceil(seconds))}
    return outcome(_TOO_MANY, "throttled", "more calls than this client may make; try again", headers=headers)


def _unavailable() -> Response:
    return outcome(_UNAVAILABLE, "transient", "calls cannot be let in now; try again", headers={"Retry-After": "5"})
