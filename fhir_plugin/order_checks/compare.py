"""What an order states against what the protocol, or the label, has for it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import reduce

import msgspec

from fhir_plugin.order_checks.case import DraftCase
from fhir_plugin.order_checks.correction import corrected_resource, corrected_to
from fhir_plugin.order_checks.drafted import StatedMeasure
from fhir_plugin.order_checks.expected import ExpectedBounds, bounds_of
from fhir_plugin.order_checks.result import CheckVerdict, Correction, OrderCheck
from fhir_plugin.order_checks.words import StatedRange
from mappings.schema.base.entries import Number
from mappings.schema.order_checks.model import CheckDefinition

_PERCENT = 100
_MINUTES = 60


class _ComparedValue(msgspec.Struct, frozen=True, kw_only=True):
    """The value that is compared, how it is told, and what turns it back into a dose."""

    value: StatedRange
    drafted: str
    said: StatedMeasure
    factor: float = 1.0
    """What turns the value into the dose: kilograms, or 1 where the value is as it is stated."""
    unit: str = ""
    """The unit of the dose."""
    because: str = ""


def compare(check: CheckDefinition, case: DraftCase) -> OrderCheck | None:
    """The verdict on one measure; ``None`` where the order does not state it and need not."""
    compared = _route(check, case) or _value(check, case)
    if isinstance(compared, str):
        return None if check.only_if_stated and compared == case.why("not_stated") else _unknown(check, compared)
    if check.single_is_fine and compared.value == StatedRange(1, 1):
        return None
    bounds = bounds_of(check, case.protocol, case.stage, case.findings)
    if not bounds:
        return _unknown(check, case.why("no_number"), compared.drafted)
    verdict = _verdict(check, compared.value, bounds)
    result = OrderCheck(
        check=check.id,
        title=check.title,
        verdict=verdict,
        drafted=compared.drafted,
        expected=_expected(check, bounds, case),
        why=_unknown_reason(bounds, case) if verdict is CheckVerdict.UNKNOWN else "",
        sources=tuple(dict.fromkeys(key for each in bounds for key in each.sources)),
        local=any(each.local for each in bounds),
        gross=_is_gross(check, compared.value, bounds),
    )
    if verdict is not CheckVerdict.DEVIATES:
        return result
    return msgspec.structs.replace(result, correction=_correction(check, compared, bounds, case))


def _unknown(check: CheckDefinition, why: str, drafted: str = "") -> OrderCheck:
    return OrderCheck(check=check.id, title=check.title, verdict=CheckVerdict.UNKNOWN, why=why, drafted=drafted)


def _route(check: CheckDefinition, case: DraftCase) -> str:
    """Why the check is not made by the route of the order; empty where it is."""
    if not check.other_routes or _holds(check.only_routes, case.drafted.manner):
        return ""
    return case.why("other_route") if _holds(check.other_routes, case.drafted.manner) else ""


def _holds(patterns: Iterable[str], text: str) -> bool:
    return any(re.search(pattern, text) for pattern in patterns)


# The value


def _value(check: CheckDefinition, case: DraftCase) -> _ComparedValue | str:
    """What is compared, or why nothing can be."""
    if check.measure in ("dose_per_kg", "rate_per_kg"):
        return _by_weight(check, case)
    said = case.drafted.of(check.measure or "")
    if check.measure == "infusion_minutes" and said.fault == "not_stated":
        said = _time_of_rate(case)
    if said.value is None:
        return _fault(said, check.unit, case)
    if check.measure == "infusion_minutes" and (why := _rate_disagrees(said.value, case)):
        return why
    return _ComparedValue(value=said.value, drafted=case.told(said.value, check.unit), said=said, unit=check.unit)


def _by_weight(check: CheckDefinition, case: DraftCase) -> _ComparedValue | str:
    """A dose or a rate for each kilogram: as stated, else what is stated over the weight."""
    measure, unit = check.measure or "", check.unit.replace("/kg", "", 1)
    whole_measure = measure.replace("_per_kg", "_mg")
    said, whole = case.drafted.of(measure), case.drafted.of(whole_measure)
    if said.fault not in ("", "not_stated"):
        return _fault(said, check.unit, case)
    if whole.fault not in ("", "not_stated"):
        return _fault(whole, unit, case)
    if said.value is None and whole.value is None:
        return case.why("not_stated")
    if whole.value is None and said.value is not None:
        return _ComparedValue(value=said.value, drafted=case.told(said.value, check.unit), said=said, unit=check.unit)
    weight = case.weight
    if weight.kilograms is None or whole.value is None:
        return "; ".join(weight.missing) or case.why("not_stated")
    value = whole.value.times(1 / weight.kilograms)
    if said.value is not None and said.value.differs(value, _slack(check.slack_below)):
        fields, words = case.told(whole.value, unit), case.told(said.value, check.unit)
        return case.why("disagree", fields=fields, words=words)
    return _ComparedValue(
        value=value,
        drafted=case.told_by_weight(whole.value, unit, value, check.unit),
        said=whole,
        factor=weight.kilograms,
        unit=unit,
        because=case.told_weight,
    )


def _time_of_rate(case: DraftCase) -> StatedMeasure:
    """The infusion time that dose and rate make together."""
    for dose, rate in (("dose_mg", "rate_mg"), ("dose_per_kg", "rate_per_kg")):
        whole, speed = case.drafted.of(dose).value, case.drafted.of(rate).value
        if whole and speed:
            return StatedMeasure(value=StatedRange(whole.low / speed.high, whole.high / speed.low).times(_MINUTES))
    return StatedMeasure(fault="not_stated")


def _rate_disagrees(stated: StatedRange, case: DraftCase) -> str:
    made = _time_of_rate(case).value
    if made is None or not made.differs(stated, case.knowledge.reading.same_percent.value * 5):
        return ""
    return case.why("rate_disagrees", minutes=case.number(made), stated=case.number(stated))


def _fault(said: StatedMeasure, unit: str, case: DraftCase) -> str:
    if said.fault == "disagree" and said.fields and said.words:
        return case.why("disagree", fields=case.told(said.fields, unit), words=case.told(said.words, unit))
    return case.why(said.fault or "not_stated")


# The verdict


def _verdict(check: CheckDefinition, value: StatedRange, bounds: tuple[ExpectedBounds, ...]) -> CheckVerdict:
    """Ok within a range that holds, or within every one that may; open where only some that may hold it."""
    sure = [each for each in bounds if each.applies]
    perhaps = [each for each in bounds if each.applies is None]
    if any(_fits(check, value, each) for each in sure) or (
        perhaps and all(_fits(check, value, each) for each in bounds)
    ):
        return CheckVerdict.OK
    if any(_fits(check, value, each) for each in perhaps):
        return CheckVerdict.UNKNOWN
    return CheckVerdict.DEVIATES


def _unknown_reason(bounds: tuple[ExpectedBounds, ...], case: DraftCase) -> str:
    """What the record would have to tell."""
    criteria = dict.fromkeys(case.everything.criteria[each.when].title for each in bounds if each.when)
    return case.why("criterion_unknown", criteria=", ".join(criteria)) if criteria else case.why("course_unknown")


def _fits(check: CheckDefinition, value: StatedRange, bounds: ExpectedBounds) -> bool:
    low = bounds.range.low * (1 - _slack(check.slack_below) / _PERCENT)
    high = bounds.range.high * (1 + _slack(check.slack_above) / _PERCENT)
    if check.step and any(round(end / check.step.value, 6) % 1 for end in value):
        return False
    return low - _TINY <= value.low and value.high <= high + _TINY


_TINY = 1e-9
"""Doses are decimal numbers: 0.1 + 0.2 is no deviation."""


def _slack(number: Number | None) -> float:
    return number.value if number else 0.0


def _is_gross(check: CheckDefinition, value: StatedRange, bounds: tuple[ExpectedBounds, ...]) -> bool:
    """Far out; a site whose own range reaches further out is not warned within it."""
    lowest, highest = min(each.range.low for each in bounds), max(each.range.high for each in bounds)
    below = check.gross_below is not None and value.low < min(check.gross_below.value, lowest) - _TINY
    above = check.gross_above is not None and value.high > max(check.gross_above.value, highest) + _TINY
    return below or above


def _expected(check: CheckDefinition, bounds: tuple[ExpectedBounds, ...], case: DraftCase) -> str:
    ranges = dict.fromkeys(each.range for each in bounds)
    said = reduce(
        lambda one, other: case.words.or_.format(one=one, other=other), (case.number(each) for each in ranges)
    )
    return f"{said} {check.unit}".strip()


def _correction(
    check: CheckDefinition, compared: _ComparedValue, bounds: tuple[ExpectedBounds, ...], case: DraftCase
) -> Correction | None:
    path = compared.said.path
    if path is None or len(bounds) != 1 or compared.said.fields is None:
        return None
    rounded = compared.unit == check.correct.round_to_unit if check.correct else False
    value = corrected_to(check, bounds[0].range, compared.factor, rounded=rounded)
    if value is None or not _fits(check, StatedRange(value, value).times(1 / compared.factor), bounds[0]):
        return None
    written = f"{value:g}"
    resource = corrected_resource(case.draft, case.drafted, path, written, case.knowledge.reading)
    if resource is None:
        return None
    lowest = case.number(StatedRange(bounds[0].range.low, bounds[0].range.low))
    because = f"{lowest} {check.unit}" + (f", {compared.because}" if compared.because else "")
    return Correction(
        value=written, before=case.number(compared.said.fields), unit=compared.unit, because=because, resource=resource
    )
