"""The differences between two answers to one call, card by card. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import unified_diff
from typing import Any

CardJson = dict[str, Any]


def differences(before: Sequence[CardJson], after: Sequence[CardJson]) -> Iterator[str]:
    """Lines that describe what changed; none if the cards are equal. Cards are compared by position."""
    for place in range(max(len(before), len(after))):
        old = before[place] if place < len(before) else None
        new = after[place] if place < len(after) else None
        if old == new:
            continue
        yield f"card {place + 1}: {_change(old, new)}"
        yield from (f"    {line}" for line in _lines(old or {}, new or {}))


def _change(old: CardJson | None, new: CardJson | None) -> str:
    if new is None:
        return f"gone: {_headline(old)}"
    if old is None:
        return f"new: {_headline(new)}"
    return _headline(new) if _headline(old) == _headline(new) else f"{_headline(old)} -> {_headline(new)}"


def _headline(card: CardJson | None) -> str:
    return f"[{(card or {}).get('indicator', '')}] {(card or {}).get('summary', '')}"


def _lines(old: CardJson, new: CardJson) -> Iterator[str]:
    """Changed lines of the detail, and the names of other changed members."""
    changed = unified_diff(_text(old), _text(new), lineterm="", n=0)
    yield from (line for line in changed if not line.startswith(("---", "+++", "@@")))
    for name in sorted({*old, *new} - {"detail", "summary", "indicator"}):
        if old.get(name) != new.get(name):
            yield f"{name} changed"


def _text(card: CardJson) -> list[str]:
    return str(card.get("detail", "")).splitlines()
