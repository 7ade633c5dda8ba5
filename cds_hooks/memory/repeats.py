"""An order-select answer that is the same to the letter is the same card, not one more.

EHRs call order-select on every change of a draft. The answer is given each time, because a client may show only the
last one; but within a moment it bears the identifiers of the first, so that it is shown, counted and answered once.
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
    """Identifiers of the answers of the last moments; of what they said only a keyed hash, in memory alone."""

    def __init__(self, milliseconds: int) -> None:
        self._milliseconds = milliseconds
        self._keyed = KeyedHash(secrets.token_bytes())
        self._answers: dict[str, tuple[int, _Identities]] = {}

    def same(self, asked: Sequence[str], cards: tuple[Card, ...], now: int) -> tuple[Card, ...] | None:
        """The cards with the identifiers that they had before; ``None`` where this is their first time.

        ``asked`` is who asks what of whom: tenant, service, server, user, patient. ``now`` is in milliseconds.
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
