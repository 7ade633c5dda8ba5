"""Feedback on the wire (CDS Hooks 2.0.1, "Feedback"): parsed leniently, then validated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal, cast

import msgspec

from cds_hooks.protocol.errors import BadRequest
from cds_hooks.protocol.requests import RequestMessage, decode

MOST_ITEMS = 100
"""Maximum per request."""

Outcome = Literal["accepted", "overridden"]

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_OUTCOMES = ("accepted", "overridden")


class AcceptedSuggestion(RequestMessage, frozen=True):
    """One accepted suggestion."""

    id: str


class ReasonCoding(RequestMessage, frozen=True):
    """A Coding; the public sandbox leaves out ``system``."""

    code: str = ""
    system: str = ""


class OverrideReason(RequestMessage, frozen=True):
    """Why a card was overridden; drafts of CDS Hooks 1.1 had ``code`` and ``system`` directly in this object."""

    reason: ReasonCoding | None = None
    user_comment: str | None = None
    code: str = ""
    system: str = ""


class _Item(RequestMessage, frozen=True):
    card: str
    outcome: str
    outcome_timestamp: str
    accepted_suggestions: tuple[AcceptedSuggestion, ...] | None = None
    override_reason: OverrideReason | None = None


class _Body(RequestMessage, frozen=True):
    feedback: tuple[_Item, ...]


class FeedbackItem(msgspec.Struct, frozen=True):
    """The feedback on one card."""

    card: str
    outcome: Outcome
    outcome_at: int
    """Milliseconds since 1970."""
    accepted: tuple[str, ...] = ()
    """Uuids of suggestions."""
    reason: ReasonCoding | None = None
    comment: str = ""


_BODY = msgspec.json.Decoder(_Body)


def read_feedback(body: bytes) -> tuple[FeedbackItem, ...]:
    """The items of one request.

    :raises BadRequest: with the JSON pointer of what is missing or of the wrong type.
    """
    items = decode(_BODY, body, "").feedback
    if len(items) > MOST_ITEMS:
        raise BadRequest("/feedback", f"holds more than {MOST_ITEMS} items")
    return tuple(_checked(items))


def _checked(items: tuple[_Item, ...]) -> Iterator[FeedbackItem]:
    for place, item in enumerate(items):
        at = f"/feedback/{place}"
        if not item.card:
            raise BadRequest(f"{at}/card", "is empty")
        if item.outcome not in _OUTCOMES:
            raise BadRequest(f"{at}/outcome", "must be accepted or overridden")
        if item.outcome == "accepted" and item.accepted_suggestions is None:
            raise BadRequest(f"{at}/acceptedSuggestions", "required by the outcome accepted", "missing")
        override = item.override_reason or OverrideReason()
        yield FeedbackItem(
            card=item.card,
            outcome=cast("Outcome", item.outcome),
            outcome_at=_milliseconds(item.outcome_timestamp, f"{at}/outcomeTimestamp"),
            accepted=tuple(suggestion.id for suggestion in item.accepted_suggestions or ()),
            reason=override.reason or (ReasonCoding(override.code, override.system) if override.code else None),
            comment=override.user_comment or "",
        )


def _milliseconds(moment: str, pointer: str) -> int:
    """An RFC 3339 date and time with its offset, ``T`` and ``Z`` in either case."""
    text = moment.upper()
    try:
        if _MOMENT.fullmatch(text):
            return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        pass
    raise BadRequest(pointer, "must be a date and time with an offset (RFC 3339)")
