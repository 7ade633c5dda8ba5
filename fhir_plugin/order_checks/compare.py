"""The values that an order states, compared with the protocol or the label."""

from __future__ import annotations

from dataclasses import replace
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
    """The value that is compared, its wording, and what converts it back into a dose."""

    value: StatedRange
    drafted: str
    measure: StatedMeasure
    factor: float = 1.0
    """What converts the value into the dose: kilograms, or 1 where the value is compared as stated."""
    unit: str = ""
    """The unit of the dose."""
    because: str = ""


def compare(check: CheckDefinition, case: DraftCase) -> OrderCheck | None:
    """The verdict on one measure; ``None`` where the order does not state it and does not have to."""
    if case.by_code and check.measure in _OF_SCHEDULE:
        return None
    if route := _route(check, case):
        return _unknown(check, route)
    compared = _value(check, case)
    if isinstance(compared, str):
        if alarm := _beyond_any_weight(check, case) or _highest_of_several(check, case):
            return alarm
        return None if check.only_if_stated and compared == case.why("not_stated") else _unknown(check, compared)
    if check.single_is_fine and compared.value == StatedRange(1, 1):
        return None
    return _compared(check, compared, case)


def _compared(check: CheckDefinition, compared: _ComparedValue, case: DraftCase) -> OrderCheck:
    bounds = _bounds(check, case)
    if not bounds:
        return _unknown(check, case.why("no_number"), compared.drafted)
    verdict = _verdict(check, compared.value, bounds)
    if verdict is CheckVerdict.OK and compared.measure.unread:
        return _unknown(check, case.why("unreadable"), compared.drafted)
    result = OrderCheck(
        check=check.id,
        title=check.title,
        verdict=verdict,
        drafted=compared.drafted,
        expected=_expected(check, bounds, case),
        why=_unknown_reason(bounds, case) if verdict is CheckVerdict.UNKNOWN else "",
        sources=tuple(dict.fromkeys(key for bound in bounds for key in bound.sources)),
        local=any(bound.local for bound in bounds),
        gross=_is_gross(check, compared.value, bounds),
        critical=_is_above(check.critical_above, compared.value, bounds),
    )
    if verdict is not CheckVerdict.DEVIATES:
        return result
    return msgspec.structs.replace(result, correction=_correction(check, compared, bounds, case))


_OF_SCHEDULE = {"sessions", "per_week"}
"""The measures for which a schedule has numbers of its own."""


def _bounds(check: CheckDefinition, case: DraftCase) -> tuple[ExpectedBounds, ...]:
    """The ranges of the schedule that the order names, else those of the protocol."""
    numbers = {"sessions": case.schedule.sessions, "per_week": case.schedule.per_week} if case.schedule else {}
    own = numbers.get(check.measure or "")
    if own is None or case.schedule is None:
        return bounds_of(check, case.protocol, case.stage, case.findings)
    value = StatedRange(own.value, own.value)
    return (ExpectedBounds(range=value, sources=case.schedule.sources, local=own.local, applies=True),)


def _beyond_any_weight(check: CheckDefinition, case: DraftCase) -> OrderCheck | None:
    """A whole dose that no weight explains, where the weight is not known; ``None`` for any other."""
    whole = case.drafted.of("dose_mg").value
    if check.whole_gross_above is None or whole is None or case.weight.kilograms is not None:
        return None
    bounds = bounds_of(check, case.protocol, case.stage, case.findings)
    if not bounds or whole.high <= check.whole_gross_above.value:
        return None
    critical = check.whole_critical_above
    return OrderCheck(
        check=check.id,
        title=check.title,
        verdict=CheckVerdict.DEVIATES,
        drafted=case.with_unit(whole, check.unit.partition("/")[0]),
        expected=_expected(check, bounds, case),
        why="; ".join(case.weight.missing),
        sources=tuple(dict.fromkeys(key for bound in bounds for key in bound.sources)),
        local=any(bound.local for bound in bounds),
        gross=True,
        critical=critical is not None and whole.high > critical.value,
    )


