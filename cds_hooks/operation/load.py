"""How much is taken on at a time: calls beyond that are turned away at once, and nobody is served who has left."""

from __future__ import annotations

import asyncio
from collections import Counter

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cds_hooks.operation.probes import is_probe
from cds_hooks.operation.refusals import RefusalPages
from cds_hooks.protocol.errors import BodyTooSlow, Overloaded
from cds_hooks.protocol.outcomes import outcome
from cds_hooks.protocol.turns import SCOPE, Turns
from cds_hooks.settings.settings import Settings
from cds_hooks.telemetry.logs import add_log_fields
from cds_hooks.web.own_call import OWN_CALL

UNSERVED = (Overloaded, BodyTooSlow, ClientDisconnect)
"""Why a call is not served."""
_TOO_SLOW, _LEFT, _UNAVAILABLE = 408, 499, 503
_RETRY_SECONDS = 1
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})
_PROMPT_SECONDS = 1.0
"""Within which an ordinary body has arrived; one that takes longer gives way where there is no other place."""


def refusal(fault: Exception) -> Response:
    """The response to a call that is not served; nobody receives that to a client who has left."""
    match fault:
        case Overloaded():
            return outcome(_UNAVAILABLE, "throttled", str(fault), headers={"Retry-After": str(_RETRY_SECONDS)})
        case BodyTooSlow():
            # The rest of the body is not waited for.
            return outcome(_TOO_SLOW, "timeout", str(fault), headers={"Connection": "close"})
        case _:
            return Response(status_code=_LEFT)


class Load:
    """What one process has taken on, and whom it turned away."""

    def __init__(self, settings: Settings) -> None:
        self.turns = Turns(settings.calls_waiting)
        self.most_in_flight = settings.calls_in_flight
        self.body_seconds = settings.body_seconds
        self.held: set[_Incoming] = set()
        """Calls that were let in and are not answered yet: being received, waiting, worked on."""
        self.arriving: dict[_Incoming, None] = {}
        """Those of them whose bodies have not arrived, the one that has been arriving for longest first."""
        self.unserved: Counter[str] = Counter()
        """Calls that were not answered, by reason."""

    @property
    def in_flight(self) -> int:
        """How many calls are held."""
        return len(self.held)

    def check(self) -> None:
        """:class:`Overloaded` where no more calls are let in; asked before anything of a body is read.

        A slow body holds no place against a call that could be answered: the slowest is given up for it.
        """
        self.turns.check()
        if self.in_flight >= self.most_in_flight:
            slowest = next(iter(self.arriving), None)
            if slowest is None or not slowest.is_late:
                raise Overloaded("in_flight")
            slowest.give_up()

    def note(self, reason: str) -> None:
        """Count a call that is not answered, and have its log line say why."""
        self.unserved[reason] += 1
        add_log_fields(reason=f"load.{reason}")


class LoadMiddleware:
    """Lets in as many calls as can be answered soon, and gives each its turn when its body has arrived.

    Probes are always let in. So is a call that the sandbox makes, which is a part of one that was let in.
    """

    def __init__(self, app: ASGIApp, load: Load, pages: RefusalPages) -> None:
        self._app, self._load, self._pages = app, load, pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, or answer 503."""
        load = self._load
        if scope["type"] != "http" or is_probe(scope) or OWN_CALL in scope:
            await self._app(scope, receive, send)
            return
        try:
            load.check()
        except Overloaded as refused:
            load.note(refused.reason)
            await self._refuse(refused, scope, receive, send)
            return
        call = _Incoming(receive, load)
        load.held.add(call)
        try:
            await self._served(call, scope, send)
        finally:
            call.close()

    async def _served(self, call: _Incoming, scope: Scope, send: Send) -> None:
        """A call without a body has arrived with its headers; the others take their turn while they are being read."""
        if scope["method"] in _WITHOUT_BODY:
            try:
                await call.arrive()
            except UNSERVED as fault:
                await self._refuse(fault, scope, call.receive, send)
                return
        scope[SCOPE] = call.again
        await self._app(scope, call.receive, send)

    async def _refuse(self, fault: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        await self._pages.instead_of(refusal(fault), Request(scope))(scope, receive, send)


class _Incoming:
    """The receiving side of one call. The last piece of its body is handed on when it is its turn."""

    def __init__(self, receive: Receive, load: Load) -> None:
        self._receive, self._load = receive, load
        self._until: float | None = None
        self._timeout: asyncio.Timeout | None = None
        """Of the piece that is waited for."""
        self._first: Message | None = None
        self._left: asyncio.Future[Message] | None = None
        """Done when the client has left; once the body has arrived, there is nothing else to be received."""

    async def arrive(self) -> None:
        """Wait for the turn of a call without a body."""
        self._first = await self.receive()
        if self._first["type"] == "http.disconnect":
            raise ClientDisconnect

    async def receive(self) -> Message:
        """The next message for the application.

        :raises Overloaded: the body has arrived, and too many wait already.
        :raises BodyTooSlow: the body has not arrived in time.
        :raises ClientDisconnect: the client has left.
        """
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self._left is not None:
            return await asyncio.shield(self._left)
        message = await self._next()
        if message["type"] == "http.disconnect":
            self._load.note("left")
        elif not message.get("more_body", False):
            self._load.arriving.pop(self, None)
            self._left = asyncio.ensure_future(self._receive())
            await self._turn(self._left, begun=False)
        return message

    async def again(self) -> None:
        """Wait for another turn, where the call has waited for something else."""
        if self._left is not None:
            await self._turn(self._left, begun=True)

    @property
    def is_late(self) -> bool:
        """Whether an ordinary body would have arrived by now."""
        now = asyncio.get_running_loop().time()
        return self._until is not None and now > self._until - self._load.body_seconds + _PROMPT_SECONDS

    def give_up(self) -> None:
        """Make room for another call: the body is waited for no longer."""
        self._leave()
        self._until = 0.0
        if self._timeout is not None:
            self._timeout.reschedule(self._until)

    def _leave(self) -> None:
        self._load.held.discard(self)
        self._load.arriving.pop(self, None)

    def close(self) -> None:
        """Give its place back, and stop watching the client."""
        self._leave()
        if self._left is not None:
            self._left.cancel()

    async def _next(self) -> Message:
        if self._until is None:
            self._until = asyncio.get_running_loop().time() + self._load.body_seconds
            self._load.arriving[self] = None
        try:
            async with asyncio.timeout_at(self._until) as self._timeout:
                return await self._receive()
        except TimeoutError:
            self._load.note("slow_body")
            raise BodyTooSlow(f"the body took longer than {self._load.body_seconds:g} seconds to arrive") from None

    async def _turn(self, left: asyncio.Future[Message], *, begun: bool) -> None:
        try:
            await self._load.turns.take(left, begun=begun)
        except Overloaded as refused:
            self._load.note(refused.reason)
            raise
        except ClientDisconnect:
            self._load.note("left")
            raise
