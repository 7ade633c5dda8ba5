"""The numbers that the words of an order state, by the patterns of ``mappings/order_checks/_reading.yaml``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from mappings.schema.order_checks import OrderChecks

_DECIMAL_COMMA = re.compile(r"0,\d+|\d+,\d{1,2}")
"""``0,5``; a comma before three digits groups thousands."""


class StatedRange(NamedTuple):
    """A number, or two between which it lies."""

    low: float
    high: float

    def times(self, factor: float) -> StatedRange:
        """In another unit."""
        return StatedRange(self.low * factor, self.high * factor)

    def differs(self, other: StatedRange, percent: float) -> bool:
        """Whether an end of it lies further from that of another than so many percent."""
        pairs = ((self.low, other.low), (self.high, other.high))
        return any(abs(one - two) * 100 > percent * max(abs(one), abs(two)) for one, two in pairs)


def stated(measure: str, texts: Iterable[str], knowledge: OrderChecks) -> tuple[StatedRange, ...]:
    """Every value of a measure that the texts state, each once."""
    found = (value for text in texts for value in _in_text(measure, text.lower(), knowledge))
    return tuple(dict.fromkeys(found))


def _in_text(measure: str, text: str, knowledge: OrderChecks) -> Iterable[StatedRange]:
    """Patterns in their order; what an earlier one has read is not read again."""
    taken: list[tuple[int, int]] = []
    for pattern in knowledge.patterns[measure]:
        for match in pattern.finditer(text):
            start, end = match.span()
            if any(start < last and first < end for first, last in taken):
                continue
            taken.append((start, end))
            if value := _value(match, knowledge.reading.measures[measure].units, knowledge):
                yield value


def _value(match: re.Match[str], units: dict[str, float], knowledge: OrderChecks) -> StatedRange | None:
    said = match.groupdict()
    low = _number(said.get("low") or "1", knowledge)
    high = _number(said.get("high") or said.get("low") or "1", knowledge)
    factor = units.get(said["unit"]) if said.get("unit") else 1.0
    if low is None or high is None or factor is None or not 0 < low <= high:
        return None
    return StatedRange(low, high).times(factor)


def _number(text: str, knowledge: OrderChecks) -> float | None:
    if text in knowledge.reading.numbers:
        return knowledge.reading.numbers[text]
    try:
        return float(text.replace(",", "." if _DECIMAL_COMMA.fullmatch(text) else ""))
    except ValueError:
        return None
