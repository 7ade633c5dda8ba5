"""When a drug was available: one window per order, dispense, statement or administration.

Days are ordinals, half open. A window has several ends, because a record may be incomplete: ``stop`` is what counts,
``claimed`` the most that the known part of the record could show, ``possible`` the end if every gap were filled
favourably.

1. One fill lasts for the days of supply as recorded, else quantity / units per day, else ``assumed_supply_days``
   (flagged).
2. An order lasts for its fill and all its refills, but not beyond its validity period, the end of its dosage or the
   day of assessment. With an assumed supply, it is possible until that limit.
3. An order stopped on an unknown day has an open stop; `stops` infers the day.
4. A dispense lasts for one fill. With an assumed supply, it is possible for ``longest_fill_days``.
5. A statement lasts for its period; an open, active one until it was asserted, and a single date gives no days. An
   administration lasts for its day or its period.
6. A status that is missing or does not tell whether the drug was taken leaves the window open: no day counts, all of
   them are possible.
7. Of a partial date (``2026-03``), the window starts on the last day it may mean and ends on the first, so that fewer
   days count.

Example, sertraline 100 mg, assessed on 2026-09-01: an order of 2026-01-01 for 30 tablets, 2 tablets daily, with two
refills lasts 3 x 15 = 45 days, to 2026-02-15. With neither quantity nor supply it is counted for 3 x 30 = 90 days, to
2026-04-01, and possible until 2026-09-01.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from fhir_plugin.facts.medications.dosage import days_of
from fhir_plugin.facts.medications.intakes import MAX_DURATION_DAYS
from fhir_plugin.record.datatypes import CodeableConcept, Dosage, Period, Quantity
from fhir_plugin.record.dates import ordinal_span
from fhir_plugin.record.resources import (
    DispenseRequest,
    MedicationAdministration,
    MedicationDispense,
    MedicationRequest,
    MedicationStatement,
)
from mappings.schema.medications import Medications

MedicationResource: TypeAlias = MedicationRequest | MedicationDispense | MedicationStatement | MedicationAdministration
OrdinalSpan: TypeAlias = tuple[int, int]
"""The first and the last day that a partial date may stand for."""

DISPENSED, STATED, ORDERED = range(3)
"""Grades of evidence, the best first."""
STOPPED_STATUSES = frozenset(("stopped", "on-hold"))


class SupplyWindow(msgspec.Struct, frozen=True, gc=False):
    """When a drug was available according to one resource."""

    grade: int
    kind: str
    """``dispensed``, ``administered``, ``stated`` or ``ordered``."""
    start: int | None
    """``None``: not dated."""
    earliest: int
    stop: int
    claimed: int
    possible: int
    flags: tuple[str, ...] = ()
    open_stop: bool = False
    """Whether it was stopped on a day that the record does not give."""
    updated: int | None = None
    """When the resource was last changed; read only where that may be the day it was stopped."""
    certain: bool = True
    """Whether its status says that the drug was taken; otherwise its days are only possible."""
    ended: int | None = None
    """The recorded day on which the drug was stopped, where the resource says that it was."""


class Fill(msgspec.Struct, frozen=True, gc=False):
    """How long one fill lasts, and how that is known."""

    days: float
    stated: float | None = None
    """Days of supply as recorded; with the quantity they give the daily amount."""
    quantity: Quantity | None = None
    assumed: bool = False


def fill_of(
    stated: Quantity | None, quantity: Quantity | None, units_per_day: float | None, medications: Medications
) -> Fill:
    """The days of supply as recorded, else by the quantity, else as assumed."""
    supply = days_of(stated, medications)
    days = supply or _by_quantity(quantity, units_per_day, medications)
    if days is None:
        return Fill(medications.parameters["assumed_supply_days"].value, supply, quantity, assumed=True)
    return Fill(days, supply, quantity)


def order_window(order: MedicationRequest, fill: Fill, as_of: int, medications: Medications) -> SupplyWindow | None:
    """The window of an order; ``None`` where its status or intent means that nothing was to be taken."""
    if _orders_nothing(order, medications):
        return None
    request = order.dispense_request or NO_REQUEST
    bounds = list(map(_bounds_of, order.dosage_instruction))
    span = _order_start(order, request, bounds)
    taken = order.status in medications.statuses.order_taken
    if span is None:
        return _undated(ORDERED, "ordered", as_of, certain=taken)
    earliest, start = span
    if start >= as_of:
        return None
    flags = _flags(span, fill)
    total = min(fill.days * (1 + max(request.number_of_repeats_allowed or 0, 0)), MAX_DURATION_DAYS)
    limit = _limit(order, request, bounds, as_of, medications)
    planned = max(min(start + int(total), limit), start)
    open_stop = order.status in STOPPED_STATUSES and limit >= as_of
    if open_stop:
        flags = (*flags, "on_hold" if order.status == "on-hold" else "stop_unknown")
    possible = max(limit, start) if fill.assumed and not open_stop else planned
    updated = _updated(order) if open_stop else None
    ended = limit if order.status in STOPPED_STATUSES and not open_stop else None
    window = SupplyWindow(
        ORDERED, "ordered", start, earliest, planned, planned, possible, flags, open_stop, updated, ended=ended
    )
    return window if taken else _uncertain(window, start)


def _orders_nothing(order: MedicationRequest, medications: Medications) -> bool:
    statuses = medications.statuses
    excluded = order.status in statuses.order_excluded or order.intent in statuses.order_intents_excluded
    return excluded or bool(order.do_not_perform)


def dispense_window(
    dispense: MedicationDispense, fill: Fill, as_of: int, medications: Medications
) -> SupplyWindow | None:
    """The window of a dispense; ``None`` where nothing was handed over."""
    if dispense.status in medications.statuses.dispense_excluded:
        return None
    taken = dispense.status in medications.statuses.dispense_taken
    span = ordinal_span(dispense.when_handed_over) or ordinal_span(dispense.when_prepared)
    if span is None:
        return _undated(DISPENSED, "dispensed", as_of, certain=taken)
    earliest, start = span
    if start >= as_of:
        return None
    stop = min(start + int(min(fill.days, MAX_DURATION_DAYS)), as_of)
    longest = int(medications.parameters["longest_fill_days"].value)
    possible = max(min(start + longest, as_of), stop) if fill.assumed else stop
    window = SupplyWindow(DISPENSED, "dispensed", start, earliest, stop, stop, possible, _flags(span, fill))
    return window if taken else _uncertain(window, start)


def statement_window(statement: MedicationStatement, as_of: int, medications: Medications) -> SupplyWindow | None:
    """The window of a statement; a single date gives no days, an open period ends when it was asserted."""
    if statement.status in medications.statuses.statement_excluded:
        return None
    taken = statement.status in medications.statuses.statement_taken
    period = statement.effective_period
    span = ordinal_span(period.start if period else statement.effective_date_time)
    if span is None:
        return _undated(STATED, "stated", as_of, certain=taken)
    earliest, start = span
    if start >= as_of:
        return None
    end = ordinal_span(period.end) if period else None
    if end is not None:
        stop, possible = min(end[0], as_of), min(end[1], as_of)
    else:
        asserted = ordinal_span(statement.date_asserted) if period and statement.status == "active" else None
        stop, possible = min(asserted[0], as_of) if asserted else start, as_of
    stop = max(stop, start)
    ended = stop if end is not None and stop < as_of else None
    window = SupplyWindow(
        STATED, "stated", start, earliest, stop, stop, max(possible, start), _partial(span), ended=ended
    )
    return window if taken else _uncertain(window, start)


def administration_window(
    administration: MedicationAdministration, as_of: int, medications: Medications
) -> SupplyWindow | None:
    """The window of an administration: its day, or the days of its period."""
    if administration.status in medications.statuses.administration_excluded:
        return None
    taken = administration.status in medications.statuses.administration_read
    period = administration.effective_period
    span = ordinal_span(period.start if period else administration.effective_date_time)
    if span is None:
        return _undated(DISPENSED, "administered", as_of, certain=taken)
    earliest, start = span
    if start >= as_of:
        return None
    end = ordinal_span(period.end) if period else None
    stop = min(max(end[0] if end else start, start + 1), as_of)
    window = SupplyWindow(DISPENSED, "administered", start, earliest, stop, stop, stop, _partial(span))
    return window if taken else _uncertain(window, start)


def indications(resource: MedicationResource) -> tuple[CodeableConcept, ...]:
    """The reasons for which the drug was ordered or is taken."""
    return getattr(resource, "reason_code", ())


NO_REQUEST = DispenseRequest()


def _undated(grade: int, kind: str, as_of: int, *, certain: bool) -> SupplyWindow:
    flags = ("undated",) if certain else ("undated", "status_unknown")
    return SupplyWindow(grade, kind, None, 0, 0, 0, as_of, flags, certain=certain)


def doubted(window: SupplyWindow) -> SupplyWindow:
    """The window of a drug that, by its reason or note, may never have been taken."""
    if window.start is None:
        return replace(window, certain=False)
    return _uncertain(window, window.start)


def _uncertain(window: SupplyWindow, start: int) -> SupplyWindow:
    flags = (*window.flags, "status_unknown")
    return replace(window, stop=start, claimed=start, flags=flags, open_stop=False, certain=False, ended=None)


def _partial(span: OrdinalSpan) -> tuple[str, ...]:
    return () if span[0] == span[1] else ("partial_date",)


def _flags(span: OrdinalSpan, fill: Fill) -> tuple[str, ...]:
    partial = () if span[0] == span[1] else ("partial_date",)
    return (*partial, "assumed_supply") if fill.assumed else partial


def _bounds_of(dosage: Dosage) -> Period | None:
    """The period that a dosage is bounded by."""
    repeat = dosage.timing.repeat if dosage.timing else None
    return repeat.bounds_period if repeat else None


def _order_start(
    order: MedicationRequest, request: DispenseRequest, bounds: Sequence[Period | None]
) -> OrdinalSpan | None:
    for period in bounds:
        span = ordinal_span(period.start) if period else None
        if span is not None:
            return span
    validity = request.validity_period
    return (ordinal_span(validity.start) if validity else None) or ordinal_span(order.authored_on)


def _limit(
    order: MedicationRequest,
    request: DispenseRequest,
    bounds: Sequence[Period | None],
    as_of: int,
    medications: Medications,
) -> int:
    """The first day on which the order is no longer valid, as far as it is recorded; at most ``as_of``."""
    limit = min(_bounds_end(bounds, as_of), as_of)
    if request.validity_period is not None:
        limit = min(_first(request.validity_period.end, as_of), limit)
    if order.status in STOPPED_STATUSES:
        limit = min(_extension_stop(order, medications, as_of), limit)
    return limit


def _first(text: str | None, otherwise: int) -> int:
    span = ordinal_span(text)
    return span[0] if span else otherwise


def _bounds_end(bounds: Sequence[Period | None], as_of: int) -> int:
    """The latest end of the bounds of the dosages, if every dosage has one, else ``as_of``."""
    latest = 0
    for period in bounds:
        span = ordinal_span(period.end) if period else None
        if span is None:
            return as_of
        latest = max(latest, span[0])
    return latest or as_of


def _extension_stop(order: MedicationRequest, medications: Medications, as_of: int) -> int:
    for extension in order.extension:
        if extension.url and extension.url.endswith(medications.statuses.stop_extensions):
            span = ordinal_span(extension.value_date_time)
            if span is not None:
                return span[0]
    return as_of


def _updated(order: MedicationRequest) -> int | None:
    span = ordinal_span(order.meta.last_updated) if order.meta else None
    return span[0] if span else None


def _by_quantity(quantity: Quantity | None, units_per_day: float | None, medications: Medications) -> float | None:
    """Days that a quantity lasts at the units per day of the dosage."""
    if quantity is None or quantity.value is None or quantity.value <= 0 or not units_per_day:
        return None
    return quantity.value / units_per_day if counts_units(quantity, medications) else None


def counts_units(quantity: Quantity, medications: Medications) -> bool:
    """Whether a quantity counts tablets and the like; a quantity without a unit does."""
    unit = medications.units.get((quantity.code or quantity.unit or "1").lower())
    return unit is not None and unit.dimension == "unit"
