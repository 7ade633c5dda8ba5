"""What an order states, measure by measure: from its fields, from its text, and whether the two agree.

1. The dosage is read step by step: elements with the same ``sequence`` form a step, the steps follow in order, and
   then come the timing, the quantity and the name of the order. The first that states a measure decides; notes are
   read only without a dosage.
2. Within a step, fields that state several values give none (``several``), although the highest of them is kept for an
   alarm; several values in the text without a field give none either.
3. A value that only the fields or only the text states is taken as it is.
4. One value in the text must agree with the fields to within ``same_percent``, else there is none (``disagree``).
5. Of several values in the text, as in a calculation, one must agree to within ``same_percent`` and all to within
   ``rounded_percent``, else there is none (``several``).
6. Sessions follow from sessions per week and weeks, or sessions per week from sessions and weeks, where not stated.
7. A path, which lets a correction replace the number, is kept only where the number stands in one field, the text does
   not repeat it, the order has a single dose, and has the shape of R4.
8. A measure that a member states which cannot be read is ``unreadable`` if nothing else states it; a value that
   something else states may deviate, but is never confirmed. So is a dose in a field of which nothing can be made.

Example, ketamine with the fields 0.5 mg/kg, 2 a week for 3 weeks: the text ``0.5 mg/kg IV over 40 minutes`` agrees and
adds 40 minutes, and 6 sessions follow. With the text ``0.75 mg/kg IV over 40 minutes`` the dose is ``disagree``; the
other measures stand.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

import msgspec

from fhir_plugin.drafts.draft_orders import Draft
from fhir_plugin.drafts.forgiving import MemberPath
from fhir_plugin.order_checks.words import StatedRange, order_text, stated
from fhir_plugin.record.datatypes import Dosage, DoseAndRate, Quantity, Range, Ratio, Timing, TimingRepeat
from mappings.schema.order_checks import OrderChecks
from mappings.schema.order_checks.model import OrderReadingRules

Path = tuple[str | int, ...]
StatedField = tuple[str, StatedRange, Path | None]
"""A measure, its value, and the path of the number where there is exactly one."""
StatedFields = Iterator[StatedField]

_DAYS = 7
_WORD_MEASURES = (
    "dose_per_kg",
    "dose_mg",
    "rate_mg",
    "rate_per_kg",
    "infusion_minutes",
    "per_week",
    "sessions",
    "weeks",
)


class StatedMeasure(msgspec.Struct, frozen=True, kw_only=True):
    """What an order states of one measure."""

    value: StatedRange | None = None
    fault: str = ""
    """Why there is no single value: a key of ``why`` in ``_words.yaml``."""
    fields: StatedRange | None = None
    words: StatedRange | None = None
    path: Path | None = None
    """Where the number is in the resource, if it is in exactly one place."""
    unread: bool = False
    """Whether a member that cannot be read may state another value."""
    most: StatedRange | None = None
    """The highest, where the fields state several."""


NOT_STATED = StatedMeasure(fault="not_stated")


class DraftMeasures(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Every measure of one order."""

    measures: Mapping[str, StatedMeasure]
    instructions: str
    """The words of routes and instructions, in lower case."""

    def of(self, measure: str) -> StatedMeasure:
        """What the order states of a measure."""
        return self.measures.get(measure, NOT_STATED)

    @cached_property
    def has_several(self) -> bool:
        """Whether the fields state several values of a measure."""
        return any(measure.most for measure in self.measures.values())

    def highest(self) -> DraftMeasures:
        """The same with the highest value of each measure of which the fields state several."""
        measures = {
            name: StatedMeasure(value=measure.most) if measure.most else measure
            for name, measure in self.measures.items()
        }
        return msgspec.structs.replace(self, measures=measures)


def read_order(draft: Draft, knowledge: OrderChecks, *, dose_in_name: bool) -> DraftMeasures:
    """The measures of a draft; ``dose_in_name``: the name of the product states the dose of a session."""
    parts = tuple(_parts(draft, knowledge))
    measures = _first_stated(_part(fields, texts, knowledge) for fields, texts in parts if fields or texts)
    if dose_in_name and measures["dose_mg"].fault == "not_stated":
        names = [order_text(name, knowledge) for name in draft.words]
        measures["dose_mg"] = _joined([], stated("dose_mg", names, knowledge), knowledge)
    _derive_missing(measures)
    for name in _unread(draft, measures):
        measures[name] = _unconfirmed(measures.get(name, NOT_STATED))
    doses = [path for fields, _ in parts for measure, _, path in fields if measure.startswith("dose_")]
    routes = (*draft.routes, *knowledge.reading.route_words(draft.coded_routes))
    instructions = "\n".join((*routes, *(text for _, texts in parts for text in texts))).lower()
    correctable = len(doses) == 1 and draft.as_shaped
    return DraftMeasures(measures=measures if correctable else _without_paths(measures), instructions=instructions)


