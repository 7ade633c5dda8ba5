"""The days of one ingredient: which dose on which day, by the best evidence, and the runs of adequate days.

Days are half-open intervals of ordinals, never a table of days, so that ten years cost what ten weeks cost.

Three maps are kept. ``counted`` is what the best evidence shows. ``claimed`` is the most that any choice among the
records with a known dose could show: it only grows when a record is added. ``possible`` adds every gap filled
favourably. A run is *met* on the counted days; *unknown* only where neither counted nor claimed days suffice and the
possible ones do. So taking a record away can never turn unknown into met.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from msgspec.structs import replace

from fhir_plugin.facts.medications.exposures import Exposure, Prescription
from fhir_plugin.facts.medications.supply import DISPENSED, ORDERED
from mappings.medications import Medications

Interval: TypeAlias = tuple[int, int]

_ENOUGH = 1 - 1e-9
"""Ratio of dose to minimum that is adequate, after rounding."""


class Stretch(NamedTuple):
    """Days on one dose."""

    start: int
    stop: int
    ratio: float
    """Dose over minimum, summed over what is taken together."""
    mg: float
    minimum: float


class Run(NamedTuple):
    """The best run of adequate days."""

    days: int
    start: int
    stop: int


NO_RUN = Run(0, 0, 0)


class DayMap(NamedTuple):
    """The days of one ingredient; what is rarely asked for is worked out on demand."""

    counted: tuple[Stretch, ...]
    covered: tuple[Interval, ...]
    """Days with the drug at hand at any dose, known or not."""
    flags: tuple[str, ...]
    dated: tuple[Exposure, ...]
    undated: tuple[Exposure, ...]
    together: int
    carry: int

    def claimed(self) -> list[Interval]:
        """Days that some choice among the records could show as adequate; grows with every record."""
        return _claimed([e for e in self.dated if e.prescription.known], self.together, self.carry)

    def possible(self) -> list[Interval]:
        """Days that would be adequate if every gap in the record were filled favourably."""
        open_days = [
            (e.window.earliest if e.window.start is not None else 0, e.window.possible)
            for e in (*self.dated, *self.undated)
            if not e.prescription.known or _adequate_once(e.prescription)
        ]
        return union([*open_days, *self.claimed()])


def map_days(exposures: Sequence[Exposure], known: Medications) -> DayMap:
    """The day map of one ingredient; the order of ``exposures`` does not matter."""
    parameters = known.parameters
    carry = int(parameters["carry_over_days"].value)
    together = int(parameters["concurrent_start_days"].value)
    dated = _settle_stops(sorted([e for e in exposures if e.counted and e.window.start is not None], key=_by_start))
    flags = {flag for e in dated if e.window.open_stop for flag in e.flags}
    counted = _counted([e for e in dated if e.prescription.known], together, carry, flags)
    days = [(stretch.start, stretch.stop) for stretch in counted if stretch.mg]
    days += [_interval(e) for e in dated if not e.prescription.known]
    undated = tuple(e for e in exposures if e.counted and e.window.start is None)
    return DayMap(counted, tuple(union(days)), tuple(sorted(flags)), tuple(dated), undated, together, carry)


def adequate(stretches: Iterable[Stretch]) -> list[Interval]:
    """The intervals at or above the minimum."""
    return union((stretch.start, stretch.stop) for stretch in stretches if stretch.ratio >= _ENOUGH)


def best_run(intervals: Iterable[Interval], first: int, last: int, gap: int) -> Run:
    """The run with the most days in the window; holes of up to ``gap`` days join, and are not counted."""
    best = run = NO_RUN
    for start, stop in intervals:
        begin, end = max(start, first), min(stop, last)
        if begin >= end:
            continue
        if run.days and begin - run.stop <= gap:
            run = Run(run.days + end - begin, run.start, end)
        else:
            run = Run(end - begin, begin, end)
        best = max(best, run)
    return best


def joined(intervals: Iterable[Interval], gap: int) -> list[Interval]:
    """Sorted disjoint intervals with holes of up to ``gap`` days closed."""
    result: list[Interval] = []
    held: Interval | None = None
    for interval in intervals:
        if held is None:
            held = interval
        elif interval[0] - held[1] > gap:
            result.append(held)
            held = interval
        elif interval[1] > held[1]:
            held = (held[0], interval[1])
    return [*result, held] if held else result


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Sorted, disjoint, without empty ones."""
    return joined(sorted([i for i in intervals if i[1] > i[0]]), 0)


