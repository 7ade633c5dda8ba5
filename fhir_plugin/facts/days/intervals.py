"""Half-open intervals of days, as ordinals: joined, cut and counted without enumerating the days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

Interval: TypeAlias = tuple[int, int]


class AdequateRun(NamedTuple):
    """A run of adequate days, with the number of adequate days in it."""

    days: int
    start: int
    stop: int


NO_RUN = AdequateRun(0, 0, 0)


def best_run(intervals: Iterable[Interval], first: int, last: int, gap: int) -> AdequateRun:
    """The run with the most days in the window; it may span holes of up to ``gap`` days, which are not counted."""
    best = NO_RUN
    days = begun = ended = 0
    for start, stop in intervals:
        begin, end = max(start, first), min(stop, last)
        if begin >= end:
            continue
        if days and begin - ended <= gap:
            days += end - begin
        else:
            days, begun = end - begin, begin
        ended = end
        if days >= best.days:
            best = max(best, AdequateRun(days, begun, ended))
    return best


def joined(intervals: Iterable[Interval], gap: int) -> list[Interval]:
    """Sorted disjoint intervals with holes of up to ``gap`` days closed."""
    result: list[Interval] = []
    begun = ended = 0
    is_open = False
    for start, stop in intervals:
        if is_open and start - ended <= gap:
            ended = max(ended, stop)
            continue
        if is_open:
            result.append((begun, ended))
        begun, ended, is_open = start, stop, True
    if is_open:
        result.append((begun, ended))
    return result


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Sorted, disjoint, without empty ones."""
    return joined(sorted([i for i in intervals if i[1] > i[0]]), 0)


def overlap(first: Sequence[Interval], second: Sequence[Interval]) -> int:
    """How many days two sorted lists of disjoint intervals share."""
    if not first or not second or first[-1][1] <= second[0][0] or second[-1][1] <= first[0][0]:
        return 0
    return sum([stop - start for start, stop in intersection(first, second)])


def intersection(first: Sequence[Interval], second: Sequence[Interval]) -> list[Interval]:
    """The days that two sorted lists of disjoint intervals share, sorted."""
    shared: list[Interval] = []
    at = other = 0
    while at < len(first) and other < len(second):
        start, stop = first[at]
        begin, end = second[other]
        if start < end and begin < stop:
            shared.append((max(start, begin), min(stop, end)))
        if stop <= end:
            at += 1
        if end <= stop:
            other += 1
    return shared
