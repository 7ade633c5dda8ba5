"""Computes total, severity and missing items from the item values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from mappings.schema.instruments.model import Band, Instrument, InstrumentItem, Risk, SumOfMaxima

Values = Sequence[int | None]
"""One value per item in the instrument's order; ``None`` if the item has none."""


class FormulaResult(msgspec.Struct, frozen=True, gc=False):
    """The result of a formula; ``total`` only if nothing is missing."""

    total: int | None
    lower_bound: int
    """Sum of the answered items: the total is at least this."""
    level: str | None
    """Risk level of an instrument that has no total."""
    missing: tuple[str, ...]
    """Keys of the missing items."""
    missing_domains: tuple[str, ...] = ()


def evaluate(instrument: Instrument, values: Values) -> FormulaResult:
    """Apply the instrument's formula."""
    formula = instrument.formula
    if isinstance(formula, Risk):
        return _risk(instrument, formula, values)
    if isinstance(formula, SumOfMaxima):
        return _sum_of_maxima(instrument, formula, values)
    answered = [value for value in values if value is not None]
    bound = sum(answered)
    if len(answered) == len(instrument.keys):
        return FormulaResult(bound, bound, None, ())
    missing = tuple(key for key, value in zip(instrument.keys, values, strict=True) if value is None)
    return FormulaResult(None, bound, None, missing)


def _sum_of_maxima(instrument: Instrument, formula: SumOfMaxima, values: Values) -> FormulaResult:
    by_number = _by_number(instrument, values)
    bound, blank = 0, []
    for name, numbers in formula.domains.items():
        answered = [value for number in numbers if (value := by_number[number]) is not None]
        if answered:
            bound += max(answered)
        else:
            blank.append(name)
    missing = tuple(instrument.item(number).key for name in blank for number in formula.domains[name])
    return FormulaResult(None if blank else bound, bound, None, missing, tuple(blank))


def _risk(instrument: Instrument, formula: Risk, values: Values) -> FormulaResult:
    by_number = _by_number(instrument, values)
    missing = tuple(item.key for item in instrument.items if _is_missing(item, by_number))
    reached = next(
        (level.name for level in formula.levels if any(by_number[number] for number in level.any_of)), formula.otherwise
    )
    # The highest level is certain whatever is missing; a missing answer could raise any lower one.
    certain = not missing or reached == formula.levels[0].name
    return FormulaResult(None, 0, reached if certain else None, missing)


def _is_missing(item: InstrumentItem, by_number: Mapping[str, int | None]) -> bool:
    if by_number[item.number] is not None:
        return False
    if item.asked_if:
        return by_number[item.asked_if.item] == item.asked_if.value
    return not (item.implied_by and by_number[item.implied_by.item] == item.implied_by.value)


def _by_number(instrument: Instrument, values: Values) -> dict[str, int | None]:
    return {item.number: value for item, value in zip(instrument.items, values, strict=True)}


def prorated(instrument: Instrument, result: FormulaResult) -> int | None:
    """The prorated total, if the instrument allows that many missing items."""
    count, missing = len(instrument.items), len(result.missing)
    if not instrument.prorate or not 0 < missing <= instrument.prorate.missing_at_most:
        return None
    answered = count - missing
    return (2 * result.lower_bound * count + answered) // (2 * answered)  # halves up: 15.75 -> 16, 4.5 -> 5


def band_of(instrument: Instrument, total: float, sex: str | None) -> str | None:
    """The name of the band that contains ``total``."""
    bands: Sequence[Band] = instrument.bands
    if by_sex := instrument.bands_by_sex:
        band_sex = sex if sex in ("male", "female") else by_sex.unknown
        bands = by_sex.male if band_sex == "male" else by_sex.female
    for band in bands:
        if band.low <= total <= band.high:
            return band.name
    return None
