"""When each record says the drug was at hand: one window per order, dispense, statement or administration.

A window has several ends, because a record may say less than all: ``stop`` is what is counted, ``claimed`` is the most
that the known part of the record could make it, ``possible`` what it would be if every gap were filled favourably.
Days are ordinals, half open.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from fhir_plugin.dates import DaySpan, day_span
from fhir_plugin.facts.medications.dosage import days_of
from fhir_plugin.resources import (
    CodeableConcept,
    DispenseRequest,
    MedicationAdministration,
    MedicationDispense,
    MedicationRequest,
    MedicationStatement,
    Period,
    Quantity,
)
from mappings.medications import Medications

Taken: TypeAlias = MedicationRequest | MedicationDispense | MedicationStatement | MedicationAdministration

DISPENSED, STATED, ORDERED = range(3)
"""Grades of evidence, the best first."""
LONGEST = 36_500
"""Days beyond which a supply is no supply: a hundred years."""
STOPPED_STATUSES = frozenset(("stopped", "on-hold"))


class Window(NamedTuple):
    """When a drug was at hand by one record."""

    grade: int
    kind: str
    """``dispensed``, ``administered``, ``stated`` or ``ordered``."""
    start: int | None
    """``None``: not dated."""
    earliest: int
    stop: int
    claimed: int
    possible: int
    fill_days: float | None = None
    """Days of one fill, where quantity and days together give the daily amount."""
    quantity: Quantity | None = None
    open_stop: bool = False
    """Whether it was stopped on a day that the record does not give."""
    updated: int | None = None
    """When the record was last changed; read only where that may be the day it was stopped."""
    flags: tuple[str, ...] = ()


def order_window(
    order: MedicationRequest, units_per_day: float | None, as_of: int, known: Medications
) -> Window | None:
    """The window of an order; ``None`` where its status or intent says that nothing was to be taken."""
    statuses = known.statuses
    if order.status is None or order.status in statuses.order_excluded or order.do_not_perform:
        return None
    if order.intent in statuses.order_intents_excluded:
        return None
    request = order.dispense_request or _NO_REQUEST
    span = _order_start(order, request)
    if span is None:
        return _undated(ORDERED, "ordered", as_of)
    start, flags = span.last.toordinal(), _partial(span)
    if start >= as_of:
        return None
    supply = days_of(request.expected_supply_duration, known)
    fill = supply or _by_quantity(request.quantity, units_per_day, known)
    assumed = fill is None
    if assumed:
        fill = known.parameters["assumed_supply_days"].value
        flags = (*flags, "assumed_supply")
    total = min((fill or 0) * (1 + max(request.number_of_repeats_allowed or 0, 0)), LONGEST)
    limit = min(
        _end(request.validity_period, as_of), _bounds_end(order, as_of), _extension_stop(order, known, as_of), as_of
    )
    planned = min(start + int(total), limit)
    explicit = limit < as_of
    open_stop = order.status in STOPPED_STATUSES and not explicit
    if open_stop:
        flags = (*flags, "on_hold" if order.status == "on-hold" else "stop_unknown")
    possible = limit if assumed and not open_stop else planned
    ends = (max(planned, start), max(planned, start), max(possible, start))
    return Window(
        ORDERED,
        "ordered",
        start,
        span.first.toordinal(),
        *ends,
        fill_days=supply,
        quantity=request.quantity,
        open_stop=open_stop,
        updated=_updated(order) if open_stop else None,
        flags=flags,
    )


def dispense_window(
    dispense: MedicationDispense, units_per_day: float | None, as_of: int, known: Medications
) -> Window | None:
    """The window of a dispense; ``None`` where nothing was handed over."""
    if dispense.status is None or dispense.status in known.statuses.dispense_excluded:
        return None
    span = day_span(dispense.when_handed_over) or day_span(dispense.when_prepared)
    if span is None:
        return _undated(DISPENSED, "dispensed", as_of)
    start, flags = span.last.toordinal(), _partial(span)
    if start >= as_of:
        return None
    supply = days_of(dispense.days_supply, known)
    fill = supply or _by_quantity(dispense.quantity, units_per_day, known)
    if fill is None:
        fill = known.parameters["assumed_supply_days"].value
        flags = (*flags, "assumed_supply")
    stop = min(start + int(min(fill, LONGEST)), as_of)
    ends = (stop, stop, stop)
    return Window(
        DISPENSED,
        "dispensed",
        start,
        span.first.toordinal(),
        *ends,
        fill_days=supply,
        quantity=dispense.quantity,
        flags=flags,
    )


def statement_window(statement: MedicationStatement, as_of: int, known: Medications) -> Window | None:
    """The window of a statement; a single day counts no day, an open one ends when it was asserted."""
    if statement.status is None or statement.status in known.statuses.statement_excluded:
        return None
    period = statement.effective_period
    span = day_span(period.start) if period else day_span(statement.effective_date_time)
    if span is None:
        return _undated(STATED, "stated", as_of)
    start, flags = span.last.toordinal(), _partial(span)
    if start >= as_of:
        return None
    end = day_span(period.end) if period else None
    if end is not None:
        stop = possible = min(end.first.toordinal(), as_of)
        possible = min(end.last.toordinal(), as_of)
    else:
        asserted = day_span(statement.date_asserted)
        active = statement.status == "active" and period is not None and asserted is not None
        stop = min(asserted.first.toordinal(), as_of) if active and asserted else start
        possible = as_of
    ends = (max(stop, start), max(stop, start), max(possible, start))
    return Window(STATED, "stated", start, span.first.toordinal(), *ends, flags=flags)


def administration_window(given: MedicationAdministration, as_of: int, known: Medications) -> Window | None:
    """The window of an administration: the day, or the days of its period."""
    if given.status not in known.statuses.administration_read:
        return None
    period = given.effective_period
    span = day_span(period.start) if period else day_span(given.effective_date_time)
    if span is None:
        return _undated(DISPENSED, "administered", as_of)
    start = span.last.toordinal()
    if start >= as_of:
        return None
    end = day_span(period.end) if period else None
    stop = min(max(end.first.toordinal() if end else start, start + 1), as_of)
    ends = (stop, stop, stop)
    return Window(DISPENSED, "administered", start, span.first.toordinal(), *ends, flags=_partial(span))


def stop_reasons(resource: Taken) -> tuple[tuple[CodeableConcept, ...], tuple[str, ...]]:
    """The coded reasons for the status and the notes of a record."""
    reasons: tuple[CodeableConcept, ...] = ()
    if isinstance(resource, MedicationRequest):
        reasons = (resource.status_reason,) if resource.status_reason else ()
    elif isinstance(resource, MedicationStatement):
        reasons = resource.status_reason
    elif isinstance(resource, MedicationAdministration):
        return (), ()
    if not resource.note:
        return reasons, ()
    return reasons, tuple(note.text for note in resource.note if note.text)


def indications(resource: Taken) -> tuple[CodeableConcept, ...]:
    """What the drug was ordered or is taken for."""
    return getattr(resource, "reason_code", ())


_NO_REQUEST = DispenseRequest()


def _undated(grade: int, kind: str, as_of: int) -> Window:
    return Window(grade, kind, None, 0, 0, 0, as_of, flags=("undated",))


def _partial(span: DaySpan) -> tuple[str, ...]:
    return () if span.first == span.last else ("partial_date",)


def _order_start(order: MedicationRequest, request: DispenseRequest) -> DaySpan | None:
    for dosage in order.dosage_instruction:
        repeat = dosage.timing.repeat if dosage.timing else None
        if repeat is not None and repeat.bounds_period is not None:
            span = day_span(repeat.bounds_period.start)
            if span is not None:
                return span
    validity = request.validity_period
    return (day_span(validity.start) if validity else None) or day_span(order.authored_on)


def _end(period: Period | None, as_of: int) -> int:
    span = day_span(period.end) if period else None
    return span.first.toordinal() if span else as_of


def _bounds_end(order: MedicationRequest, as_of: int) -> int:
    """The last end of the bounds of all dosages, where each has one."""
    latest = 0
    for dosage in order.dosage_instruction:
        repeat = dosage.timing.repeat if dosage.timing else None
        span = day_span(repeat.bounds_period.end) if repeat and repeat.bounds_period else None
        if span is None:
            return as_of
        latest = max(latest, span.first.toordinal())
    return latest or as_of


def _extension_stop(order: MedicationRequest, known: Medications, as_of: int) -> int:
    if order.status not in STOPPED_STATUSES:
        return as_of
    for extension in order.extension:
        if extension.url and extension.url.endswith(known.statuses.stop_extensions):
            span = day_span(extension.value_date_time)
            if span is not None:
                return span.first.toordinal()
    return as_of


def _updated(order: MedicationRequest) -> int | None:
    span = day_span(order.meta.last_updated) if order.meta else None
    return span.first.toordinal() if span else None


def _by_quantity(quantity: Quantity | None, units_per_day: float | None, known: Medications) -> float | None:
    """Days that a quantity lasts at the units a day of the dosage."""
    if quantity is None or quantity.value is None or quantity.value <= 0 or not units_per_day:
        return None
    return quantity.value / units_per_day if counts_units(quantity, known) else None


def counts_units(quantity: Quantity, known: Medications) -> bool:
    """Whether a quantity counts tablets and the like, which it does where it names no unit."""
    unit = known.units.get((quantity.code or quantity.unit or "1").lower())
    return unit is not None and unit.dimension == "unit"
