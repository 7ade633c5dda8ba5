"""Exposures: one ingredient according to one resource, with its days, its daily dose and its minimum dose."""

from __future__ import annotations

import msgspec

from fhir_plugin.facts.medications.dosage import DosageReading
from fhir_plugin.facts.medications.intakes import HOURS_PER_DAY, DosePhase, milligrams, readings_differ
from fhir_plugin.facts.medications.supply import Fill, SupplyWindow
from mappings.schema.medications import Medications, Minimum, Product, ProductPart, TrialPolicy

_ROUNDING = 1e-9


class DailyDose(msgspec.Struct, frozen=True, gc=False):
    """Milligrams a day, from ``offset`` days after the start of the exposure."""

    offset: int
    mg: float


class Prescription(msgspec.Struct, frozen=True, gc=False):
    """One ingredient according to one resource, without the days; equal for resources with the same content."""

    ingredient: str
    product: Product
    doses: tuple[DailyDose, ...]
    """Ascending by offset; empty where no dose is known."""
    length: int | None
    """Days after which the written phases end; ``None``: they last as long as the supply."""
    minimum: Minimum | None
    key: tuple[object, ...]
    """Equal for renewals: strength, formulation, daily doses and times of day."""
    highest: float
    """The greatest known mg/day."""
    known: bool
    """Whether both the dose and the minimum dose are known."""
    flags: tuple[str, ...]


def reaches_minimum(prescription: Prescription) -> bool:
    """Whether its highest dose is adequate."""
    minimum = prescription.minimum
    return minimum is not None and prescription.highest >= minimum.mg_per_day * (1 - _ROUNDING)


class Exposure(msgspec.Struct, frozen=True, gc=False):
    """One ingredient according to one resource."""

    prescription: Prescription
    window: SupplyWindow
    reference: str
    counted: bool
    """Whether it may count at all: not as needed, and not a product for another use."""
    flags: tuple[str, ...]
    authorized_by: tuple[str, ...] = ()
    """References of the orders that a dispense names."""


def read_prescription(
    product: Product,
    part: ProductPart,
    reading: DosageReading,
    fill: Fill,
    days: int,
    medications: Medications,
    policy: TrialPolicy,
    *,
    doubtful: bool,
) -> Prescription:
    """The prescription of one part of a product over ``days``; ``doubtful`` withholds the dose."""
    flags: list[str] = list(reading.flags)
    doses = _doses(product, part, reading, fill, days, medications, flags)
    if doubtful:
        doses = ()
    minimum = medications.minimum(part.ingredient, product.formulation, policy)
    return Prescription(
        part.ingredient,
        product,
        doses,
        _length(reading, fill),
        minimum,
        (part.strength, product.formulation, doses, reading.moments),
        _highest(doses),
        bool(doses) and minimum is not None,
        tuple(flags),
    )


def units_per_day(reading: DosageReading, part: ProductPart) -> float | None:
    """Units of the product taken per day in the first phase; ``None`` where they cannot be worked out."""
    phases = reading.structured or reading.text
    if not phases:
        return None
    total = 0.0
    for intake in phases[0].intakes:
        if intake.units is not None:
            total += intake.units * intake.per_day
        elif intake.mg is not None and part.unit == "MG" and part.strength:
            total += intake.mg / part.strength * intake.per_day
        else:
            return None
    return total or None


def _length(reading: DosageReading, fill: Fill) -> int | None:
    """When the last written phase ends; a duration that only repeats the days of one fill is no limit."""
    phases = reading.structured or reading.text
    if not phases or phases[-1].days is None:
        return None
    total = sum(phase.days or 0 for phase in phases)
    if len(phases) == 1 and fill.stated is not None and abs(total - fill.stated) <= 1:
        return None
    return int(total)


