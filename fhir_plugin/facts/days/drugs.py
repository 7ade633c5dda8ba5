"""One antidepressant inside a window of days: its exposures, its best run and whether that is enough."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from fhir_plugin.facts.days.days import DayMap
from fhir_plugin.facts.days.intervals import AdequateRun, Interval
from fhir_plugin.facts.days.stretches import Stretch
from fhir_plugin.facts.medications.exposures import Exposure, Prescription
from mappings.schema.medications import Minimum

KINDS = ("dispensed", "administered", "stated", "ordered")
"""Kinds of evidence, the best first."""
_BY_DOSE = attrgetter("ratio", "mg")


class ExposureTraits(NamedTuple):
    """What the exposures of one drug say together."""

    first: int | None
    """The earliest start of all, as far as any is dated."""
    starts: list[int]
    """Of those that may count, ascending."""
    references: tuple[str, ...]
    kind: str
    """The best kind of evidence."""
    minimum: Minimum | None
    flags: frozenset[str]


def traits_of(exposures: Sequence[Exposure]) -> ExposureTraits:
    """What there is to tell of the exposures, of which there is at least one."""
    dated: list[int] = []
    starts: list[int] = []
    references: set[str] = set()
    kinds: set[str] = set()
    excluded: set[str] = set()
    said: set[tuple[str, ...]] = set()
    minima: set[Minimum | None] = set()
    latest: Prescription | None = None
    for e in exposures:
        window = e.window
        references.add(e.reference)
        said.add(e.flags)
        said.add(window.flags)
        if e.prescription is not latest:
            latest = e.prescription
            said.add(latest.flags)
            minima.add(latest.minimum)
        (kinds if e.counted else excluded).add(window.kind)
        if window.start is not None:
            (starts if e.counted else dated).append(window.start)
    flags: set[str] = set().union(*said)
    if None in minima and any(e.prescription.minimum is None for e in exposures if e.counted):
        flags.add("no_minimum")
    starts.sort()
    return ExposureTraits(
        min((*dated, *starts[:1]), default=None),
        starts,
        tuple(sorted(references)),
        min(kinds or excluded, key=KINDS.index),
        min((minimum for minimum in minima if minimum is not None), default=None),
        frozenset(flags),
    )


class WindowedDrug(NamedTuple):
    """One antidepressant inside the window."""

    ingredient: str
    exposures: list[Exposure]
    days: DayMap
    eras: list[Interval]
    """Exposures joined across short gaps, all of them, in the window or not."""
    run: AdequateRun
    verdict: str
    traits: ExposureTraits
    contradicted: bool = False
    """Whether less was dispensed or taken than the orders alone would show."""

    def era(self, first: int) -> Interval | None:
        """The exposure that holds the best run; without one, the last exposure that reaches beyond ``first``."""
        inside = [era for era in self.eras if era[1] > first]
        if self.run.days:
            return next((era for era in inside if era[0] <= self.run.start < era[1]), None)
        return inside[-1] if inside else None

    def begins(self, start: int, stop: int) -> bool:
        """Whether a record that may count starts in these days."""
        at = bisect_left(self.traits.starts, start)
        return at < len(self.traits.starts) and self.traits.starts[at] < stop

    def highest(self, first: int, last: int) -> Stretch | None:
        """The days on the highest dose in the window."""
        inside = [stretch for stretch in self.days.counted if stretch.stop > first and stretch.start < last]
        return max(inside, key=_BY_DOSE, default=None)

    def has_hole(self, era: Interval, gap: int) -> bool:
        """Whether the drug was missing for more than ``gap`` days inside an exposure."""
        inside = [interval for interval in self.days.covered if era[0] <= interval[0] < era[1]]
        return any(later[0] - earlier[1] > gap for earlier, later in pairwise(inside))
