"""Days on one dose: added up where they lie side by side, filled in where the better evidence leaves them open."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import msgspec
from msgspec.structs import replace

from fhir_plugin.facts.days.intervals import Interval, joined, union

ADEQUATE_RATIO = 1 - 1e-9
"""Ratio of dose to minimum that is adequate, after rounding."""


class Stretch(msgspec.Struct, frozen=True, order=True, gc=False):
    """Days on one dose."""

    start: int
    stop: int
    ratio: float
    """Dose over minimum, summed over what is taken together."""
    mg: float
    minimum: float


def adequate_intervals(stretches: Iterable[Stretch]) -> list[Interval]:
    """The intervals at or above the minimum."""
    return union([(stretch.start, stretch.stop) for stretch in stretches if stretch.ratio >= ADEQUATE_RATIO])


def summed(pieces: list[Stretch], flags: set[str]) -> list[Stretch]:
    """Overlapping stretches added up, boundary by boundary."""
    flags.add("duplicate_sum")
    bounds = sorted({edge for piece in pieces for edge in (piece.start, piece.stop)})
    result: list[Stretch] = []
    live: list[Stretch] = []
    coming = 0
    for start, stop in pairwise(bounds):
        live = [piece for piece in live if piece.stop > start]
        while coming < len(pieces) and pieces[coming].start <= start:
            live.append(pieces[coming])
            coming += 1
        if live:
            ratio, mg = sum(piece.ratio for piece in live), sum(piece.mg for piece in live)
            result.append(Stretch(start, stop, ratio, mg, max(piece.minimum for piece in live)))
    return result


def overlaid(better: list[Stretch], worse: list[Stretch]) -> list[Stretch]:
    """The better evidence, and the worse on the days that the better leaves open."""
    if not better or not worse:
        return better or worse
    taken = joined([(stretch.start, stretch.stop) for stretch in better], 0)
    filled: list[Stretch] = []
    at = 0
    for stretch in worse:
        start = stretch.start
        while at < len(taken) and taken[at][1] <= start:
            at += 1
        ahead = at
        while ahead < len(taken) and taken[ahead][0] < stretch.stop:
            if taken[ahead][0] > start:
                filled.append(replace(stretch, start=start, stop=taken[ahead][0]))
            start = max(start, taken[ahead][1])
            ahead += 1
        if start < stretch.stop:
            filled.append(replace(stretch, start=start))
    return sorted([*better, *filled])
