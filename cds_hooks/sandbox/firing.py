"""One call: the request, the response, and its trace."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.types import ASGIApp, Scope

from cds_hooks.protocol.trace import SCOPE, Trace
from cds_hooks.sandbox.building import BuiltRequest
from cds_hooks.sandbox.form import SandboxForm
from cds_hooks.web.cards import ShownCard, read_cards
from cds_hooks.web.own_call import Reply, post
from fhir_plugin.record import lenient
from fhir_plugin.record.datatypes import UNDECODABLE

_OK = 200
_LONGEST_SHOWN = 200_000
"""Maximum number of characters shown of a request or response; the rest is in the file."""
_LONGEST_ARGUMENT = 100_000
"""Maximum size in bytes of a request as one shell argument."""
_HIDDEN = "ACCESS-TOKEN"


@dataclass(frozen=True, slots=True)
class CallResult:
    """The result of one call."""

    built: BuiltRequest
    reply: Reply
    trace: Trace
    milliseconds: float
    """Duration of the whole call as seen by the EHR."""

    @property
    def ok(self) -> bool:
        """Whether the call was answered with cards, possibly none."""
        return self.reply.status == _OK

    @property
    def cards(self) -> tuple[ShownCard, ...]:
        """The cards of the answer."""
        return read_cards(self.reply.body) if self.ok else ()

    @property
    def faults(self) -> list[str]:
        """The diagnostics of an error response; empty if there were cards."""
        if self.ok:
            return []
        outcome = lenient.read(self.reply.body, _Outcome) or _Outcome()
        return [issue.diagnostics for issue in outcome.issue if issue.diagnostics] or [
            "the response gives no further reason"
        ]

    @property
    def request_shown(self) -> str:
        """The request, indented, with its access token hidden."""
        return _pretty(msgspec.json.encode(_without_token(self.built.request)))

    @property
    def response_shown(self) -> str:
        """The response, indented."""
        return _pretty(self.reply.body) if self.reply.body else "(no body)"

    def curl(self, address: str) -> str:
        """The call as a curl command, with a placeholder for the access token; a long request is read from a file."""
        body = msgspec.json.encode(_without_token(self.built.request))
        data = shlex.quote(body.decode()) if len(body) <= _LONGEST_ARGUMENT else "@request.json"
        return f"curl -s {shlex.quote(address)} -H 'Content-Type: application/json' -d {data}"


class _Issue(msgspec.Struct):
    diagnostics: str = ""


class _Outcome(msgspec.Struct):
    issue: tuple[_Issue, ...] = ()


async def fire(app: ASGIApp, scope: Scope, built: BuiltRequest, form: SandboxForm) -> CallResult:
    """Send the request to the application's own endpoint, through all of its middleware."""
    trace = Trace(as_of=form.day)
    body = msgspec.json.encode(built.request)
    start = trace.clock()
    reply = await post(app, scope, f"/cds-services/{built.service.id}", body, {SCOPE: trace})
    return CallResult(built, reply, trace, (trace.clock() - start) * 1000)


def _without_token(request: dict[str, Any]) -> dict[str, Any]:
    authorization = request.get("fhirAuthorization")
    hidden = {**authorization, "access_token": _HIDDEN} if isinstance(authorization, dict) else None
    return {**request, "fhirAuthorization": hidden} if hidden else request


def _pretty(body: bytes) -> str:
    try:
        text = msgspec.json.format(body, indent=2).decode()
    except UNDECODABLE:
        text = body.decode(errors="replace")
    more = len(text) - _LONGEST_SHOWN
    return text if more <= 0 else f"{text[:_LONGEST_SHOWN]}\n... and {more} more characters"
