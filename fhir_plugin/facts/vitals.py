"""Vital signs: the newest blood pressure and weight that can be believed.

A reading is believed with a known unit, an allowed status, no comparator and a plausible value. One that is not
believed is not used, and when it may be newer than the reading that is, the fact says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import NamedTuple

import msgspec

from fhir_plugin.dates import DaySpan, day_span
from fhir_plugin.facts.fact import Evidence, Fact, Measurement
from fhir_plugin.record import Record
from fhir_plugin.resources import CodeableConcept, Observation, Quantity
from mappings.load import Knowledge
from mappings.vitals import VitalSign

_UNDATED = DaySpan(date.min, date.min)


class Reading(NamedTuple):
    """Some components of one vital sign at one moment; ``None`` for a component that cannot be believed."""

    day: DaySpan
    moment: float
    """Seconds of the epoch where the time of day is known, to order readings of one day."""
    components: Mapping[str, float | None]
    reference: str

    @property
    def order(self) -> tuple[date, float, tuple[float, ...], str]:
        """Oldest first; of readings of the same moment the highest last, which is the safer one to use."""
        values = tuple(value if value is not None else 0.0 for _, value in sorted(self.components.items()))
        return self.day.last, self.moment, values, self.reference


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """The readings of each vital sign, oldest first, and the facts they give."""

    readings: Mapping[str, tuple[Reading, ...]]
    by_name: Mapping[str, Fact]

    def facts(self) -> Mapping[str, Fact]:
        """``<vital sign>.latest`` for every vital sign in ``vitals.yaml``."""
        return self.by_name


def read_vitals(record: Record, knowledge: Knowledge, as_of: date) -> Vitals:
    """Find the readings of every vital sign and the newest of each."""
    signs = knowledge.vital_signs
    raw: dict[str, list[Reading]] = {name: [] for name in signs.vital_signs}
    for observation in record.all("observations", Observation):
        sign = _sign_of(observation.code, knowledge)
        if sign is not None:
            raw[sign].extend(_readings(observation, sign, knowledge, as_of))
    readings = {name: _joined(found) for name, found in raw.items()}
    facts = {name: _latest(name, readings[name], record, knowledge) for name in readings}
    return Vitals(readings=readings, by_name={fact.name: fact for fact in facts.values()})


def _sign_of(code: CodeableConcept | None, knowledge: Knowledge) -> str | None:
    if code is not None:
        index = knowledge.vital_signs.by_code
        for coding in code.coding:
            place = index.get(coding.code or "")
            if place is not None and coding.system in knowledge.vital_signs.systems:
                return place[0]
    return None


def _readings(observation: Observation, sign: str, knowledge: Knowledge, as_of: date) -> Iterator[Reading]:
    if observation.status not in knowledge.vital_signs.statuses:
        return
    when = _when(observation)
    day = day_span(when)
    if day is not None and day.first > as_of:
        return
    parts = [(observation.code, observation.value_quantity)]
    parts += [(component.code, component.value_quantity) for component in observation.component]
    components: dict[str, float | None] = {}
    shape = knowledge.vital_signs.vital_signs[sign]
    for code, quantity in parts:
        name = _component_of(code, sign, knowledge)
        if name is not None:
            components[name] = _believed(quantity, shape, name)
    if not _consistent(components, shape):
        components = dict.fromkeys(components)
    if components:
        yield Reading(day or _UNDATED, _moment(when), components, observation.reference)


def _when(observation: Observation) -> str | None:
    period = observation.effective_period
    in_period = (period.start or period.end) if period else None
    return observation.effective_date_time or observation.effective_instant or in_period or observation.issued


def _moment(when: str | None) -> float:
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


def _believed(quantity: Quantity | None, shape: VitalSign, component: str) -> float | None:
    if quantity is None or quantity.value is None or quantity.comparator:
        return None
    factor = shape.units.get(quantity.code or "") or shape.units.get((quantity.unit or "").lower())
    if factor is None:
        return None
    value = quantity.value * factor
    bounds = shape.components[component]
    return value if bounds.lowest.value <= value <= bounds.highest.value else None


def _consistent(components: Mapping[str, float | None], shape: VitalSign) -> bool:
    """Whether components that have an order (diastolic below systolic) keep it."""
    values = [components.get(name) for name in shape.rising]
    known = [value for value in values if value is not None]
    return all(low < high for low, high in pairwise(known))


def _joined(found: list[Reading]) -> tuple[Reading, ...]:
    """Readings in order; single components written apart at one moment become one reading."""
    whole: list[Reading] = []
    single: dict[tuple[DaySpan, float], list[Reading]] = {}
    for reading in found:
        if len(reading.components) == 1:
            single.setdefault((reading.day, reading.moment), []).append(reading)
        else:
            whole.append(reading)
    for (day, moment), parts in single.items():
        parts.sort(key=lambda part: part.order)
        components = {name: value for part in parts for name, value in part.components.items()}
        whole.append(Reading(day, moment, components, parts[-1].reference))
    return tuple(sorted(whole, key=lambda reading: reading.order))


def _latest(name: str, readings: tuple[Reading, ...], record: Record, knowledge: Knowledge) -> Fact:
    shape = knowledge.vital_signs.vital_signs[name]
    gaps = knowledge.wording.gaps
    missing = list(record.gaps(("observations",)))
    newest: Reading | None = None
    for reading in reversed(readings):
        if any(value is not None for value in reading.components.values()):
            newest = reading
            break
        if "unusable" not in missing:
            missing.append("unusable")
    fact = f"{name}.latest"
    looked = (f"observations ({len(record.input('observations').resources)})",)
    missing = [gaps["unusable_reading"].format(what=shape.title) if gap == "unusable" else gap for gap in missing]
    if newest is None:
        missing = missing or [gaps["no_reading"].format(what=shape.title)]
        return Fact(name=fact, value=None, missing=tuple(missing), looked_in=looked)
    day = None if newest.day == _UNDATED else newest.day
    components = {key: value for key, value in sorted(newest.components.items()) if value is not None}
    return Fact(
        name=fact,
        value=Measurement(components=components, unit=shape.unit, day=day),
        evidence=(Evidence(reference=newest.reference, day=day),),
        missing=tuple(missing),
        looked_in=looked,
    )
