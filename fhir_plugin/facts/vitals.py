"""Vital signs: the newest usable blood pressure and weight.

A reading is usable if it has a known unit, an allowed status, no comparator and a plausible value. Other readings are
not used; where one of them may be newer than the reading in use, the fact says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import NamedTuple

import msgspec

from fhir_plugin.facts.fact import Evidence, Fact, Measurement
from fhir_plugin.record.datatypes import CodeableConcept, Quantity
from fhir_plugin.record.dates import DaySpan, day_span
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Observation, ObservationComponent
from mappings.schema.codes.vitals import VitalSign
from mappings.schema.load import Knowledge

_UNDATED = DaySpan(date.min, date.min)


class VitalReading(NamedTuple):
    """Components of one vital sign at one time; ``None`` for a component that is not usable."""

    day: DaySpan
    moment: float
    """Epoch seconds where the time of day is known, else 0; orders readings of one day."""
    components: Mapping[str, float | None]
    reference: str
    written: str = ""
    """As recorded, ``176 [lb_av]``, where the unit differs from the one used here."""

    @property
    def values(self) -> tuple[float, ...]:
        """The usable values, in the order of the component names."""
        return tuple(value for _, value in sorted(self.components.items()) if value is not None)

    @property
    def order(self) -> tuple[date, float, tuple[float, ...], str]:
        """Oldest first; of readings of the same time the highest last, because it is the safer one to use."""
        values = tuple(value if value is not None else 0.0 for _, value in sorted(self.components.items()))
        return self.day.last, self.moment, values, self.reference


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """The newest usable reading of every vital sign."""

    by_name: Mapping[str, Fact]

    def facts(self) -> Mapping[str, Fact]:
        """``<vital sign>.latest`` for every vital sign in ``vitals.yaml``."""
        return self.by_name


def read_vitals(record: Record, knowledge: Knowledge, as_of: date) -> Vitals:
    """Find the newest usable reading of every vital sign."""
    signs = knowledge.vital_signs
    by_day: dict[str, dict[str, list[Observation]]] = {name: {} for name in signs.vital_signs}
    for observation in record.all("observations", Observation):
        sign = _sign_of(observation, knowledge)
        if sign is not None and observation.status in signs.statuses:
            by_day[sign].setdefault(_day_key(observation), []).append(observation)
    facts = [_latest(name, days, record, knowledge, as_of) for name, days in by_day.items()]
    return Vitals(by_name={fact.name: fact for fact in facts})


_DAY_LENGTH = len("2026-06-01")


def _day_key(observation: Observation) -> str:
    """The day as text that sorts chronologically; a month sorts after its days, a missing day before all others."""
    when = (_timestamp(observation) or "")[:_DAY_LENGTH]
    return when if len(when) in (0, _DAY_LENGTH) else f"{when}~"


def _sign_of(observation: Observation, knowledge: Knowledge) -> str | None:
    """The vital sign by the code, else by a component: older panels have their own codes or only text."""
    index = knowledge.vital_signs.by_code
    for code in (observation.code, *[component.code for component in observation.component]):
        for coding in code.coding if code else ():
            place = index.get(coding.code or "")
            if place is not None and coding.system in knowledge.vital_signs.systems:
                return place[0]
    return None


def _reading(observation: Observation, sign: str, knowledge: Knowledge) -> VitalReading | None:
    when = _timestamp(observation)
    measured: list[Observation | ObservationComponent] = [observation, *observation.component]
    components: dict[str, float | None] = {}
    written = ""
    shape = knowledge.vital_signs.vital_signs[sign]
    for part in measured:
        name = _component_of(part.code, sign, knowledge)
        if name is not None and part.value_quantity is not None:
            components[name] = _plausible_value(part.value_quantity, shape, name)
            written = written or _original_text(part.value_quantity, shape)
        elif name is not None and part.value_string:
            components[name] = None
    if not components and not observation.value_string:
        return None
    if not components:  # written as a sentence: it was measured but is not usable
        components = dict.fromkeys(shape.components)
    elif not _consistent(components, shape):
        components = dict.fromkeys(components)
    return VitalReading(day_span(when) or _UNDATED, _epoch_seconds(when), components, observation.reference, written)


def _timestamp(observation: Observation) -> str | None:
    period = observation.effective_period
    in_period = (period.start or period.end) if period else None
    return observation.effective_date_time or observation.effective_instant or in_period or observation.issued


def _epoch_seconds(when: str | None) -> float:
    if when is None or "T" not in when:
        return 0.0
    try:
        moment = datetime.fromisoformat(when)
    except ValueError:
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _component_of(code: CodeableConcept | None, sign: str, knowledge: Knowledge) -> str | None:
    for coding in code.coding if code else ():
        place = knowledge.vital_signs.by_code.get(coding.code or "")
        if place is not None and place[0] == sign and place[1] and coding.system in knowledge.vital_signs.systems:
            return place[1]
    return None


def _plausible_value(quantity: Quantity, shape: VitalSign, component: str) -> float | None:
    if quantity.value is None or quantity.comparator:
        return None
    factor = _factor(quantity, shape)
    if factor is None:
        return None
    value = quantity.value * factor
    bounds = shape.components[component]
    return value if bounds.lowest.value <= value <= bounds.highest.value else None


def _factor(quantity: Quantity, shape: VitalSign) -> float | None:
    """The factor from the unit of the quantity to the unit used here; ``None`` if unknown or contradictory."""
    factor = _unit_factor(_unit(quantity), shape)
    by_text = _unit_factor(quantity.unit or "", shape)
    return None if factor and by_text and factor != by_text else factor  # the unit ``lb`` with the code ``kg``


def _unit_factor(written: str, shape: VitalSign) -> float | None:
    return shape.units.get(written) or shape.units.get(written.lower())


def _unit(quantity: Quantity) -> str:
    return quantity.code or quantity.unit or ""  # the code decides: the unit beside it may be any text


def _original_text(quantity: Quantity, shape: VitalSign) -> str:
    """The quantity as recorded, where its unit differs from the one used here."""
    if _factor(quantity, shape) in (1, None) or quantity.value is None:
        return ""
    return f"{quantity.value:g} {_unit(quantity)}"


def _consistent(components: Mapping[str, float | None], shape: VitalSign) -> bool:
    """Whether components that have a natural order (diastolic below systolic) respect it."""
    values = [components.get(name) for name in shape.rising]
    known = [value for value in values if value is not None]
    return all(low < high for low, high in pairwise(known))


def _merged_readings(readings: list[VitalReading], shape: VitalSign) -> list[VitalReading]:
    """Readings in order; components recorded separately at the same time are merged into one reading."""
    whole: list[VitalReading] = []
    single: dict[float, list[VitalReading]] = {}
    for reading in readings:
        if len(reading.components) == 1 < len(shape.components):
            single.setdefault(reading.moment, []).append(reading)
        else:
            whole.append(reading)
    for moment, parts in single.items():
        parts.sort(key=lambda part: part.order)
        components = {name: value for part in parts for name, value in part.components.items()}
        if not _consistent(components, shape):
            components = dict.fromkeys(components)
        written = parts[-1].written if len(components) == 1 else ""
        whole.append(VitalReading(parts[-1].day, moment, components, parts[-1].reference, written))
    if all(reading.moment for reading in whole):
        return sorted(whole, key=lambda reading: reading.order)
    return sorted(
        whole, key=lambda reading: (reading.day.last, *reading.order[2:])
    )  # times are missing: which one is newer is unknown


def _latest(
    name: str, days: Mapping[str, list[Observation]], record: Record, knowledge: Knowledge, as_of: date
) -> Fact:
    shape = knowledge.vital_signs.vital_signs[name]
    gaps = knowledge.wording.gaps
    newest, passed_over = _newest(name, days, knowledge, as_of)
    missing = record.gaps(("observations",))
    if passed_over:
        missing += (gaps["unusable_reading"].format(what=shape.title),)
    if newest and (before := _contradicting_reading(name, newest, days, knowledge, as_of)):
        missing += (gaps["readings_disagree"].format(what=shape.title, day=before.day),)
    fact = f"{name}.latest"
    looked = (f"observations ({len(record.input('observations').resources)})",)
    unread = record.unread_of(("observations",))
    if newest is None:
        absent = not missing
        missing = missing or (gaps["no_reading"].format(what=shape.title),)
        return Fact(name=fact, value=None, unread=unread, absent=absent, missing=missing, looked_in=looked)
    day = None if newest.day == _UNDATED else newest.day
    components = {key: value for key, value in sorted(newest.components.items()) if value is not None}
    return Fact(
        name=fact,
        value=Measurement(components=components, unit=shape.unit, day=day),
        evidence=(Evidence(reference=newest.reference, label=newest.written, name=shape.title, day=day),),
        unread=unread,
        missing=missing,
        looked_in=looked,
    )


def _newest(
    name: str, days: Mapping[str, list[Observation]], knowledge: Knowledge, as_of: date
) -> tuple[VitalReading | None, bool]:
    """The newest reading with all components usable, and whether one that may be newer was passed over.

    A reading dated to a year or a month never outranks one with a full date that may be later.
    """
    passed_over = False
    loose: VitalReading | None = None
    for day in sorted(days, reverse=True):
        readings = [reading for entry in days[day] if (reading := _reading(entry, name, knowledge))]
        for reading in reversed(_merged_readings(readings, knowledge.vital_signs.vital_signs[name])):
            if reading.day.first > as_of:
                continue
            if loose and reading.day.last < loose.day.first:
                return loose, passed_over
            if None in reading.components.values():
                passed_over = True
            elif reading.day.first == reading.day.last:
                return reading, passed_over or loose is not None
            else:
                loose = loose or reading
    return loose, passed_over


def _contradicting_reading(
    name: str, newest: VitalReading, days: Mapping[str, list[Observation]], knowledge: Knowledge, as_of: date
) -> VitalReading | None:
    """The previous reading, where it is so recent and so different that one of the two must be an error."""
    agreement = knowledge.vital_signs.vital_signs[name].agreement
    if agreement is None or newest.day == _UNDATED:
        return None
    before = _previous_reading(name, newest, days, knowledge, as_of)
    if before is None or newest.day.first - before.day.last > agreement.span:
        return None
    return None if all(map(agreement.holds, newest.values, before.values)) else before


def _previous_reading(
    name: str, newest: VitalReading, days: Mapping[str, list[Observation]], knowledge: Knowledge, as_of: date
) -> VitalReading | None:
    """The latest other usable reading, on the same day or before it."""
    for day in sorted(days, reverse=True):
        readings = [reading for entry in days[day] if (reading := _reading(entry, name, knowledge))]
        for reading in reversed(_merged_readings(readings, knowledge.vital_signs.vital_signs[name])):
            is_other = reading.reference != newest.reference and reading.day.last <= newest.day.last
            if is_other and reading.day.first <= as_of and None not in reading.components.values():
                return reading
    return None
