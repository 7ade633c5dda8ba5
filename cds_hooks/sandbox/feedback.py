"""Feedback according to CDS Hooks 2.0: the outcome of a card, POSTed to the service that returned it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from starlette.types import ASGIApp, Scope

from cds_hooks.sandbox.form import SandboxForm
from cds_hooks.web.cards import ShownCard, ShownSuggestion
from cds_hooks.web.own_call import post
from fhir_plugin.record import lenient

_MOST = 10


class FeedbackExchange(msgspec.Struct, frozen=True):
    """One feedback message and the response to it."""

    sent: dict[str, Any]
    status: int
    response: str


def accepted(card: ShownCard, suggestion: ShownSuggestion, moment: datetime) -> dict[str, Any]:
    """The message for an accepted suggestion."""
    return _feedback(card, moment, outcome="accepted", acceptedSuggestions=[{"id": suggestion.uuid}])


def overridden(card: ShownCard, code: str, comment: str, moment: datetime) -> dict[str, Any]:
    """The message for an overridden card, with a listed reason, a comment, or neither."""
    reason = next((reason for reason in card.override_reasons if reason.code == code), None)
    override: dict[str, Any] = {"reason": {"code": reason.code, "system": reason.system}} if reason else {}
    if comment:
        override["userComment"] = comment
    return _feedback(card, moment, outcome="overridden", **({"overrideReason": override} if override else {}))


async def send(app: ASGIApp, scope: Scope, form: SandboxForm, message: dict[str, Any]) -> FeedbackExchange:
    """POST the message to the feedback endpoint of the service named in the form."""
    path = f"/cds-services/{form.service}/feedback"
    reply = await post(app, scope, path, msgspec.json.encode(message))
    return FeedbackExchange(message, reply.status, reply.body.decode(errors="replace")[:500])


def read_exchanges(text: str) -> list[FeedbackExchange]:
    """The exchanges in a form field; empty if it was tampered with."""
    return lenient.read(text, list[FeedbackExchange]) or []


def write_exchanges(exchanges: list[FeedbackExchange]) -> str:
    """The latest exchanges, for the form field."""
    return msgspec.json.encode(exchanges[-_MOST:]).decode()


def read_reasons(text: str) -> dict[str, str]:
    """Override reasons by card summary from a form field; empty if it was tampered with."""
    return lenient.read(text, dict[str, str]) or {}


def _feedback(card: ShownCard, moment: datetime, **members: Any) -> dict[str, Any]:
    when = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"feedback": [{"card": card.uuid, **members, "outcomeTimestamp": when}]}