def _highest_of_several(check: CheckDefinition, case: DraftCase) -> OrderCheck | None:
    """The highest of several doses in the fields, if it is far outside; ``None`` for any other."""
    if not case.drafted.has_several:
        return None
    result = compare(check, replace(case, drafted=case.drafted.highest()))
    return result if result is not None and result.gross else None


def _unknown(check: CheckDefinition, why: str, drafted: str = "") -> OrderCheck:
    return OrderCheck(check=check.id, title=check.title, verdict=CheckVerdict.UNKNOWN, why=why, drafted=drafted)


def _route(check: CheckDefinition, case: DraftCase) -> str:
    """Why the check does not apply to the route of the order; empty where it applies."""
    return "" if check.is_for_route(case.drafted.instructions) else case.why("other_route")


# The value


def _value(check: CheckDefinition, case: DraftCase) -> _ComparedValue | str:
    """The value to compare, or the reason why there is none."""
    if check.measure in ("dose_per_kg", "rate_per_kg"):
        return _by_weight(check, case)
    stated = case.drafted.of(check.measure or "")
    if check.measure == "infusion_minutes" and stated.fault == "not_stated":
        stated = _time_of_rate(case)
    if stated.value is None:
        return _fault(stated, check.unit, case)
    if check.measure == "infusion_minutes" and (why := _rate_disagrees(stated.value, case)):
        return why
    return _stated_value(stated, stated.value, check, case)


def _stated_value(stated: StatedMeasure, value: StatedRange, check: CheckDefinition, case: DraftCase) -> _ComparedValue:
    return _ComparedValue(value=value, drafted=case.with_unit(value, check.unit), measure=stated, unit=check.unit)


_ABSENT = ("", "not_stated", "unreadable")


def _by_weight(check: CheckDefinition, case: DraftCase) -> _ComparedValue | str:
    """A dose or a rate per kilogram: as stated, else the whole dose or rate divided by the weight."""
    measure, unit = check.measure or "", check.unit.replace("/kg", "", 1)
    whole_measure = measure.replace("_per_kg", "_mg")
    stated, whole = case.drafted.of(measure), case.drafted.of(whole_measure)
    if stated.fault not in _ABSENT:
        return _fault(stated, check.unit, case)
    if whole.fault not in _ABSENT:
        return _fault(whole, unit, case)
    if stated.value is None and whole.value is None:
        return _fault(stated, check.unit, case)
    if whole.value is None and stated.value is not None:
        return _stated_value(stated, stated.value, check, case)
    weight = case.weight
    if weight.kilograms is None or whole.value is None:
        return "; ".join(weight.missing) or case.why("not_stated")
    value = whole.value.times(1 / weight.kilograms)
    if stated.value is not None and stated.value.differs(value, _slack(check.slack_below)):
        fields, words = case.with_unit(whole.value, unit), case.with_unit(stated.value, check.unit)
        return case.why("disagree", fields=fields, words=words)
    return _ComparedValue(
        value=value,
        drafted=case.dose_by_weight(whole.value, unit, value, check.unit),
        measure=whole,
        factor=weight.kilograms,
        unit=unit,
        because=case.dated_weight,
    )


def _time_of_rate(case: DraftCase) -> StatedMeasure:
    """The infusion time that follows from dose and rate."""
    for dose, rate in (("dose_mg", "rate_mg"), ("dose_per_kg", "rate_per_kg")):
        of_dose, of_rate = case.drafted.of(dose), case.drafted.of(rate)
        whole, speed = of_dose.value, of_rate.value
        if whole and speed:
            return StatedMeasure(
                unread=of_dose.unread or of_rate.unread,
                value=StatedRange(whole.low / speed.high, whole.high / speed.low).times(_MINUTES),
            )
    return StatedMeasure(fault="not_stated")


def _rate_disagrees(stated: StatedRange, case: DraftCase) -> str:
    calculated = _time_of_rate(case).value
    if calculated is None or not calculated.differs(stated, case.order_checks.reading.same_percent.value * 5):
        return ""
    return case.why("rate_disagrees", minutes=case.number(calculated), stated=case.number(stated))


