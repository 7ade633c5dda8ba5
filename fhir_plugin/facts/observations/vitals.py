"""Vital signs: the newest usable blood pressure and weight.

A reading is usable if it has a known unit, an allowed status, no comparator and a plausible value. Other readings are
not used; where one of them may be newer than the reading in use, the fact says so.

Of several readings the newest counts, and nothing before it: 168/98, 150/92 and 128/80 within one visit are 128/80.
Where times are missing or equal, several may be the newest; then the highest of each component counts. A component that
the newest reading lacks is taken from the same day.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import msgspec

from fhir_plugin.facts.fact import Evidence, Fact, Measurement
from fhir_plugin.facts.observations.sorting import SortedObservations, vital_place
from fhir_plugin.record.datatypes import CodeableConcept, Quantity
from fhir_plugin.record.dates import DaySpan, day_span
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Observation, ObservationComponent
from mappings.schema.codes.vitals import VitalSign
from mappings.schema.load import Knowledge

_INPUTS = ("observations",)
_UNDATED = DaySpan(date.min, date.max)
"""A reading without a date may be the newest."""
_LAST_KEY = "~"
_MOST_SWAPPED = 20
"""Times in a row at which the components contradict each other, until none is used: each takes a pass over the day."""


class VitalReading(NamedTuple):
    """Components of one vital sign at one time; ``None`` for a component that is not usable."""

    day: DaySpan
    moment: float | None
    """Epoch seconds where the time of day is known; orders readings of one day."""
    zoned: bool
    """Whether the time was written with its zone; without it, it cannot be compared with one that has one."""
    components: Mapping[str, float | None]
    reference: str
    written: str = ""
    """As recorded, ``176 [lb_av]``, where the unit differs from the one used here."""
    whole: bool = False
    """Whether it should hold every component: one that it lacks was lost, and stands nowhere else."""

    @property
    def usable(self) -> bool:
        """Whether every measured component can be used."""
        return None not in self.components.values()

    @property
    def dated(self) -> bool:
        """Whether the day is known, not only the month or the year."""
        return self.day.first == self.day.last and self.day != _UNDATED

    @property
    def clock(self) -> bool | None:
        """Readings of the same clock are ordered by the moment; ``None`` where only the day is known."""
        return None if self.moment is None else self.zoned

    def is_before(self, other: VitalReading) -> bool:
        """Whether it was certainly measured before the other."""
        if self.moment is not None and other.moment is not None and self.zoned is other.zoned:
            return self.moment < other.moment
        return self.day.last < other.day.first


class _LatestReadings(NamedTuple):
    """What is known to be the newest of one vital sign."""

    components: Mapping[str, float]
    day: DaySpan
    used: tuple[VitalReading, ...]
    """The readings that the components were taken from."""


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """The newest usable reading of every vital sign."""

    by_name: Mapping[str, Fact]

    def facts(self) -> Mapping[str, Fact]:
        """``<vital sign>.latest`` for every vital sign in ``vitals.yaml``."""
        return self.by_name


def read_vitals(record: Record, observations: SortedObservations, knowledge: Knowledge, as_of: date) -> Vitals:
    """Find the newest usable reading of every vital sign."""
    facts = [
        _latest(name, _by_day(entries, knowledge), record, knowledge, as_of)
        for name, entries in observations.signs.items()
    ]
    return Vitals(by_name={fact.name: fact for fact in facts})


def _by_day(observations: Iterable[Observation], knowledge: Knowledge) -> dict[str, list[Observation]]:
    days: dict[str, list[Observation]] = {}
    for observation in observations:
        if observation.status not in knowledge.vital_signs.withdrawn:
            days.setdefault(_day_key(observation), []).append(observation)
    return days


_DAY_LENGTH = len("2026-06-01")


def _day_key(observation: Observation) -> str:
    """The day as text that sorts chronologically; a month sorts after its days, a missing day after all others."""
    when = (_timestamp(observation) or "")[:_DAY_LENGTH]
    return when if len(when) == _DAY_LENGTH else f"{when}{_LAST_KEY}"


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
        elif name is not None and _is_measured(part):
            components[name] = None
    if not components and _is_measured_elsewhere(observation, measured):
        return None
    if not components:  # written as a sentence, under codes that are not known, or lost: measured, and not usable
        components = dict.fromkeys(shape.components)
    elif observation.status not in knowledge.vital_signs.statuses or not _consistent(components, shape):
        components = dict.fromkeys(components)
    moment, zoned = _moment(when)
    whole = bool(observation.component)
    return VitalReading(day_span(when) or _UNDATED, moment, zoned, components, observation.reference, written, whole)


def _is_measured(part: Observation | ObservationComponent) -> bool:
    """Whether it has a value of another kind than a quantity: text, a bare number, a range, a concept."""
    number = part.value_integer is not None or part.value_range is not None
    return number or bool(part.value_string) or part.value_codeable_concept is not None


def _is_measured_elsewhere(observation: Observation, parts: Sequence[Observation | ObservationComponent]) -> bool:
    """Whether it has no value of its own because its members have them, or because it says that there is none."""
    if any(part.value_quantity is not None or _is_measured(part) for part in parts):
        return False
    return bool(observation.has_member or observation.data_absent_reason)


def _timestamp(observation: Observation) -> str | None:
    period = observation.effective_period
    in_period = (period.start or period.end) if period else None
    return observation.effective_date_time or observation.effective_instant or in_period or observation.issued


def _moment(when: str | None) -> tuple[float | None, bool]:
    """The time in epoch seconds, ``None`` where only a day is known, and whether its zone is known."""
    if when is None or "T" not in when:
        return None, False
    try:
        moment = datetime.fromisoformat(when)
    except ValueError:
        return None, False
    zoned = moment.tzinfo is not None
    return (moment if zoned else moment.replace(tzinfo=UTC)).timestamp(), zoned


def _component_of(code: CodeableConcept | None, sign: str, knowledge: Knowledge) -> str | None:
    place = vital_place(code, knowledge)
    return place[1] if place is not None and place[0] == sign and place[1] else None


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


def _latest(
    name: str, days: Mapping[str, list[Observation]], record: Record, knowledge: Knowledge, as_of: date
) -> Fact:
    shape = knowledge.vital_signs.vital_signs[name]
    gaps = knowledge.wording.gaps
    newest, passed_over = _newest(_recent_readings(name, days, knowledge, as_of), shape)
    extent = record.extent(_INPUTS)
    missing = extent.gaps
    if passed_over:
        missing += (gaps["unusable_reading"].format(what=shape.title),)
    if newest and (before := _contradicting_reading(name, newest, days, knowledge, as_of)):
        missing += (gaps["readings_disagree"].format(what=shape.title, day=before.day),)
    fact = f"{name}.latest"
    if newest is None:
        absent = not missing
        missing = missing or (gaps["no_reading"].format(what=shape.title),)
        return Fact(
            name=fact,
            value=None,
            unread=extent.unread,
            absent=absent,
            missing=missing,
            looked_in=extent.looked_in,
        )
    day = None if newest.day == _UNDATED else newest.day
    return Fact(
        name=fact,
        value=Measurement(components=newest.components, unit=shape.unit, day=day),
        evidence=tuple(
            Evidence(reference=reading.reference, label=reading.written, name=shape.title, day=day)
            for reading in newest.used
        ),
        unread=extent.unread,
        missing=missing,
        looked_in=extent.looked_in,
    )


def _recent_readings(
    name: str,
    days: Mapping[str, list[Observation]],
    knowledge: Knowledge,
    as_of: date,
    without: Collection[str] = (),
) -> list[VitalReading]:
    """The readings back to the newest usable one with a full date, and those of the day before it.

    The day before may hold the newer one: days are those of the zone in which a time was written. ``without`` names
    readings to leave out.
    """
    readings: list[VitalReading] = []
    oldest = ""
    for day in sorted(days, reverse=True):
        if day < oldest:
            break
        of_day = [reading for entry in days[day] if (reading := _reading(entry, name, knowledge))]
        of_day = [reading for reading in of_day if reading.day.first <= as_of and reading.reference not in without]
        readings += of_day
        if not oldest and any(reading.usable and reading.dated for reading in of_day):
            oldest = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
    return readings


def _newest(readings: list[VitalReading], shape: VitalSign) -> tuple[_LatestReadings | None, bool]:
    """The newest usable readings, and whether one that may be newer was passed over.

    A reading dated to a year or a month never outranks one with a full date that may be later. After so many that are
    the wrong way round, no earlier one is looked for.
    """
    usable = [reading for reading in readings if reading.usable]
    swapped = False
    for _ in range(_MOST_SWAPPED):
        if not usable:
            break
        latest = _maximal(usable)
        latest = [reading for reading in latest if reading.dated] or latest
        if _consistent(_highest(latest, shape), shape):
            passed_over = swapped or any(_may_be_newer(reading, latest) for reading in readings)
            return _filled(latest, usable, shape), passed_over
        swapped = True  # measured apart, and the wrong way round
        left_out = set(map(id, latest))
        usable = [reading for reading in usable if id(reading) not in left_out]
    return None, bool(readings)


def _may_be_newer(reading: VitalReading, latest: list[VitalReading]) -> bool:
    """Whether a reading that is not used may be newer than those that are."""
    is_used = reading.usable and reading.dated is latest[0].dated
    return not is_used and not any(map(reading.is_before, latest))


def _maximal(readings: Iterable[VitalReading]) -> list[VitalReading]:
    """The readings of which none is certainly before another; in one pass, as a monitor writes thousands in a day."""
    readings = list(readings)
    if len(readings) == 1:
        return readings
    moments: dict[bool | None, float] = {}
    days: dict[bool | None, date] = {}
    for reading in readings:
        days[reading.clock] = max(reading.day.first, days.get(reading.clock, date.min))
        if reading.moment is not None:
            moments[reading.clock] = max(reading.moment, moments.get(reading.clock, reading.moment))
    return [reading for reading in readings if not _is_outdone(reading, moments, days)] or readings


def _is_outdone(reading: VitalReading, moments: Mapping[bool | None, float], days: Mapping[bool | None, date]) -> bool:
    """Whether it is before one of the readings of which these are the latest moment and the latest day, by clock."""
    clock = reading.clock
    if reading.moment is not None and reading.moment < moments[clock]:
        return True
    return any(reading.day.last < first for other, first in days.items() if clock is None or other is not clock)


def _highest(readings: Iterable[VitalReading], shape: VitalSign) -> dict[str, float]:
    """The highest value of each component that was measured."""
    readings = list(readings)
    values = {name: [v for reading in readings if (v := reading.components.get(name))] for name in shape.components}
    return {name: max(measured) for name, measured in sorted(values.items()) if measured}


def _filled(latest: list[VitalReading], usable: list[VitalReading], shape: VitalSign) -> _LatestReadings:
    """The newest values, and for a component that they lack the newest one of that day, if the two can go together."""
    days = {reading.day for reading in latest}
    of_day = [reading for reading in usable if reading.day in days]
    sources = {name: _maximal(holders) for name in shape.components if (holders := _holders(name, latest, of_day))}
    components = {name: _highest(holders, shape)[name] for name, holders in sorted(sources.items())}
    if not _consistent(components, shape):
        components, sources = _highest(latest, shape), dict.fromkeys(shape.components, latest)
    used: dict[str, VitalReading] = {}
    for name, value in components.items():
        holders = [reading for reading in sources[name] if reading.components.get(name) == value]
        reading = min(holders, key=lambda holder: (holder.reference not in used, holder.reference))
        used[reading.reference] = reading
    return _LatestReadings(components, max(days), tuple(used.values()))


def _holders(name: str, latest: list[VitalReading], of_day: list[VitalReading]) -> list[VitalReading]:
    """The readings of the day that hold a component; none where the newest should hold it and has lost it."""
    held = any(name in reading.components for reading in latest)
    if not held and any(reading.whole for reading in latest):
        return []
    return [reading for reading in of_day if name in reading.components]


def _contradicting_reading(
    name: str, newest: _LatestReadings, days: Mapping[str, list[Observation]], knowledge: Knowledge, as_of: date
) -> VitalReading | None:
    """The previous reading, where it is so recent and so different that one of the two must be an error."""
    shape = knowledge.vital_signs.vital_signs[name]
    if shape.agreement is None or newest.day == _UNDATED:
        return None
    used = {reading.reference for reading in newest.used}
    others = _recent_readings(name, days, knowledge, as_of, without=used)
    for before in _maximal(reading for reading in others if reading.usable and reading.day.last <= newest.day.last):
        is_near = newest.day.first - before.day.last <= shape.agreement.span
        if is_near and not all(shape.agreement.holds(newest.components[key], value) for key, value in _known(before)):
            return before
    return None


def _known(reading: VitalReading) -> Iterable[tuple[str, float]]:
    return ((name, value) for name, value in reading.components.items() if value is not None)