def _first_stated(parts: Iterable[Mapping[str, StatedMeasure]]) -> dict[str, StatedMeasure]:
    """Each measure from the first part that states it."""
    measures = dict.fromkeys(_WORD_MEASURES, NOT_STATED)
    for part in parts:
        for measure, stated_measure in part.items():
            if measures.get(measure, NOT_STATED).fault == "not_stated":
                measures[measure] = stated_measure
    return measures


_DOSES, _RATES = frozenset(("dose_per_kg", "dose_mg")), frozenset(("rate_mg", "rate_per_kg"))
_TIMES = frozenset(("infusion_minutes", "per_week", "sessions", "weeks"))
_BY_MEMBER = {
    "timing": _TIMES, "occurrenceTiming": _TIMES, "quantityQuantity": frozenset(("sessions",)), "route": _DOSES,
    "asNeededBoolean": _TIMES, "asNeededCodeableConcept": _TIMES, "doseAndRate": _DOSES | _RATES,
    "doseQuantity": _DOSES, "doseSimpleQuantity": _DOSES, "doseRange": _DOSES,
    "rateQuantity": _RATES, "rateSimpleQuantity": _RATES, "rateRatio": _RATES,
}  # fmt: skip
"""The measures that a member of an order may state, or on which their numbers depend; any other may state each."""


def _stated_by(path: MemberPath) -> frozenset[str]:
    """The measures that the member of this path may state; within ``doseAndRate`` its own member decides."""
    inner = next((name for name in path if name in _BY_MEMBER and name != "doseAndRate"), "doseAndRate")
    return _BY_MEMBER[inner] if inner in path else _DOSES | _RATES | _TIMES


def _unread(draft: Draft, measures: Mapping[str, StatedMeasure]) -> set[str]:
    """The measures that a member may state which cannot be read, or of which nothing can be made."""
    unread = {name for path in draft.unread for name in _stated_by(path)}
    if all(measures[name] is NOT_STATED for name in _DOSES) and _has_dose_field(draft):
        unread |= _DOSES  # its unit is not known, it is a limit, or half a range
    return unread


def _has_dose_field(draft: Draft) -> bool:
    """Whether a field of the dosage holds a dose, whatever can be made of it."""
    told = (dose_and_rate for dosage in draft.dosage for dose_and_rate in dosage.dose_and_rate)
    quantities = [quantity for one in told for quantity in (one.dose_quantity, *_ends(one.dose_range))]
    return any(quantity is not None and quantity.value is not None for quantity in quantities)


def _ends(span: Range | None) -> tuple[Quantity | None, ...]:
    return (span.low, span.high) if span else ()


def _unconfirmed(stated_measure: StatedMeasure) -> StatedMeasure:
    fault = "unreadable" if stated_measure.fault == "not_stated" else stated_measure.fault
    return msgspec.structs.replace(stated_measure, fault=fault, unread=True, path=None)


def _parts(draft: Draft, knowledge: OrderChecks) -> Iterator[tuple[list[StatedField], tuple[str, ...]]]:
    """Fields and words that belong together: the steps of the dosage in their order, then everything else."""
    steps: dict[float, list[int]] = {}
    for index, dosage in enumerate(draft.dosage):
        steps.setdefault(dosage.sequence or 0, []).append(index)
    for _, members in sorted(steps.items()):
        fields = [
            field
            for index in members
            for field in _dosage(draft.dosage[index], ("dosageInstruction", index), knowledge)
        ]
        yield fields, tuple(text for index in members for text in _words_of(draft.dosage[index]))
    yield _outside_dosage(draft, knowledge)
    if not draft.dosage:
        yield [], draft.notes


def _outside_dosage(draft: Draft, knowledge: OrderChecks) -> tuple[list[StatedField], tuple[str, ...]]:
    """Fields and words of a draft that are in no dosage."""
    timing, count = draft.timing, draft.quantity
    fields = list(_timing(timing, knowledge)) if timing else []
    if count and _usable(count.value) and not count.comparator:
        fields.append(("sessions", _range(count.value), None))
    instructive = [name for name in draft.words if _is_instructive(name, knowledge)]
    return fields, (*((timing.code.label,) if timing and timing.code else ()), *instructive)


_INSTRUCTIVE = ("infusion_minutes", "per_week", "interval_days", "sessions")
"""A name that states one of these is an instruction too, and everything else that it states counts."""