def _doses(
    product: Product,
    part: ProductPart,
    reading: DosageReading,
    fill: Fill,
    days: int,
    medications: Medications,
    flags: list[str],
) -> tuple[DailyDose, ...]:
    """Milligrams a day by the written dosage and by the supply, the lower if they disagree; empty if unknown."""
    allowed = medications.parameters["dose_disagreement"].value
    if reading.restricted or (len(product.parts) > 1 and _in_milligrams(reading)):
        flags.append("dose_unknown")
        return ()
    written = _doses_by_phase(reading.structured, part, allowed, flags) if reading.structured else ()
    if reading.text:
        by_text = _doses_by_phase(reading.text, part, allowed, flags)
        written = _lower_reading(written, by_text, days, allowed, flags)
    chosen = _with_supply(written, _supplied_dose(fill, part, medications), days, allowed, flags)
    equivalent = medications.equivalents.get((part.ingredient, product.formulation))
    if equivalent is not None:
        flags.append("weekly_product")
        chosen = tuple(DailyDose(dose.offset, round(dose.mg * equivalent.factor, 4)) for dose in chosen)
    if not chosen:
        flags.append("dose_unknown")
        return ()
    return _plausible(chosen, part, medications, flags)


def _in_milligrams(reading: DosageReading) -> bool:
    """Whether the dose is written in mg, which for a combination does not say of which ingredient."""
    phases = reading.structured or reading.text or ()
    return any(intake.mg is not None and intake.units is None for phase in phases for intake in phase.intakes)


def _doses_by_phase(
    phases: tuple[DosePhase, ...], part: ProductPart, allowed: float, flags: list[str]
) -> tuple[DailyDose, ...]:
    doses: list[DailyDose] = []
    offset = 0.0
    for phase in phases:
        total = 0.0
        for intake in phase.intakes:
            amount = milligrams(intake, part, allowed)
            if amount.flags:
                flags += amount.flags
            if amount.mg is None:
                return ()
            total += amount.mg * intake.per_day
        doses.append(DailyDose(int(offset), round(total, 6)))
        offset += phase.days or 0
    return tuple(doses)


def _highest(doses: tuple[DailyDose, ...]) -> float:
    if len(doses) == 1:
        return doses[0].mg
    return max((dose.mg for dose in doses), default=0.0)


def _mean(doses: tuple[DailyDose, ...], days: int) -> float:
    if len(doses) == 1:
        return doses[0].mg
    ends = [*(dose.offset for dose in doses[1:]), days]
    total = sum((dose.mg) * max(min(end, days) - dose.offset, 0) for dose, end in zip(doses, ends, strict=True))
    return total / days


def _lower_reading(
    structured: tuple[DailyDose, ...], text: tuple[DailyDose, ...], days: int, allowed: float, flags: list[str]
) -> tuple[DailyDose, ...]:
    if not structured or not text:
        return structured or text
    by_fields, by_text = _mean(structured, days), _mean(text, days)
    if readings_differ(by_fields, by_text, allowed):
        flags.append("dose_conflict")
        return structured if by_fields <= by_text else text
    return structured if len(structured) >= len(text) else text


def _supplied_dose(fill: Fill, part: ProductPart, medications: Medications) -> float | None:
    """Milligrams a day by the supply: quantity x strength / days."""
    quantity, days = fill.quantity, fill.stated
    if not days or quantity is None or quantity.value is None or quantity.value <= 0 or part.strength is None:
        return None
    unit = medications.units.get((quantity.code or quantity.unit or "1").lower())
    if unit is None:
        return None
    if unit.dimension == "mg":
        return quantity.value * unit.factor / days
    if unit.dimension != ("ml" if part.unit == "MG/ML" else "unit"):
        return None
    hours = HOURS_PER_DAY if part.unit == "MG/HR" else 1
    return round(quantity.value * unit.factor * part.strength * hours / days, 6)


def _with_supply(
    written: tuple[DailyDose, ...], supplied: float | None, days: int, allowed: float, flags: list[str]
) -> tuple[DailyDose, ...]:
    if supplied is None:
        return written
    if not written:
        return (DailyDose(0, supplied),)
    if not readings_differ(_mean(written, days), supplied, allowed):
        return written
    flags.append("dose_conflict")
    return tuple(DailyDose(dose.offset, min(dose.mg, supplied)) for dose in written)


def _plausible(
    doses: tuple[DailyDose, ...], part: ProductPart, medications: Medications, flags: list[str]
) -> tuple[DailyDose, ...]:
    maximum = medications.ingredients[part.ingredient].maximum
    if maximum is None:
        return doses
    highest = _highest(doses)
    if highest > maximum * medications.parameters["implausible_dose_factor"].value + _ROUNDING:
        flags.append("implausible_dose")
        return ()
    if highest > maximum + _ROUNDING:
        flags.append("above_maximum")
    return doses
