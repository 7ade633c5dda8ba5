"""Replay files: one call with all the data behind its answer, and the resulting cards."""

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
    """One de-identified call."""

    format: Literal["tandem-replay-1"] = "tandem-replay-1"
    hook: str
    as_of: date
    """The day of the answer, shifted like every other date."""
    knowledge: str
    """Digest of the knowledge that produced the cards."""
    request: dict[str, Any]
    cards: tuple[dict[str, Any], ...]


def read_replay(content: bytes) -> Replay:
    """A replay file; :class:`BadInput` for anything else."""
    try:
        return msgspec.json.decode(content, type=Replay)
    except UNDECODABLE as fault:
        raise BadInput("this is not a replay file: the sandbox and the setting capture produce them") from fault


def write_replay(replay: Replay) -> bytes:
    """The content of a replay file."""
    return msgspec.json.format(msgspec.json.encode(replay), indent=1)


def comparable(cards: tuple[Card, ...]) -> tuple[dict[str, Any], ...]:
    """Cards without what differs between calls: identifiers and the digest of the knowledge."""
    return tuple(_without_per_call_members(msgspec.json.decode(msgspec.json.encode(card))) for card in cards)


def _without_per_call_members(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_per_call_members(value) for key, value in node.items() if key not in _PER_CALL_MEMBERS}
    if isinstance(node, list):
        return [_without_per_call_members(item) for item in node]
    return _DIGEST.sub("Knowledge (digest)", node) if isinstance(node, str) else node
