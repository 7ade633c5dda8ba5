"""What an order states, measure by measure: from its fields, from its words, and whether the two agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import msgspec

from fhir_plugin.drafts import Draft
from fhir_plugin.order_checks.words import Range, stated
from fhir_plugin.resources import Dosage, DoseAndRate, Quantity, Ratio, Timing
from mappings.order_checks import OrderChecks

Path = tuple[str | int, ...]

_DAYS = 7
_WORD_MEASURES = ("dose_per_kg", "dose_mg", "infusion_minutes", "per_week", "sessions", "weeks")


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What an order states of one measure."""

    value: Range | None = None
    fault: str = ""
    """Why there is no one value: a key of ``why`` in ``_words.yaml``."""
    fields: Range | None = None
    words: Range | None = None
    path: Path | None = None
    """Where in the resource the one number stands, when it stands in one place."""


NOTHING_SAID = Said(fault="not_stated")


class Drafted(msgspec.Struct, frozen=True, kw_only=True):
    """Every measure of one order."""

    said: Mapping[str, Said]
    manner: str
    """The words of routes and instructions, in lower case."""

    def of(self, measure: str) -> Said:
        """What is stated of a measure."""
        return self.said.get(measure, NOTHING_SAID)


def read_order(draft: Draft, knowledge: OrderChecks, *, dose_in_name: bool) -> Drafted:
    """The measures of a draft; ``dose_in_name``: the name of the product tells the dose of a session."""
    texts = _instructions(draft, knowledge)
    from_fields: dict[str, list[tuple[Range, Path | None]]] = {}
    for measure, value, path in _fields(draft, knowledge):
        from_fields.setdefault(measure, []).append((value, path))
    said = {}
    for measure in {*from_fields, *_WORD_MEASURES}:
        words = stated(measure, texts, knowledge) if measure in _WORD_MEASURES else ()
        if measure == "per_week":
            words += tuple(_per_week(each) for each in stated("interval_days", texts, knowledge))
        fields = from_fields.get(measure, [])
        if measure == "dose_mg" and dose_in_name and not words and not fields:
            words = stated(measure, draft.words, knowledge)
        said[measure] = _joined(fields, words, knowledge)
    _count_from_weeks(said)
    return Drafted(said=said, manner="\n".join((*draft.routes, *texts)).lower())


def _instructions(draft: Draft, knowledge: OrderChecks) -> tuple[str, ...]:
    """The words that say how: of the dosage, and of the name where it says how long or how often."""
    texts = [text for dosage in draft.dosage for text in (dosage.text, dosage.patient_instruction) if text]
    texts += [dosage.timing.code.label for dosage in draft.dosage if dosage.timing and dosage.timing.code]
    texts += [draft.timing.code.label] if draft.timing and draft.timing.code else []
    named = [*draft.words, *draft.notes]
    telling = ("infusion_minutes", "per_week", "interval_days", "sessions")
    return (*texts, *(text for text in named if any(stated(each, (text,), knowledge) for each in telling)))


def _joined(fields: list[tuple[Range, Path | None]], words: tuple[Range, ...], knowledge: OrderChecks) -> Said:
    values = list(dict.fromkeys(value for value, _ in fields))
    if len(values) > 1 or len(words) > 1:
        return Said(fault="several")
    field, word = next(iter(values), None), next(iter(words), None)
    if field is None and word is None:
        return NOTHING_SAID
    if field is not None and word is not None and field.differs(word, knowledge.reading.same_percent.value):
        return Said(fault="disagree", fields=field, words=word)
    path = fields[0][1] if len(fields) == 1 and not words else None
    return Said(value=field or word, fields=field, words=word, path=path)


def _count_from_weeks(said: dict[str, Said]) -> None:
    """How many sessions, where the order says only how often and for how long."""
    often, weeks = said["per_week"].value, said["weeks"].value
    if said["sessions"].fault == "not_stated" and often and weeks:
        said["sessions"] = Said(value=Range(round(often.low * weeks.low, 1), round(often.high * weeks.high, 1)))


def _per_week(days: Range) -> Range:
    return Range(_DAYS / days.high, _DAYS / days.low)


# Fields

Stated = Iterator[tuple[str, Range, Path | None]]


def _fields(draft: Draft, knowledge: OrderChecks) -> Stated:
    for index, dosage in enumerate(draft.dosage):
        yield from _dosage(dosage, ("dosageInstruction", index), knowledge)
    if draft.timing:
        yield from _timing(draft.timing, knowledge)
    count = draft.quantity
    if count and _usable(count.value) and not count.comparator:
        yield "sessions", _range(count.value), None


