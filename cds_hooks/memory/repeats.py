"""An identical order-select answer is a repetition, not a new set of cards.

EHRs call order-select on every change of a draft. Every call is answered, because a client may show only the last
answer; but an identical answer within a short time carries the identifiers of the first, so that its cards are
recorded, counted and given feedback once.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from cds_hooks.memory.keys import KeyedHash
from cds_hooks.protocol.responses import Card

MOST_REMEMBERED = 5_000
_ENCODER = msgspec.json.Encoder()
_Identities = tuple[tuple[str, ...], ...]


class Repeats:
    """Card identifiers of recent answers; of their content only a keyed hash, in memory only."""

    def __init__(self, milliseconds: int) -> None:
        self._milliseconds = milliseconds
        self._keyed = KeyedHash(secrets.token_bytes())
        self._answers: dict[str, tuple[int, _Identities]] = {}

    def same(self, asked: Sequence[str], cards: tuple[Card, ...], now: int) -> tuple[Card, ...] | None:
        """The cards with their earlier identifiers; ``None`` if they are new.

        ``asked`` identifies the call: tenant, service, server, user, patient. ``now`` is in milliseconds.
        """
        key = self._keyed.of(*asked, _ENCODER.encode([_without_identifiers(card) for card in cards]))
        at, identities = self._answers.get(key, (0, ()))
        if now - at < self._milliseconds and identities:
            return tuple(_with_identifiers(card, names) for card, names in zip(cards, identities, strict=True))
        self._answers.pop(key, None)
        self._answers[key] = (
            now,
            tuple((card.uuid, *(suggestion.uuid for suggestion in card.suggestions)) for card in cards),
        )
        if len(self._answers) > MOST_REMEMBERED:
            del self._answers[next(iter(self._answers))]
        return None


def _without_identifiers(card: Card) -> Card:
    return _with_identifiers(card, ("",) * (1 + len(card.suggestions)))


def _with_identifiers(card: Card, names: tuple[str, ...]) -> Card:
    offered = zip(card.suggestions, names[1:], strict=True)
    return replace(
        card, uuid=names[0], suggestions=tuple(replace(suggestion, uuid=name) for suggestion, name in offered)
    )
