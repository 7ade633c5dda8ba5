"""Dosage elements into phases: from the structured fields, from the text, and whether all of it is as needed.

Elements with the same ``sequence`` are taken together; increasing numbers are successive phases. Both readings, by
fields and by text, are kept: `exposures`, which knows the product, compares them and takes the lower if they disagree.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from fhir_plugin.facts.medications.intakes import MAX_DURATION_DAYS, DosePhase, Intake
from fhir_plugin.facts.medications.reasons import NOT_STATED, indication_in_sig
from fhir_plugin.facts.medications.sigs import read_frequency, read_sig
from fhir_plugin.record.datatypes import CodeableConcept, Dosage, DoseAndRate, Quantity, Timing, TimingRepeat
from fhir_plugin.record.dates import day_span
from mappings.schema.medications import Medications
from mappings.schema.medications.model import DoseUnit

DAYS_PER_WEEK = 7


class DosageReading(msgspec.Struct, frozen=True, gc=False):
    """The dosage of one resource, independent of the product."""

    structured: tuple[DosePhase, ...] | None
    """``None`` where the fields do not give a dose and a frequency."""
    text: tuple[DosePhase, ...] | None
    """``None`` where the text is missing or not understood."""
    prn: bool = False
    """Whether all of it is taken only as needed."""
    flags: tuple[str, ...] = ()
    restricted: bool = False
    """Whether the text restricts the days in a way that is not understood: no field and no supply gives the dose."""
    indication: str = ""
    """What the text says that it is for: a result of `indication_in_sig`."""

    @property
    def moments(self) -> tuple[str, ...]:
        """The times of day of the first phase, by the fields or else by the text."""
        return _moments_of(self.structured) or _moments_of(self.text)


def _moments_of(phases: tuple[DosePhase, ...] | None) -> tuple[str, ...]:
    if not phases:
        return ()
    intakes = phases[0].intakes
    if len(intakes) == 1:
        return intakes[0].moments
    return tuple(sorted({moment for intake in intakes for moment in intake.moments}))


NO_DOSAGE = DosageReading(None, None)


class _Element(msgspec.Struct, frozen=True, gc=False):
    sequence: float
    words: str | None
    structured: tuple[DosePhase, ...] | None
    text: tuple[DosePhase, ...] | None
    prn: bool
    flags: tuple[str, ...]
    restricted: bool


_ByFields: TypeAlias = tuple[tuple[DosePhase, ...] | None, tuple[str, ...]]
"""What the structured fields say, and flags on how they were read."""


class DosageReader:
    """Reads the dosages of one record. What their fields say is repeated more often than the words beside it."""

    __slots__ = ("_by_fields", "_medications")

    def __init__(self, medications: Medications) -> None:
        self._medications = medications
        self._by_fields: dict[tuple[Timing | None, tuple[DoseAndRate, ...]], _ByFields] = {}

    def read(self, elements: tuple[Dosage, ...]) -> DosageReading:
        """The phases of a dosage instruction."""
        if not elements:
            return NO_DOSAGE
        read = [_element(element, self._fields(element), self._medications) for element in elements]
        words = "\n".join([element.words for element in read if element.words])
        indication = indication_in_sig(words, self._medications) if words else NOT_STATED
        return _reading(read[0] if len(read) == 1 else _combined(read), indication)

    def _fields(self, element: Dosage) -> _ByFields:
        key = (element.timing, element.dose_and_rate)
        read = self._by_fields.get(key)
        if read is None:
            flags: list[str] = []
            read = self._by_fields[key] = (_structured(element, self._medications, flags), tuple(flags))
        return read


def _reading(element: _Element, indication: str) -> DosageReading:
    flags = tuple(dict.fromkeys(element.flags)) if element.flags else ()
    if element.prn:
        return DosageReading(None, None, prn=True, flags=(*flags, "prn"), indication=indication)
    if element.restricted:
        return DosageReading(None, None, flags=flags, restricted=True, indication=indication)
    return DosageReading(element.structured, element.text, flags=flags, indication=indication)


def _combined(read: list[_Element]) -> _Element:
    """Several elements as one; those that are taken as needed do not count beside others."""
    counted = [element for element in read if not element.prn]
    return _Element(
        0,
        None,
        _in_sequence([(element.sequence, element.structured) for element in counted]),
        _in_sequence([(element.sequence, element.text) for element in counted]),
        not counted,
        tuple([flag for element in read for flag in element.flags]),
        any(element.restricted for element in counted),
    )


def _element(element: Dosage, by_fields: _ByFields, medications: Medications) -> _Element:
    structured, flags = by_fields
    words = element.text or element.patient_instruction
    sig = read_sig(words, medications) if words else None
    prn = bool(element.as_needed_boolean) or element.as_needed_codeable_concept is not None
    if sig is None:
        return _Element(element.sequence or 0, words, structured, None, prn, flags, restricted=False)
    text = None if sig.prn or sig.restricted else sig.phases
    return _Element(element.sequence or 0, words, structured, text, prn or sig.prn, flags + sig.flags, sig.restricted)


def _in_sequence(read: list[tuple[float, tuple[DosePhase, ...] | None]]) -> tuple[DosePhase, ...] | None:
    """One list of phases for all elements; ``None`` as soon as one of them could not be read."""
    groups: dict[float, list[tuple[DosePhase, ...]]] = {}
    for sequence, phases in read:
        if phases is None:
            return None
        groups.setdefault(sequence, []).append(phases)
    result: list[DosePhase] = []
    for sequence in sorted(groups):
        together = _together(groups[sequence])
        if together is None or (result and result[-1].days is None):
            return None
        result += together
    return tuple(result)


def _together(group: list[tuple[DosePhase, ...]]) -> tuple[DosePhase, ...] | None:
    if len(group) == 1:
        return group[0]
    if any(len(phases) != 1 for phases in group):
        return None
    lengths = {phases[0].days for phases in group}
    if len(lengths) != 1:
        return None
    return (DosePhase(tuple(intake for phases in group for intake in phases[0].intakes), lengths.pop()),)


def _structured(element: Dosage, medications: Medications, flags: list[str]) -> tuple[DosePhase, ...] | None:
    dose = _dose(element.dose_and_rate)
    if dose is None or dose.value is None or dose.value < 0 or element.timing is None:
        return None
    if dose is not element.dose_and_rate[0].dose_quantity and element.dose_and_rate[0].dose_range:
        flags.append("range_low")
    unit = _dose_unit(dose, medications)
    if unit is None or unit.dimension == "unknown":
        flags.append("unit_unknown")
        return None
    per_day = _per_day(element.timing, medications)
    if per_day is None or per_day <= 0:
        return None
    amount = dose.value * unit.factor
    moments = _moments(element.timing, medications)
    intake = Intake(
        per_day,
        mg=amount if unit.dimension == "mg" else None,
        units=amount if unit.dimension == "unit" else None,
        ml=amount if unit.dimension == "ml" else None,
        moments=moments,
    )
    return (DosePhase((intake,), _bounds(element.timing, medications)),)


def _dose_unit(dose: Quantity, medications: Medications) -> DoseUnit | None:
    """The unit of a dose, by its code or else its name; a number alone counts units such as tablets."""
    by_code = medications.units.get((dose.code or dose.unit or "1").lower())
    return by_code or medications.units.get((dose.unit or "").lower())


def _dose(choices: tuple[DoseAndRate, ...]) -> Quantity | None:
    """The ordered dose before the calculated one; the low end of a range."""
    if not choices:
        return None
    chosen = next((choice for choice in choices if _is_ordered(choice.type)), choices[0])
    if chosen.dose_quantity is not None:
        return chosen.dose_quantity
    return chosen.dose_range.low if chosen.dose_range else None


def _is_ordered(kind: CodeableConcept | None) -> bool:
    return kind is not None and any(coding.code == "ordered" for coding in kind.coding)


def _per_day(timing: Timing, medications: Medications) -> float | None:
    repeat = timing.repeat
    if repeat is not None:
        by_repeat = _by_repeat(repeat, medications)
        if by_repeat is not None:
            return by_repeat
    return _by_code(timing.code, medications)


def _by_repeat(repeat: TimingRepeat, medications: Medications) -> float | None:
    share = len(set(repeat.day_of_week)) / DAYS_PER_WEEK if repeat.day_of_week else 1.0
    listed = len(repeat.time_of_day) or len(repeat.when)
    if repeat.period is None and repeat.frequency is None:
        return _by_day(listed, share, repeat)
    unit = medications.timing.period_days.get(repeat.period_unit or "")
    if unit is None:
        return None
    period = max(repeat.period or 1.0, repeat.period_max or 0.0)
    frequency = repeat.frequency if repeat.frequency is not None else float(listed or 1)
    if period <= 0 or frequency <= 0:
        return None
    per_day = frequency / (period * unit)
    return per_day * share if per_day >= 1 else per_day


def _by_day(listed: int, share: float, repeat: TimingRepeat) -> float | None:
    """Intakes per day where neither frequency nor period is given: the listed times, else the days of the week."""
    if listed:
        return listed * share
    return share if repeat.day_of_week else None


def _by_code(code: CodeableConcept | None, medications: Medications) -> float | None:
    if code is None:
        return None
    for coding in code.coding:
        per_day = medications.timing.per_day.get((coding.code or "").upper())
        if per_day is not None:
            return per_day
    return read_frequency(code.text or code.label, medications)


def _moments(timing: Timing, medications: Medications) -> tuple[str, ...]:
    names = medications.timing.moments
    codes = list(timing.repeat.when) if timing.repeat else []
    if timing.code is not None:
        codes += [(coding.code or "").upper() for coding in timing.code.coding]
    clock = timing.repeat.time_of_day if timing.repeat else ()
    return tuple(sorted({names[code] for code in codes if code in names} | set(clock)))


def _bounds(timing: Timing, medications: Medications) -> float | None:
    repeat = timing.repeat
    if repeat is None:
        return None
    if repeat.bounds_duration is not None:
        return days_of(repeat.bounds_duration, medications)
    if repeat.bounds_period is not None:
        start, end = day_span(repeat.bounds_period.start), day_span(repeat.bounds_period.end)
        if start and end and end.first >= start.last:
            return float((end.first - start.last).days)
    return None


def days_of(duration: Quantity | None, medications: Medications) -> float | None:
    """A duration in days; ``None`` if not positive, not in a unit of time, or over ``MAX_DURATION_DAYS``."""
    if duration is None or duration.value is None or duration.value <= 0:
        return None
    unit_text = duration.code or duration.unit or "d"
    unit = medications.timing.period_days.get(unit_text)
    if unit is None:
        for entry in medications.sig_words.get(unit_text.lower(), ()):
            if entry.token.kind == "period" and len(entry.words) == 1:
                unit = entry.token.value
    days = duration.value * unit if unit else MAX_DURATION_DAYS + 1
    return days if days <= MAX_DURATION_DAYS else None