def _is_instructive(name: str, knowledge: OrderChecks) -> bool:
    texts = (order_text(name, knowledge),)
    return any(stated(measure, texts, knowledge) for measure in _INSTRUCTIVE)


def _words_of(dosage: Dosage) -> tuple[str, ...]:
    code = dosage.timing.code.label if dosage.timing and dosage.timing.code else None
    return tuple(text for text in (dosage.text, dosage.patient_instruction, code) if text)


def _part(fields: list[StatedField], texts: tuple[str, ...], knowledge: OrderChecks) -> dict[str, StatedMeasure]:
    """The measures that a part states."""
    read = [order_text(text, knowledge) for text in texts]
    measures = {}
    for measure in {*_WORD_MEASURES, *(name for name, _, _ in fields)}:
        words = stated(measure, read, knowledge) if measure in _WORD_MEASURES else ()
        if measure == "per_week":
            words += tuple(_per_week(interval) for interval in stated("interval_days", read, knowledge))
        of_fields = [(value, path) for name, value, path in fields if name == measure]
        if of_fields or words:
            measures[measure] = _joined(of_fields, words, knowledge)
    return measures


def _joined(
    fields: list[tuple[StatedRange, Path | None]], words: tuple[StatedRange, ...], knowledge: OrderChecks
) -> StatedMeasure:
    """One value from fields and words; words that also calculate must still state the value of the fields."""
    percent = knowledge.reading.same_percent.value
    values = list(dict.fromkeys(value for value, _ in fields))
    if len(values) > 1:
        return StatedMeasure(fault="several", most=max(values, key=lambda value: value.high))
    if len(words) > 1 and not values:
        return StatedMeasure(fault="several")
    field, word = next(iter(values), None), next(iter(words), None)
    if field is None:
        return NOT_STATED if word is None else StatedMeasure(value=word, words=word)
    if len(words) == 1 and word is not None and field.differs(word, percent):
        return StatedMeasure(fault="disagree", fields=field, words=word)
    if words and not _still_states(field, words, knowledge):
        return StatedMeasure(fault="several")
    return StatedMeasure(
        value=field, fields=field, words=word, path=fields[0][1] if len(fields) == 1 and not words else None
    )


def _still_states(field: StatedRange, words: tuple[StatedRange, ...], knowledge: OrderChecks) -> bool:
    """Whether one of the words states the value of the field, and the others at least that value rounded."""
    same, rounded = knowledge.reading.same_percent.value, knowledge.reading.rounded_percent.value
    differs = [field.differs(value, same) for value in words]
    return not all(differs) and not any(field.differs(value, rounded) for value in words)


def _derive_missing(measures: dict[str, StatedMeasure]) -> None:
    """The sessions from frequency and weeks, or the frequency from sessions and weeks."""
    frequency, weeks, count = measures["per_week"], measures["weeks"].value, measures["sessions"]
    if weeks is None:
        return
    if count.fault == "not_stated" and frequency.value:
        total = StatedRange(round(frequency.value.low * weeks.low, 1), round(frequency.value.high * weeks.high, 1))
        measures["sessions"] = StatedMeasure(value=total)
    elif frequency.fault == "not_stated" and count.value:
        ends = (count.value.low / weeks.high, count.value.high / weeks.low)
        measures["per_week"] = StatedMeasure(value=StatedRange(min(ends), max(ends)))


def _without_paths(measures: dict[str, StatedMeasure]) -> dict[str, StatedMeasure]:
    return {
        name: msgspec.structs.replace(measure, path=None) if measure.path else measure
        for name, measure in measures.items()
    }


def _per_week(days: StatedRange) -> StatedRange:
    return StatedRange(_DAYS / days.high, _DAYS / days.low)


# Fields


def _dosage(dosage: Dosage, at: Path, knowledge: OrderChecks) -> StatedFields:
    for index, dose_and_rate in enumerate(dosage.dose_and_rate):
        yield from _dose(dose_and_rate, (*at, "doseAndRate", index), knowledge)
        yield from _rate(dose_and_rate, knowledge)
    if dosage.timing:
        yield from _timing(dosage.timing, knowledge)


def _dose(dose_and_rate: DoseAndRate, at: Path, knowledge: OrderChecks) -> StatedFields:
    quantity, span = dose_and_rate.dose_quantity, dose_and_rate.dose_range
    if quantity is not None:
        yield from _measured(quantity, quantity, knowledge.reading.quantity_units, (*at, "doseQuantity", "value"))
    elif span is not None and span.low is not None and span.high is not None:
        yield from _measured(span.low, span.high, knowledge.reading.quantity_units, None)


