"""The numbers in the words of an order, by the patterns of ``mappings/order_checks/_reading.yaml``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mappings.schema.order_checks import OrderChecks
from mappings.schema.order_checks.model import MeasurePattern

_DECIMAL_COMMA = re.compile(r"0,\d+|\d+,\d{1,2}")
"""``0,5``; a comma before three digits groups thousands."""


class StatedRange(NamedTuple):
    """A range; a single number has equal ends."""

    low: float
    high: float

    def times(self, factor: float) -> StatedRange:
        """The range multiplied by a factor, as for another unit."""
        return StatedRange(self.low * factor, self.high * factor)

    def differs(self, other: StatedRange, percent: float) -> bool:
        """Whether an end differs from that of the other range by more than ``percent``."""
        pairs = ((self.low, other.low), (self.high, other.high))
        return any(abs(one - two) * 100 > percent * max(abs(one), abs(two)) for one, two in pairs)


class NumberedText(NamedTuple):
    """A text of an order, and where in it a number may begin."""

    text: str
    numbers: tuple[int, ...]


def order_text(text: str, knowledge: OrderChecks) -> NumberedText:
    """The text in lower case."""
    lower = text.lower()
    return NumberedText(lower, tuple([match.start() for match in knowledge.reading.number_starts.finditer(lower)]))


def stated(measure: str, texts: Iterable[NumberedText], knowledge: OrderChecks) -> tuple[StatedRange, ...]:
    """The distinct values of a measure in the texts."""
    values = [value for text in texts for value in _in_text(measure, text, knowledge)]
    return tuple(dict.fromkeys(values))


def _in_text(measure: str, text: NumberedText, knowledge: OrderChecks) -> Iterable[StatedRange]:
    """The values by the patterns in their order; text that an earlier pattern has matched is not matched again."""
    taken: list[tuple[int, int]] = []
    for pattern in knowledge.patterns[measure]:
        for match in matches(pattern, text):
            start, end = match.span()
            if any(start < last and first < end for first, last in taken):
                continue
            taken.append((start, end))
            if value := _value(match, knowledge.reading.measures[measure].units, knowledge):
                yield value


def matches(measure: MeasurePattern, text: NumberedText) -> Iterator[re.Match[str]]:
    """What ``finditer`` finds, looked for only where it can be."""
    if not measure.begins_with_number:
        return measure.pattern.finditer(text.text) if text.numbers or not measure.needs_number else iter(())
    return _at_numbers(measure.pattern, text)


def _at_numbers(pattern: re.Pattern[str], text: NumberedText) -> Iterator[re.Match[str]]:
    end = 0
    for start in text.numbers:
        if start >= end and (match := pattern.match(text.text, start)):
            end = match.end()
            yield match


def _value(match: re.Match[str], units: dict[str, float], knowledge: OrderChecks) -> StatedRange | None:
    groups = match.groupdict()
    low = _number(groups.get("low") or "1", knowledge)
    high = _number(groups.get("high") or groups.get("low") or "1", knowledge)
    factor = units.get(groups["unit"]) if groups.get("unit") else 1.0
    if low is None or high is None or factor is None or not 0 < low <= high:
        return None
    return StatedRange(low, high).times(factor)


def _number(text: str, knowledge: OrderChecks) -> float | None:
    if text in knowledge.reading.number_words:
        return knowledge.reading.number_words[text]
    try:
        return float(text.replace(",", "." if _DECIMAL_COMMA.fullmatch(text) else ""))
    except ValueError:
        return None
