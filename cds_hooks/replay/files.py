"""Replay files: one call each, with everything that its answer rests on and the cards that it got."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Literal

import msgspec

from cds_hooks.protocol.responses import Card
from fhir_plugin.errors import BadInput
from fhir_plugin.record.datatypes import UNDECODABLE

_DIGEST = re.compile(r"\bKnowledge [0-9a-f]{12}\b")
_PER_CALL_MEMBERS = frozenset({"uuid"})


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """One call, without whom it was about."""

    format: Literal["tandem-replay-1"] = "tandem-replay-1"
    hook: str
    as_of: date
    """The day that was answered for, moved like every other date."""
    knowledge: str
    """Digest of the knowledge that gave the cards."""
    request: dict[str, Any]
    cards: tuple[dict[str, Any], ...]


def read_replay(content: bytes) -> Replay:
    """A replay file; :class:`BadInput` for anything else."""
    try:
        return msgspec.json.decode(content, type=Replay)
    except UNDECODABLE as fault:
        raise BadInput("this is no replay file: the sandbox saves them, and the setting capture keeps them") from fault


def write_replay(replay: Replay) -> bytes:
    """The file of a call."""
    return msgspec.json.format(msgspec.json.encode(replay), indent=1)


def comparable(cards: tuple[Card, ...]) -> tuple[dict[str, Any], ...]:
    """Cards without what differs from call to call: identifiers, and the digest of the knowledge."""
    return tuple(_without_per_call_members(msgspec.json.decode(msgspec.json.encode(card))) for card in cards)


def _without_per_call_members(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_per_call_members(value) for key, value in node.items() if key not in _PER_CALL_MEMBERS}
    if isinstance(node, list):
        return [_without_per_call_members(item) for item in node]
    return _DIGEST.sub("Knowledge (digest)", node) if isinstance(node, str) else node