def _fault(stated: StatedMeasure, unit: str, case: DraftCase) -> str:
    if stated.fault == "disagree" and stated.fields and stated.words:
        fields, words = case.with_unit(stated.fields, unit), case.with_unit(stated.words, unit)
        return case.why("disagree", fields=fields, words=words)
    return case.why(stated.fault or "not_stated")


# The verdict


def _verdict(check: CheckDefinition, value: StatedRange, bounds: tuple[ExpectedBounds, ...]) -> CheckVerdict:
    """Ok within a range that applies, or within all where some may apply; unknown within only some that may apply."""
    certain = [bound for bound in bounds if bound.applies]
    possible = [bound for bound in bounds if bound.applies is None]
    if any(_fits(check, value, bound) for bound in certain) or (
        possible and all(_fits(check, value, bound) for bound in bounds)
    ):
        return CheckVerdict.OK
    if any(_fits(check, value, bound) for bound in possible):
        return CheckVerdict.UNKNOWN
    return CheckVerdict.DEVIATES


def _unknown_reason(bounds: tuple[ExpectedBounds, ...], case: DraftCase) -> str:
    """What the record would have to show."""
    criteria = dict.fromkeys(case.knowledge.criteria[bound.when].title for bound in bounds if bound.when)
    return case.why("criterion_unknown", criteria=", ".join(criteria)) if criteria else case.why("course_unknown")


def _fits(check: CheckDefinition, value: StatedRange, bounds: ExpectedBounds) -> bool:
    low = bounds.range.low * (1 - _slack(check.slack_below) / _PERCENT)
    high = bounds.range.high * (1 + _slack(check.slack_above) / _PERCENT)
    if check.step and any(round(end / check.step.value, 6) % 1 for end in value):
        return False
    return low - _TINY <= value.low and value.high <= high + _TINY


_TINY = 1e-9
"""Tolerance for binary fractions: 0.1 + 0.2 is not a deviation from 0.3."""


def _slack(number: Number | None) -> float:
    return number.value if number else 0.0


def _is_gross(check: CheckDefinition, value: StatedRange, bounds: tuple[ExpectedBounds, ...]) -> bool:
    """Far outside the range; a site with a wider range of its own is not warned within it."""
    lowest = min(bound.range.low for bound in bounds)
    below = check.gross_below is not None and value.low < min(check.gross_below.value, lowest) - _TINY
    return below or _is_above(check.gross_above, value, bounds)


def _is_above(limit: Number | None, value: StatedRange, bounds: tuple[ExpectedBounds, ...]) -> bool:
    """Whether the value is above the limit and above every range."""
    highest = max(bound.range.high for bound in bounds)
    return limit is not None and value.high > max(limit.value, highest) + _TINY


def _expected(check: CheckDefinition, bounds: tuple[ExpectedBounds, ...], case: DraftCase) -> str:
    ranges = dict.fromkeys(bound.range for bound in bounds)
    alternatives = reduce(
        lambda one, other: case.words.or_.format(one=one, other=other), (case.number(value) for value in ranges)
    )
    return f"{alternatives} {check.unit}".strip()


def _correction(
    check: CheckDefinition, compared: _ComparedValue, bounds: tuple[ExpectedBounds, ...], case: DraftCase
) -> Correction | None:
    path = compared.measure.path
    if path is None or len(bounds) != 1 or compared.measure.fields is None:
        return None
    rounded = compared.unit == check.correct.round_to_unit if check.correct else False
    value = corrected_to(check, bounds[0].range, compared.factor, rounded=rounded)
    if value is None or not _fits(check, StatedRange(value, value).times(1 / compared.factor), bounds[0]):
        return None
    written = f"{value:g}"
    resource = corrected_resource(case.draft, case.drafted, path, written, case.order_checks.reading)
    if resource is None:
        return None
    lowest = case.number(StatedRange(bounds[0].range.low, bounds[0].range.low))
    because = f"{lowest} {check.unit}" + (f", {compared.because}" if compared.because else "")
    before = case.number(compared.measure.fields)
    return Correction(value=written, before=before, unit=compared.unit, because=because, resource=resource)