def _measured(low: Quantity, high: Quantity, units: Mapping[str, tuple[str, float]], path: Path | None) -> StatedFields:
    first, last = _unit(low, units), _unit(high, units)
    if first and last and first[0] == last[0] and _usable(low.value) and _usable(high.value):
        measure, factor = first
        value = StatedRange(_plain(low.value) * factor, _plain(high.value) * last[1])
        if value.low <= value.high and not (low.comparator or high.comparator):
            yield measure, value, path if factor == 1 else None  # a correction writes the number, never the unit


def _unit(quantity: Quantity, units: Mapping[str, tuple[str, float]]) -> tuple[str, float] | None:
    """The measure and the factor of a unit; ``None`` where code and unit contradict each other."""
    matches = [units[text.lower()] for text in (quantity.code, quantity.unit) if text and text.lower() in units]
    return matches[0] if matches and all(match == matches[0] for match in matches) else None


def _rate(dose_and_rate: DoseAndRate, knowledge: OrderChecks) -> StatedFields:
    if dose_and_rate.rate_quantity is not None:
        yield from _measured(
            dose_and_rate.rate_quantity, dose_and_rate.rate_quantity, knowledge.reading.rate_units, None
        )
    elif dose_and_rate.rate_ratio is not None:
        yield from _ratio(dose_and_rate.rate_ratio, knowledge)


def _ratio(ratio: Ratio, knowledge: OrderChecks) -> StatedFields:
    numerator, denominator = ratio.numerator, ratio.denominator
    if numerator is None or denominator is None or not (_usable(numerator.value) and _usable(denominator.value)):
        return
    dose = _unit(numerator, knowledge.reading.quantity_units)
    minutes = knowledge.reading.time_units.get((denominator.code or denominator.unit or "").lower())
    if dose and minutes:
        per_hour = (
            _plain(numerator.value)
            * dose[1]
            / (_plain(denominator.value) * minutes)
            * knowledge.reading.time_units["h"]
        )
        yield dose[0].replace("dose", "rate"), _range(per_hour), None


def _timing(timing: Timing, knowledge: OrderChecks) -> StatedFields:
    repeat, reading = timing.repeat, knowledge.reading
    if repeat is None:
        return
    if _usable(repeat.count):
        yield "sessions", StatedRange(_plain(repeat.count), max(_plain(repeat.count), repeat.count_max or 0.0)), None
    yield from _duration(repeat, reading)
    yield from _bounds(repeat, reading)
    if repeat.day_of_week:
        yield "per_week", _range(float(len(set(repeat.day_of_week)))), None
    else:
        yield from _frequency(repeat, reading)


def _duration(repeat: TimingRepeat, reading: OrderReadingRules) -> StatedFields:
    """How long one infusion or session takes."""
    minutes = reading.time_units.get((repeat.duration_unit or "").lower())
    if minutes and _usable(repeat.duration):
        longest = repeat.duration_max if _usable(repeat.duration_max) else repeat.duration
        value = StatedRange(_plain(repeat.duration), _plain(longest)).times(minutes)
        if value.low <= value.high:
            yield "infusion_minutes", value, None


def _frequency(repeat: TimingRepeat, reading: OrderReadingRules) -> StatedFields:
    """How often in a week, from the frequency and its period."""
    weeks_per_period = reading.period_weeks.get(repeat.period_unit or "")
    if weeks_per_period and (_usable(repeat.period) or repeat.period is None):
        period = repeat.period or 1.0
        frequency = repeat.frequency if _usable(repeat.frequency) else 1.0
        most = max(_plain(frequency), repeat.frequency_max or 0.0)
        longest_period = max(period, repeat.period_max or 0.0)
        yield (
            "per_week",
            StatedRange(_plain(frequency) / (longest_period * weeks_per_period), most / (period * weeks_per_period)),
            None,
        )


def _bounds(repeat: TimingRepeat, reading: OrderReadingRules) -> StatedFields:
    """The duration in weeks."""
    duration, span = repeat.bounds_duration, repeat.bounds_range
    low, high = (span.low, span.high) if span else (duration, duration)
    if low is None or high is None or not (_usable(low.value) and _usable(high.value)):
        return
    first, last = (reading.period_weeks.get(quantity.code or quantity.unit or "") for quantity in (low, high))
    if first and last and _plain(low.value) * first <= _plain(high.value) * last:
        yield "weeks", StatedRange(_plain(low.value) * first, _plain(high.value) * last), None


def _usable(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0


def _plain(value: float | None) -> float:
    return value if value is not None else 0.0


def _range(value: float | None) -> StatedRange:
    return StatedRange(_plain(value), _plain(value))
