"""The days of one ingredient: which dose on which day, by the best evidence, and the days at an adequate dose.

Three maps of days are kept, as half-open intervals:

1. ``counted`` is what the best evidence shows. Dispenses and administrations come first; statements fill the days that
   these leave open, then orders. An order that a dispense names, or during whose days a dispense starts, is left out.
2. Within one grade of evidence a renewal (same strength, formulation, dose and times of day) takes over from the one
   before; an early refill is moved by the supply that is left, at most ``carry_over_days``. Supply beyond the recorded
   stop of the drug was not taken.
3. Different strengths, or different stated times of day, begun within ``concurrent_start_days`` are taken together and
   their doses are summed. Any other different prescription ends those before it.
4. ``claimed`` is the most that any subset of the records with a known dose could show (see `claims`). It only grows
   when a record is added.
5. ``possible`` adds the days that would be adequate if every gap in the record were filled favourably.

A run is *met* on the counted days, and *unknown* only where neither the counted nor the claimed days suffice and the
possible ones do. So leaving a record out can never turn unknown into met.

Example, sertraline 100 mg once daily (minimum 50 mg): an order of 2026-01-01 for 30 days with two refills, a dispense
of 30 days on 2026-01-01 and one of 10 days on 2026-01-21. The refill comes 10 days early, so it is taken from
2026-01-31 to 2026-02-10: 40 counted days, although the order alone claims 90 (to 2026-04-01).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from fhir_plugin.facts.days.claims import claimed_days
from fhir_plugin.facts.days.intervals import Interval, union
from fhir_plugin.facts.days.stops import infer_stops
from fhir_plugin.facts.days.stretches import Stretch, adequate_intervals, overlaid, summed
from fhir_plugin.facts.medications.exposures import Exposure, Prescription, reaches_minimum
from fhir_plugin.facts.medications.supply import DISPENSED, ORDERED
from mappings.schema.medications import Medications


class DayMap(NamedTuple):
    """The days of one ingredient; the claimed and possible days are rarely needed and computed on demand."""

    counted: tuple[Stretch, ...]
    adequate: tuple[Interval, ...]
    """The counted days at or above the minimum."""
    covered: tuple[Interval, ...]
    """Days on which the drug was available at any dose, known or not."""
    flags: tuple[str, ...]
    dated: tuple[Exposure, ...]
    possibly: tuple[Exposure, ...]
    """Undated ones, and those of which the status does not say that the drug was taken."""
    together: int
    carry: int

    def claimed(self) -> list[Interval]:
        """Days that some subset of the records could show as adequate; only grows with further records."""
        return claimed_days([e for e in self.dated if e.prescription.known], self.together, self.carry)

    def possible(self, claimed: Iterable[Interval]) -> list[Interval]:
        """Days that would be adequate if every gap in the record were filled favourably; they include the claimed."""
        open_days = [
            (e.window.earliest if e.window.start is not None else 0, e.window.possible)
            for e in (*self.dated, *self.possibly)
            if not (e.prescription.known and e.window.certain) or reaches_minimum(e.prescription)
        ]
        return union([*open_days, *claimed])


def map_days(exposures: Sequence[Exposure], medications: Medications) -> DayMap:
    """The day map of one ingredient; the order of ``exposures`` does not matter."""
    parameters = medications.parameters
    carry = int(parameters["carry_over_days"].value)
    together = int(parameters["concurrent_start_days"].value)
    counting = [e for e in exposures if e.counted]
    dated = infer_stops(sorted([e for e in counting if e.window.start is not None and e.window.certain], key=_by_start))
    others = (
        [e for e in counting if e.window.start is None or not e.window.certain] if len(dated) < len(counting) else []
    )
    flags = {flag for e in dated if e.window.open_stop for flag in e.flags}
    counted = _counted(dated, together, carry, flags)
    return DayMap(
        tuple(counted),
        tuple(adequate_intervals(counted)),
        tuple(union(list(_treated_days(counted, dated)))),
        tuple(sorted(flags)),
        tuple(dated),
        tuple(others),
        together,
        carry,
    )


def _treated_days(counted: Sequence[Stretch], dated: Sequence[Exposure]) -> Iterator[tuple[int, int]]:
    """Intervals of treatment, whatever the dose: stretches with a dose, and exposures whose dose is unknown."""
    yield from ((stretch.start, stretch.stop) for stretch in counted if stretch.mg)
    yield from ((e.window.start or 0, e.window.stop) for e in dated if not e.prescription.known)


def _by_start(exposure: Exposure) -> tuple[int, int, str, float, str]:
    window = exposure.window
    return (window.start or 0, window.stop, window.kind, exposure.prescription.highest, exposure.reference)


def _counted(exposures: list[Exposure], together: int, carry: int, flags: set[str]) -> list[Stretch]:
    """The days by the best evidence: dispenses and administrations, then statements, then orders."""
    grades: list[list[Exposure]] = [[] for _ in range(DISPENSED, ORDERED + 1)]
    for exposure in exposures:
        if exposure.prescription.known:
            grades[exposure.window.grade].append(exposure)
    if grades[DISPENSED] and grades[ORDERED]:
        grades[ORDERED] = _undispensed(grades[ORDERED], grades[DISPENSED])
    result: list[Stretch] = []
    for graded in grades:
        if graded:
            taken = _intake_intervals(graded, together, carry)
            if graded is grades[DISPENSED]:
                taken = _until_stopped(taken, exposures, flags)
            result = overlaid(result, _stretches(graded, taken, flags))
    return result


def _until_stopped(taken: list[Interval], exposures: list[Exposure], flags: set[str]) -> list[Interval]:
    """The days of fills up to the recorded stop of the drug, unless a record shows it later; the rest is not taken."""
    ended = max((e.window.ended for e in exposures if e.window.ended is not None), default=None)
    if ended is None or any(_shows_later(e, ended) for e in exposures):
        return taken
    if any(stop > ended for _, stop in taken):
        flags.add("stopped_with_supply")
    return [(min(start, ended), min(stop, ended)) for start, stop in taken]


def _shows_later(exposure: Exposure, ended: int) -> bool:
    window = exposure.window
    still = window.grade != DISPENSED and window.ended is None and window.stop > ended
    return still or (window.start or 0) >= ended


def _undispensed(orders: list[Exposure], dispenses: list[Exposure]) -> list[Exposure]:
    """Orders that were never dispensed: a dispense replaces the order that it authorizes or falls into."""
    starts = [e.window.start or 0 for e in dispenses]
    authorized = {reference for e in dispenses for reference in e.authorized_by}
    undispensed = []
    for order in orders:
        if order.reference in authorized:
            continue
        at = bisect_left(starts, order.window.start or 0)
        if at == len(starts) or starts[at] >= order.window.possible:
            undispensed.append(order)
    return undispensed


def _intake_intervals(exposures: list[Exposure], together: int, carry: int) -> list[Interval]:
    """The days on which the exposures are taken: renewals follow on, concurrent strengths overlap, others supersede."""
    starts: list[int] = []
    stops: list[int] = []
    active: dict[tuple[object, ...], int] = {}
    latest: Prescription | None = None
    for at, exposure in enumerate(exposures):
        window, before = exposure.window, at - 1
        start, surplus = window.start or 0, 0
        if exposure.prescription is not latest:
            if latest is not None:
                active[latest.key] = before
            latest = exposure.prescription
            before = active.get(latest.key, -1)
            if before < 0:
                active = _concurrent_lines(active, exposures, stops, at, together)
        if before >= 0 and stops[before] > start:
            surplus = _surplus(exposures[before], exposure, stops[before] - start, carry)
            stops[before] = start + surplus
        starts.append(start + surplus)
        stops.append(window.stop + surplus)
    return list(zip(starts, stops, strict=True))


def _surplus(before: Exposure, exposure: Exposure, left: int, carry: int) -> int:
    """Days of supply left over from the previous fill at an early refill, at most ``carry``."""
    early = exposure.window.kind == "dispensed" and (exposure.window.start or 0) > (before.window.start or 0)
    return min(left, carry) if early else 0


def _concurrent_lines(
    active: dict[tuple[object, ...], int], exposures: list[Exposure], stops: list[int], at: int, together: int
) -> dict[tuple[object, ...], int]:
    """The lines that continue alongside a new one; the others are cut off at its start."""
    new = exposures[at]
    start = new.window.start or 0
    continuing = {}
    for key, last in active.items():
        other = exposures[last]
        if start - (other.window.start or 0) <= together and _may_be_concurrent(other, new):
            continuing[key] = last
        else:
            stops[last] = min(stops[last], start)
    return continuing


def _may_be_concurrent(first: Exposure, second: Exposure) -> bool:
    """Whether the strengths differ, or the times of day."""
    strength, _, _, moments = first.prescription.key
    other_strength, _, _, other_moments = second.prescription.key
    if strength is not None and other_strength is not None and strength != other_strength:
        return True
    return bool(moments) and bool(other_moments) and moments != other_moments


def _stretches(exposures: list[Exposure], taken: list[Interval], flags: set[str]) -> list[Stretch]:
    """Stretches of one evidence grade: consecutive ones of the same dose joined, concurrent ones summed."""
    pieces: list[Stretch] = []
    open_prescription: Prescription | None = None
    begun = ended = 0
    for exposure, (start, stop) in zip(exposures, taken, strict=True):
        prescription = exposure.prescription
        if prescription is open_prescription and start == ended and stop > start:
            ended = stop
            continue
        if open_prescription is not None:
            pieces += _dose_stretches(open_prescription, begun, ended)
            open_prescription = None
        if len(prescription.doses) == 1 and prescription.length is None:
            open_prescription, begun, ended = prescription, start, stop
        else:
            pieces += _dose_stretches(prescription, start, stop)
    if open_prescription is not None:
        pieces += _dose_stretches(open_prescription, begun, ended)
    pieces.sort()
    for piece, following in pairwise(pieces):
        if piece.stop > following.start:
            return summed(pieces, flags)
    return pieces


def _dose_stretches(prescription: Prescription, start: int, stop: int) -> Sequence[Stretch]:
    """The days of one prescription, dose by dose."""
    doses = prescription.doses
    minimum = prescription.minimum.mg_per_day if prescription.minimum else 0.0
    if prescription.length is not None:
        stop = min(stop, start + prescription.length)
    if len(doses) == 1:
        mg = doses[0].mg
        return (Stretch(start, stop, mg / minimum, mg, minimum),) if stop > start else ()
    stretches = []
    ends = [*(start + dose.offset for dose in doses[1:]), stop]
    for dose, end in zip(doses, ends, strict=True):
        if min(end, stop) > start + dose.offset:
            stretches.append(Stretch(start + dose.offset, min(end, stop), dose.mg / minimum, dose.mg, minimum))
    return stretches
