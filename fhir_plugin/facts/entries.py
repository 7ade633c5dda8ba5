"""Conditions and procedures as dated entries of a chart: what is said, and whether it is in force."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from enum import Enum
from typing import NamedTuple

from fhir_plugin.dates import day_span
from fhir_plugin.record import Record
from fhir_plugin.resources import CodeableConcept, Condition, Procedure


class Force(Enum):
    """Whether an entry is in force on the day of assessment."""

    NOW = "now"
    ENDED = "ended"
    OPEN = "open"
    """It was; whether it still is, the entry does not say."""
    DOUBTFUL = "doubtful"
    """It neither proves nor excludes."""


class CodedEntry(NamedTuple):
    """A condition, procedure or device, as far as topics are concerned."""

    place: str
    """The input it came in."""
    reference: str
    concepts: tuple[CodeableConcept, ...]
    force: Force
    note: str
    """Key in the ``entries`` of ``wording.yaml``; empty when there is nothing to say."""
    start: str | None
    """The FHIR date of its beginning, as written."""


_WITHDRAWN = frozenset({"entered-in-error", "refuted"})
_CONFIRMED = "confirmed"
_NOW = frozenset({"active", "recurrence", "relapse"})
_ENDED = frozenset({"inactive", "remission", "resolved"})
_DONE = frozenset({"completed", "in-progress"})
_NOT_DONE = frozenset({"not-done", "entered-in-error", "preparation"})


def code_of(concept: CodeableConcept | None) -> str | None:
    """The first code of a status, whatever its system."""
    if concept is None:
        return None
    for coding in concept.coding:
        if coding.code:
            return coding.code
    return None


def after(start: str | None, as_of: date) -> bool:
    """Whether a FHIR date lies wholly after the day of assessment."""
    span = day_span(start)
    return span is not None and span.first > as_of


def condition_entries(record: Record, as_of: date) -> Iterator[CodedEntry]:
    """Every Condition that was not withdrawn."""
    for condition in record.all("conditions", Condition):
        verification = code_of(condition.verification_status)
        if verification in _WITHDRAWN or condition.code is None:
            continue
        start = _start(condition)
        force, note = _force(condition, as_of)
        if verification is not None and verification != _CONFIRMED:
            force, note = Force.DOUBTFUL, "unconfirmed"
        elif after(start, as_of):
            force, note = Force.DOUBTFUL, "future"
        yield CodedEntry("conditions", condition.reference, (condition.code,), force, note, start)


def _start(condition: Condition) -> str | None:
    period = condition.onset_period
    return condition.onset_date_time or (period.start if period else None) or condition.recorded_date


def _force(condition: Condition, as_of: date) -> tuple[Force, str]:
    status = code_of(condition.clinical_status)
    if status in _ENDED:
        return Force.ENDED, ""
    ended = _abated(condition, as_of)
    if status in _NOW:
        return (Force.OPEN, "contradictory") if ended else (Force.NOW, "")
    return (Force.ENDED, "") if ended else (Force.OPEN, "no_status")


def _abated(condition: Condition, as_of: date) -> bool:
    if condition.abatement_boolean or condition.abatement_string:
        return True
    period = condition.abatement_period
    end = condition.abatement_date_time or ((period.end or period.start) if period else None)
    return end is not None and not after(end, as_of)


def procedure_entries(record: Record, as_of: date) -> Iterator[CodedEntry]:
    """Every Procedure that was not cancelled or withdrawn; what it put in place is taken to be there still."""
    for procedure in record.all("procedures", Procedure):
        if procedure.status in _NOT_DONE or procedure.code is None:
            continue
        period = procedure.performed_period
        start = procedure.performed_date_time or (period.start if period else None)
        force, note = (Force.NOW, "") if procedure.status in _DONE else (Force.DOUBTFUL, "not_completed")
        if after(start, as_of):
            force, note = Force.DOUBTFUL, "future"
        concepts = (procedure.code, *procedure.body_site)
        yield CodedEntry("procedures", procedure.reference, concepts, force, note, start)
