"""Days on one dose: summed where they overlap, and completed from weaker evidence where the better has gaps."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import msgspec
from msgspec.structs import replace

from fhir_plugin.facts.days.intervals import Interval, joined, union

ADEQUATE_RATIO = 1 - 1e-9
"""The least adequate ratio of dose to minimum, with a tolerance for rounding."""


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
    """Stretches that do not overlap, with the doses of overlapping ``pieces`` (sorted) summed."""
    flags.add("duplicate_sum")
    bounds = sorted({edge for piece in pieces for edge in (piece.start, piece.stop)})
    result: list[Stretch] = []
    active: list[Stretch] = []
    upcoming = 0
    for start, stop in pairwise(bounds):
        active = [piece for piece in active if piece.stop > start]
        while upcoming < len(pieces) and pieces[upcoming].start <= start:
            active.append(pieces[upcoming])
            upcoming += 1
        if active:
            ratio, mg = sum(piece.ratio for piece in active), sum(piece.mg for piece in active)
            result.append(Stretch(start, stop, ratio, mg, max(piece.minimum for piece in active)))
    return result


def overlaid(better: list[Stretch], worse: list[Stretch]) -> list[Stretch]:
    """The better evidence, and the worse on the days that the better does not cover."""
    if not better or not worse:
        return better or worse
    covered = joined([(stretch.start, stretch.stop) for stretch in better], 0)
    filled: list[Stretch] = []
    at = 0
    for stretch in worse:
        start = stretch.start
        while at < len(covered) and covered[at][1] <= start:
            at += 1
        ahead = at
        while ahead < len(covered) and covered[ahead][0] < stretch.stop:
            if covered[ahead][0] > start:
                filled.append(replace(stretch, start=start, stop=covered[ahead][0]))
            start = max(start, covered[ahead][1])
            ahead += 1
        if start < stretch.stop:
            filled.append(replace(stretch, start=start))
    return sorted([*better, *filled])
