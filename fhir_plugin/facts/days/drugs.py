"""One antidepressant within a window of days: its exposures, its best run and whether that is adequate."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from fhir_plugin.facts.days.days import DayMap
from fhir_plugin.facts.days.intervals import AdequateRun, Interval
from fhir_plugin.facts.days.stretches import Stretch
from fhir_plugin.facts.medications.exposures import Exposure
from mappings.schema.medications import Minimum

KINDS = ("dispensed", "administered", "stated", "ordered")
"""Kinds of evidence, the best first."""
_BY_DOSE = attrgetter("ratio", "mg")


class ExposureTraits(NamedTuple):
    """What the exposures of one drug have in common."""

    first: int | None
    """The earliest start of any exposure; ``None`` where none is dated."""
    starts: list[int]
    """Starts of the exposures that may count, ascending."""
    references: tuple[str, ...]
    kind: str
    """The best kind of evidence."""
    minimum: Minimum | None
    flags: frozenset[str]


def traits_of(exposures: Sequence[Exposure]) -> ExposureTraits:
    """Summarise the exposures of one drug, of which there must be at least one."""
    windows = [e.window for e in exposures]
    counted = [e for e in exposures if e.counted]
    minima = [minimum for e in exposures if (minimum := e.prescription.minimum) is not None]
    kinds = {e.window.kind for e in counted or exposures}
    return ExposureTraits(
        min([window.start for window in windows if window.start is not None], default=None),
        sorted([e.window.start for e in counted if e.window.certain and e.window.start is not None]),
        tuple(sorted({e.reference for e in exposures})),
        min(kinds, key=KINDS.index),
        min(set(minima), default=None),
        _flags_of(exposures, counted),
    )


def _flags_of(exposures: Sequence[Exposure], counted: Sequence[Exposure]) -> frozenset[str]:
    """The flags of the exposures, of their windows and of their prescriptions."""
    flag_sets = {e.flags for e in exposures}
    flag_sets |= {e.window.flags for e in exposures}
    flag_sets |= {e.prescription.flags for e in exposures}
    if any(e.prescription.minimum is None for e in counted):
        flag_sets.add(("no_minimum",))
    return frozenset().union(*flag_sets)


class WindowedDrug(NamedTuple):
    """One antidepressant within the window."""

    ingredient: str
    exposures: list[Exposure]
    days: DayMap
    eras: list[Interval]
    """All exposures joined across short gaps, inside the window or not."""
    run: AdequateRun
    verdict: str
    traits: ExposureTraits
    contradicted: bool = False
    """Whether less was dispensed or taken than the orders alone suggest."""

    def era(self, first: int) -> Interval | None:
        """The era that contains the best run; without a run, the last era that ends after ``first``."""
        inside = [era for era in self.eras if era[1] > first]
        if self.run.days:
            return next((era for era in inside if era[0] <= self.run.start < era[1]), None)
        return inside[-1] if inside else None

    def begins(self, start: int, stop: int) -> bool:
        """Whether an exposure that may count starts in these days."""
        at = bisect_left(self.traits.starts, start)
        return at < len(self.traits.starts) and self.traits.starts[at] < stop

    def highest(self, first: int, last: int) -> Stretch | None:
        """The days on the highest dose in the window."""
        inside = [stretch for stretch in self.days.counted if stretch.stop > first and stretch.start < last]
        return max(inside, key=_BY_DOSE, default=None)

    def has_hole(self, era: Interval, gap: int) -> bool:
        """Whether the drug was unavailable for more than ``gap`` days within an era."""
        inside = [interval for interval in self.days.covered if era[0] <= interval[0] < era[1]]
        return any(later[0] - earlier[1] > gap for earlier, later in pairwise(inside))
