"""Laboratory numbers: the newest usable one of each test of ``laboratory.yaml``. Pure.

A number is usable if its unit is known, its status allows it and it can be. One that may be newer and is not usable is
a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

from fhir_plugin.facts.fact import Evidence, Fact, Measurement
from fhir_plugin.facts.observations.laboratory import INPUTS, moment_of_result
from fhir_plugin.facts.observations.sorting import SortedObservations
from fhir_plugin.record.datatypes import Quantity
from fhir_plugin.record.dates import DaySpan, day_span, instant
from fhir_plugin.record.record import Extent, Record
from fhir_plugin.record.resources import Observation
from mappings.schema.codes.laboratory import MeasuredTest
from mappings.schema.load import Knowledge

_FIRST = datetime.min.replace(tzinfo=UTC)


class _Number(NamedTuple):
    """One result."""

    day: DaySpan | None
    moment: datetime
    value: float | None
    """``None``: not usable."""
    reference: str
    written: str

    @property
    def usable(self) -> bool:
        """Whether it has a value and a day."""
        return self.value is not None and self.day is not None


def read_measured(
    record: Record, observations: SortedObservations, knowledge: Knowledge, as_of: date
) -> Mapping[str, Fact]:
    """``labs.<name>.latest`` for every test with a number."""
    extent = record.extent(INPUTS)
    return {
        f"labs.{name}.latest": _fact(name, list(_numbers(name, entries, knowledge, as_of)), extent, knowledge)
        for name, entries in observations.measured.items()
    }


def _numbers(name: str, observations: Iterable[Observation], knowledge: Knowledge, as_of: date) -> Iterator[_Number]:
    laboratory = knowledge.laboratory
    for observation in observations:
        if observation.status not in laboratory.withdrawn:
            number = _number(observation, laboratory.measured[name], knowledge)
            if number.day is None or number.day.first <= as_of:
                yield number


def _number(observation: Observation, test: MeasuredTest, knowledge: Knowledge) -> _Number:
    quantity, when, value = observation.value_quantity, moment_of_result(observation), None
    if quantity is not None and quantity.value is not None and not quantity.comparator:
        value = test.in_unit(quantity.value, quantity.code or quantity.unit or "")
    if observation.status not in knowledge.laboratory.believed:
        value = None
    written = "" if value is None or quantity is None else _written(observation)
    return _Number(day_span(when), instant(when) or _FIRST, value, observation.reference, written)


def _written(observation: Observation) -> str:
    """The number as recorded, with its reference range if that is given in numbers."""
    quantity = observation.value_quantity
    text = f"{quantity.value:g} {quantity.unit or quantity.code or ''}".strip() if quantity else ""
    ranges = ((_value(limits.low), _value(limits.high)) for limits in observation.reference_range)
    whole = (f"{text} ({low:g}-{high:g})" for low, high in ranges if low is not None and high is not None)
    return next(whole, text)


def _value(quantity: Quantity | None) -> float | None:
    return quantity.value if quantity else None


def _fact(name: str, numbers: Sequence[_Number], extent: Extent, knowledge: Knowledge) -> Fact:
    test, gaps = knowledge.laboratory.measured[name], knowledge.wording.gaps
    if not numbers:
        return _absent(name, test, extent, gaps)
    in_order = sorted(numbers, key=lambda number: (_last_day(number), number.moment, number.reference))
    newest = next((number for number in reversed(in_order) if number.usable), None)
    doubtful = [number for number in in_order if _may_be_newer(number, newest)]
    missing = extent.gaps
    if doubtful:
        missing += (gaps["unusable_reading"].format(what=test.title),)
    elif newest is None and not missing:
        missing = (gaps["no_reading"].format(what=test.title),)
    evidence = [newest] if newest else doubtful[-1:]
    return Fact(
        name=f"labs.{name}.latest",
        value=_measurement(newest, test),
        evidence=tuple(
            Evidence(reference=number.reference, label=number.written, name=test.title, day=number.day)
            for number in evidence
        ),
        unread=extent.unread,
        missing=missing,
        looked_in=extent.looked_in,
    )


def _absent(name: str, test: MeasuredTest, extent: Extent, gaps: Mapping[str, str]) -> Fact:
    return Fact(
        name=f"labs.{name}.latest",
        value=None,
        unread=extent.unread,
        absent=not extent.gaps,
        missing=extent.gaps or (gaps["no_reading"].format(what=test.title),),
        looked_in=extent.looked_in,
    )


def _measurement(number: _Number | None, test: MeasuredTest) -> Measurement | None:
    if number is None or number.value is None:
        return None
    return Measurement(components={"value": number.value}, unit=test.unit, day=number.day)


def _may_be_newer(number: _Number, newest: _Number | None) -> bool:
    """Whether a number that is not usable may be newer than the one that is used."""
    if number.usable:
        return False
    return newest is None or number.day is None or _last_day(number) >= _last_day(newest)


def _last_day(number: _Number) -> date:
    return number.day.last if number.day else date.min