def _by_start(exposure: Exposure) -> tuple[int, int, str, float, str]:
    window = exposure.window
    return (window.start or 0, window.stop, window.kind, exposure.prescription.highest, exposure.reference)


def _adequate_once(prescription: Prescription) -> bool:
    minimum = prescription.minimum
    return minimum is not None and prescription.highest >= minimum.mg_per_day * _ENOUGH


def _interval(exposure: Exposure) -> Interval:
    return exposure.window.start or 0, exposure.window.stop


# days of stopping that no record gives


def _settle_stops(exposures: list[Exposure]) -> list[Exposure]:
    """Orders stopped on an unknown day end at the next different order, else at their last change, else at once."""
    if not any(exposure.window.open_stop for exposure in exposures):
        return exposures
    orders = [e for e in exposures if e.window.grade == ORDERED]
    starts = [e.window.start or 0 for e in orders]
    following = _next_different(orders, starts)
    latest = _last_different(orders, starts)
    settled = {
        id(e): _settled(e, starts[at], following[at], latest[at]) for at, e in enumerate(orders) if e.window.open_stop
    }
    return [settled.get(id(e), e) for e in exposures]


def _next_different(orders: list[Exposure], starts: list[int]) -> list[int | None]:
    """For each order the start of the next one that differs, on a later day."""
    result: list[int | None] = [None] * len(orders)
    for at in range(len(orders) - 2, -1, -1):
        later = at + 1
        differs = orders[later].prescription.key != orders[at].prescription.key and starts[later] > starts[at]
        result[at] = starts[later] if differs else result[later]
        if result[at] is not None and result[at] == starts[at]:
            result[at] = None
    return result


def _last_different(orders: list[Exposure], starts: list[int]) -> list[int]:
    """For each order the start of the last one that differs within its planned days, else its own start.

    Whatever other record is taken away, the order cannot be settled to end later than that.
    """
    differing: list[int] = []
    for at in range(len(orders)):
        same = at > 0 and orders[at].prescription.key == orders[at - 1].prescription.key
        differing.append(differing[at - 1] if same else at - 1)
    result: list[int] = []
    for at, order in enumerate(orders):
        last = bisect_left(starts, order.window.stop) - 1
        if orders[last].prescription.key == order.prescription.key:
            last = differing[last]
        result.append(max(starts[at], starts[last]) if last >= 0 else starts[at])
    return result


def _settled(order: Exposure, start: int, following: int | None, latest: int) -> Exposure:
    window = order.window
    planned, updated = window.stop, window.updated
    changed = updated if updated is not None and start < updated < planned else None
    claimed = max(changed or start, start, latest)
    if following is not None and following < planned and "on_hold" not in window.flags:
        stop, flag = following, ""
    elif changed is not None:
        stop, flag = changed, "stop_uncertain"
    else:
        stop, flag = start, ""
    flags = (*order.flags, flag) if flag else order.flags
    possible = changed or window.possible
    settled = replace(window, stop=stop, claimed=max(claimed, stop), possible=max(possible, stop))
    return replace(order, window=settled, flags=flags)


# counted days


class _Span:
    """Days of one record inside a regimen, while later records may still cut it short."""

    __slots__ = ("exposure", "start", "stop")

    def __init__(self, exposure: Exposure, start: int, stop: int) -> None:
        self.exposure = exposure
        self.start = start
        self.stop = stop


def _counted(exposures: list[Exposure], together: int, carry: int, flags: set[str]) -> tuple[Stretch, ...]:
    displaced = _displaced(exposures)
    result: list[Stretch] = []
    for grade in range(DISPENSED, ORDERED + 1):
        graded = [e for e in exposures if e.window.grade == grade and e.reference not in displaced]
        if graded:
            result = _overlay(result, _sum(_regimen(graded, together, carry), flags))
    return tuple(result)


def _displaced(exposures: list[Exposure]) -> frozenset[str]:
    """Orders that were dispensed: what was handed over replaces what the order would have allowed."""
    dispenses = [e for e in exposures if e.window.grade == DISPENSED]
    if not dispenses:
        return frozenset()
    starts = sorted(e.window.start or 0 for e in dispenses)
    authorized = {reference for e in dispenses for reference in e.authorized_by}
    found = set()
    for e in exposures:
        if e.window.grade == ORDERED:
            at = bisect_left(starts, e.window.start or 0)
            if e.reference in authorized or (at < len(starts) and starts[at] < e.window.possible):
                found.add(e.reference)
    return frozenset(found)