def _dosage(dosage: Dosage, at: Path, knowledge: OrderChecks) -> Stated:
    for index, each in enumerate(dosage.dose_and_rate):
        yield from _dose(each, (*at, "doseAndRate", index), knowledge)
        yield from _rate(each, knowledge)
    if dosage.timing:
        yield from _timing(dosage.timing, knowledge)


def _dose(each: DoseAndRate, at: Path, knowledge: OrderChecks) -> Stated:
    one, two = each.dose_quantity, each.dose_range
    if one is not None:
        yield from _measured(one, one, knowledge.reading.quantity_units, (*at, "doseQuantity", "value"))
    elif two is not None and two.low is not None and two.high is not None:
        yield from _measured(two.low, two.high, knowledge.reading.quantity_units, None)


def _measured(low: Quantity, high: Quantity, units: Mapping[str, tuple[str, float]], path: Path | None) -> Stated:
    first, last = _unit(low, units), _unit(high, units)
    if first and last and first[0] == last[0] and _usable(low.value) and _usable(high.value):
        measure, factor = first
        value = Range(_plain(low.value) * factor, _plain(high.value) * last[1])
        if value.low <= value.high and not (low.comparator or high.comparator):
            yield measure, value, path


def _unit(quantity: Quantity, units: Mapping[str, tuple[str, float]]) -> tuple[str, float] | None:
    """The measure and the factor of a unit; a code and a unit that contradict each other are no unit."""
    known = [units[text.lower()] for text in (quantity.code, quantity.unit) if text and text.lower() in units]
    return known[0] if known and all(each == known[0] for each in known) else None


def _rate(each: DoseAndRate, knowledge: OrderChecks) -> Stated:
    if each.rate_quantity is not None:
        yield from _measured(each.rate_quantity, each.rate_quantity, knowledge.reading.rate_units, None)
    elif each.rate_ratio is not None:
        yield from _ratio(each.rate_ratio, knowledge)


def _ratio(ratio: Ratio, knowledge: OrderChecks) -> Stated:
    above, below = ratio.numerator, ratio.denominator
    if above is None or below is None or not (_usable(above.value) and _usable(below.value)):
        return
    dose = _unit(above, knowledge.reading.quantity_units)
    minutes = knowledge.reading.time_units.get((below.code or below.unit or "").lower())
    if dose and minutes:
        per_hour = _plain(above.value) * dose[1] / (_plain(below.value) * minutes) * knowledge.reading.time_units["h"]
        yield dose[0].replace("dose", "rate"), _range(per_hour), None


def _timing(timing: Timing, knowledge: OrderChecks) -> Stated:
    repeat, reading = timing.repeat, knowledge.reading
    if repeat is None:
        return
    if _usable(repeat.count):
        yield "sessions", Range(_plain(repeat.count), max(_plain(repeat.count), repeat.count_max or 0.0)), None
    minutes = reading.time_units.get((repeat.duration_unit or "").lower())
    if minutes and _usable(repeat.duration):
        longest = repeat.duration_max if _usable(repeat.duration_max) else repeat.duration
        value = Range(_plain(repeat.duration), _plain(longest)).times(minutes)
        if value.low <= value.high:
            yield "infusion_minutes", value, None
    if repeat.bounds_duration and _usable(repeat.bounds_duration.value):
        unit = repeat.bounds_duration.code or repeat.bounds_duration.unit or ""
        if weeks := reading.period_weeks.get(unit):
            yield "weeks", _range(_plain(repeat.bounds_duration.value) * weeks), None
    if repeat.day_of_week:
        yield "per_week", _range(float(len(set(repeat.day_of_week)))), None
        return
    weeks_each = reading.period_weeks.get(repeat.period_unit or "")
    if weeks_each and (_usable(repeat.period) or repeat.period is None):
        period = repeat.period or 1.0
        often = repeat.frequency if _usable(repeat.frequency) else 1.0
        most = max(_plain(often), repeat.frequency_max or 0.0)
        longest_period = max(period, repeat.period_max or 0.0)
        yield "per_week", Range(_plain(often) / (longest_period * weeks_each), most / (period * weeks_each)), None


def _usable(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0


def _plain(value: float | None) -> float:
    return value if value is not None else 0.0


def _range(value: float | None) -> Range:
    return Range(_plain(value), _plain(value))
