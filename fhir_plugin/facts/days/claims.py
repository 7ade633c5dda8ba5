"""The most adequate days that any subset of the records of one ingredient could show.

1. Every grade of evidence is taken by itself, as if the better ones were missing.
2. Records with the same key (strength, formulation, dose, times of day) form a line, at their highest dose. An early
   refill is moved by the supply that is left, at most ``carry`` days.
3. Lines with records that start within ``together`` days of each other may be taken together; their doses are summed.
4. The claimed days are the union over all grades and groups of lines. So they only grow when a record is added.

Example, sertraline 25 mg (minimum 50 mg): 1 tablet daily dispensed on 2026-01-01 and 1 tablet at bedtime on
2026-01-05, 30 days of supply each. The second supersedes the first, so no day counts as adequate; but the two could
also have been taken together, so the 26 days from 2026-01-05 to 2026-01-31, on 50 mg, are claimed.
"""

from __future__ import annotations

from fhir_plugin.facts.days.intervals import Interval, union
from fhir_plugin.facts.days.stretches import ADEQUATE_RATIO, Stretch, adequate_intervals, summed
from fhir_plugin.facts.medications.exposures import Exposure
from fhir_plugin.facts.medications.supply import DISPENSED, ORDERED


def claimed_days(exposures: list[Exposure], together: int, carry: int) -> list[Interval]:
    """The days that some subset of ``exposures`` (dated, dose and minimum known) could show as adequate."""
    claimed: list[Interval] = []
    for grade in range(DISPENSED, ORDERED + 1):
        graded = [e for e in exposures if e.window.grade == grade]
        lines = _lines(graded, carry)
        for group in _groups(graded, together):
            if len(group) == 1:
                intervals, ratio = lines[group[0]]
                claimed += intervals if ratio >= ADEQUATE_RATIO else ()
            else:
                claimed += _adequate_together([lines[key] for key in group])
    return union(claimed)


def _lines(exposures: list[Exposure], carry: int) -> dict[tuple[object, ...], tuple[list[Interval], float]]:
    lines: dict[tuple[object, ...], tuple[list[Interval], float]] = {}
    last: dict[tuple[object, ...], int] = {}
    for e in exposures:
        start, stop = e.window.start or 0, e.window.claimed
        minimum = e.prescription.minimum.mg_per_day if e.prescription.minimum else 0.0
        intervals, _ = lines.setdefault(e.prescription.key, ([], e.prescription.highest / minimum))
        if intervals and e.window.kind == "dispensed" and start > last[e.prescription.key]:
            surplus = min(max(intervals[-1][1] - start, 0), carry)
            start, stop = start + surplus, stop + surplus
        last[e.prescription.key] = e.window.start or 0
        intervals.append((start, stop))
    return lines


def _groups(exposures: list[Exposure], together: int) -> list[list[tuple[object, ...]]]:
    """Keys that may be taken together: those with records that start within ``together`` days of each other."""
    member: dict[tuple[object, ...], list[tuple[object, ...]]] = {}
    before: tuple[object, ...] = ()
    began = 0
    for e in exposures:
        key, start = e.prescription.key, e.window.start or 0
        own = member.setdefault(key, [key])
        other = member.get(before, own)
        if start - began <= together and other is not own:
            # The larger group stays: else it is moved again for each key that joins it.
            small, large = sorted((own, other), key=len)
            large += small
            for moved in small:
                member[moved] = large
        before, began = key, start
    return list({id(group): group for group in member.values()}.values())


def _adequate_together(lines: list[tuple[list[Interval], float]]) -> list[Interval]:
    pieces = sorted(
        Stretch(start, stop, ratio, 0.0, 0.0) for intervals, ratio in lines for start, stop in union(intervals)
    )
    return adequate_intervals(summed(pieces, set()))