def _regimen(exposures: list[Exposure], together: int, carry: int) -> list[_Span]:
    """What is taken when: renewals follow, concurrent strengths stand side by side, anything else supersedes."""
    spans: list[_Span] = []
    active: dict[tuple[object, ...], tuple[_Span, int]] = {}
    for exposure in exposures:
        start, stop = _interval(exposure)
        key = exposure.prescription.key
        held = active.get(key)
        if held is not None:
            span = _renewal(held, exposure, start, stop, carry)
        else:
            span = _Span(exposure, start, stop)
            active = {other: line for other, line in active.items() if _stays(line, exposure, start, together)}
        active[key] = (span, start)
        spans.append(span)
    return spans


def _renewal(held: tuple[_Span, int], exposure: Exposure, start: int, stop: int, carry: int) -> _Span:
    before, before_start = held
    surplus = 0
    if exposure.window.kind == "dispensed" and start > before_start:
        surplus = min(max(before.stop - start, 0), carry)
    before.stop = min(before.stop, start + surplus)
    return _Span(exposure, start + surplus, stop + surplus)


def _stays(line: tuple[_Span, int], exposure: Exposure, start: int, together: int) -> bool:
    """Whether a line goes on beside a new one; a line that does not is cut at the start of the new one."""
    span, began = line
    if start - began <= together and _side_by_side(span.exposure, exposure):
        return True
    span.stop = min(span.stop, start)
    return False


def _side_by_side(first: Exposure, second: Exposure) -> bool:
    """Different strengths, or different moments of the day."""
    strength, _, _, moments = first.prescription.key
    other_strength, _, _, other_moments = second.prescription.key
    if strength is not None and other_strength is not None and strength != other_strength:
        return True
    return bool(moments) and bool(other_moments) and moments != other_moments


def _sum(spans: list[_Span], flags: set[str]) -> list[Stretch]:
    """Stretches of one evidence grade, concurrent ones added up."""
    pieces = sorted([piece for span in spans for piece in _pieces(span)])
    for piece, following in pairwise(pieces):
        if piece.stop > following.start:
            return _swept(pieces, flags)
    return pieces


def _pieces(span: _Span) -> list[Stretch]:
    _, _, doses, length, stated, *_ = span.exposure.prescription
    minimum = stated.mg_per_day if stated else 0.0
    end = span.stop if length is None else min(span.stop, span.start + length)
    if len(doses) == 1 and not doses[0].offset:
        mg = doses[0].mg or 0.0
        return [Stretch(span.start, end, mg / minimum, mg, minimum)] if end > span.start else []
    result = []
    for at, dose in enumerate(doses):
        start = span.start + dose.offset
        stop = min(end, span.start + doses[at + 1].offset) if at + 1 < len(doses) else end
        if stop > start:
            mg = dose.mg or 0.0
            result.append(Stretch(start, stop, mg / minimum, mg, minimum))
    return result


def _swept(pieces: list[Stretch], flags: set[str]) -> list[Stretch]:
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


def _overlay(better: list[Stretch], worse: list[Stretch]) -> list[Stretch]:
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
                filled.append(stretch._replace(start=start, stop=taken[ahead][0]))
            start = max(start, taken[ahead][1])
            ahead += 1
        if start < stretch.stop:
            filled.append(stretch._replace(start=start))
    return sorted([*better, *filled])


# claimed days


def _claimed(exposures: list[Exposure], together: int, carry: int) -> list[Interval]:
    found: list[Interval] = []
    for grade in range(DISPENSED, ORDERED + 1):
        graded = [e for e in exposures if e.window.grade == grade]
        lines = _lines(graded, carry)
        for group in _groups(graded, together):
            if len(group) == 1:
                intervals, ratio = lines[group[0]]
                found += intervals if ratio >= _ENOUGH else ()
            else:
                found += _adequate_together([lines[key] for key in group])
    return union(found)


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
    """Keys that may be taken together: those with records that start within a few days of each other."""
    member: dict[tuple[object, ...], list[tuple[object, ...]]] = {}
    before: tuple[object, ...] = ()
    began = 0
    for e in exposures:
        key, start = e.prescription.key, e.window.start or 0
        own = member.setdefault(key, [key])
        other = member.get(before, own)
        if start - began <= together and other is not own:
            other += own
            for moved in own:
                member[moved] = other
        before, began = key, start
    return list({id(group): group for group in member.values()}.values())


def _adequate_together(lines: list[tuple[list[Interval], float]]) -> list[Interval]:
    pieces = sorted(
        Stretch(start, stop, ratio, 0.0, 0.0) for intervals, ratio in lines for start, stop in union(intervals)
    )
    return adequate(_swept(pieces, set()))
