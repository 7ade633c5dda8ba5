"""Amounts, frequencies and durations of a dosage, before the product and its strength are known."""

from __future__ import annotations

import msgspec

from mappings.schema.medications import ProductPart

HOURS_PER_DAY = 24
MAX_DURATION_DAYS = 36_500
"""A longer duration is not believed: a hundred years."""


class Intake(msgspec.Struct, frozen=True, gc=False):
    """One amount taken ``per_day`` times a day. At least one of ``mg``, ``units`` and ``ml`` is known."""

    per_day: float
    mg: float | None = None
    units: float | None = None
    """Tablets, capsules, patches, sprays."""
    ml: float | None = None
    stated: float | None = None
    """Milligrams written beside the units: of one unit, or of all units together."""
    moments: tuple[str, ...] = ()


class DosePhase(msgspec.Struct, frozen=True, gc=False):
    """Intakes that belong together for ``days``; without ``days`` as long as the supply lasts."""

    intakes: tuple[Intake, ...]
    days: float | None = None


class Amount(msgspec.Struct, frozen=True, gc=False):
    """Milligrams of one ingredient, with flags on how they were read."""

    mg: float | None
    flags: tuple[str, ...] = ()


def milligrams(intake: Intake, part: ProductPart, disagreement: float) -> Amount:
    """Milligrams of ``part`` per administration; the lower if two readings differ by more than ``disagreement``."""
    by_units = _by_units(intake, part)
    if intake.mg is None and intake.stated is not None:
        return _stated(intake.units or 1.0, intake.stated, by_units, part)
    if intake.mg is None:
        return Amount(by_units)
    if by_units is not None and readings_differ(intake.mg, by_units, disagreement):
        return Amount(min(intake.mg, by_units), ("dose_conflict",))
    return Amount(intake.mg)


def readings_differ(first: float, second: float, disagreement: float) -> bool:
    """Whether two readings differ by more than the fraction ``disagreement`` of the greater."""
    return abs(first - second) > disagreement * max(first, second)


def _by_units(intake: Intake, part: ProductPart) -> float | None:
    if part.strength is None:
        return None
    if part.unit == "MG/ML":
        return intake.ml * part.strength if intake.ml is not None else None
    if intake.units is None:
        return None
    return intake.units * part.strength * (HOURS_PER_DAY if part.unit == "MG/HR" else 1)


def _stated(units: float, stated: float, by_units: float | None, part: ProductPart) -> Amount:
    if by_units is None:
        lower = min(stated, units * stated)
        return Amount(lower, () if units == 1 else ("dose_conflict",))
    if stated == by_units:
        return Amount(stated)
    if stated == part.strength:
        return Amount(units * stated)
    return Amount(min(stated, by_units), ("dose_conflict",))
