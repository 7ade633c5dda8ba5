"""Conditions, procedures and devices as entries of a chart: their concepts, and whether they are in force.

Two functions per kind: the concepts, which are cheap to read and decide whether the entry is relevant, and the status
on a day, which is read only for relevant entries.
"""

from __future__ import annotations

from datetime import date
from enum import Enum

import msgspec

from fhir_plugin.record.datatypes import CodeableConcept
from fhir_plugin.record.dates import DaySpan, day_span
from fhir_plugin.record.resources import AllergyIntolerance, Condition, Device, Procedure


class Force(Enum):
    """Whether an entry is in force on the day of assessment."""

    NOW = "now"
    ENDED = "ended"
    OPEN = "open"
    """It was in force; the entry does not say whether it still is."""
    DOUBTFUL = "doubtful"
    """It neither proves nor excludes the topic."""


class EntryStatus(msgspec.Struct, frozen=True, gc=False):
    """The status of an entry on the day of assessment."""

    force: Force
    note: str
    """Key in the ``entries`` of ``wording.yaml``; empty when no note is needed."""
    start: DaySpan | None


_WITHDRAWN = frozenset({"entered-in-error", "refuted"})
_CONFIRMED = "confirmed"
_NOW = frozenset({"active", "recurrence", "relapse"})
_ENDED = frozenset({"inactive", "remission", "resolved"})
_DONE = frozenset({"completed", "in-progress"})
_NOT_DONE = frozenset({"not-done", "entered-in-error", "preparation"})


def condition_concepts(condition: Condition) -> tuple[CodeableConcept, ...]:
    """The concepts that name the condition."""
    return (condition.code,) if condition.code else ()


def is_withdrawn(condition: Condition) -> bool:
    """Whether the condition was refuted or entered in error."""
    return status_of(condition.verification_status) in _WITHDRAWN


def condition_status(condition: Condition, as_of: date) -> EntryStatus | None:
    """The status of a condition on a day; ``None`` where it was refuted or entered in error."""
    verification = status_of(condition.verification_status)
    if verification in _WITHDRAWN:
        return None
    period = condition.onset_period
    onset = condition.onset_date_time or (period.start if period else None)
    start = day_span(onset) or day_span(condition.recorded_date)
    if verification is not None and verification != _CONFIRMED:
        return EntryStatus(Force.DOUBTFUL, "unconfirmed", start)
    if start is not None and start.first > as_of:
        return EntryStatus(Force.DOUBTFUL, "future", start)
    return EntryStatus(*_force(condition, as_of), start)


def status_of(concept: CodeableConcept | None) -> str | None:
    """The code of a status; where only text is given, the text in the form of a code."""
    if concept is None:
        return None
    for coding in concept.coding:
        if coding.code:
            return coding.code
    return "-".join(concept.label.lower().split()) or None


def _force(condition: Condition, as_of: date) -> tuple[Force, str]:
    status = status_of(condition.clinical_status)
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
    end = day_span(condition.abatement_date_time or ((period.end or period.start) if period else None))
    return end is not None and end.first <= as_of


def procedure_concepts(procedure: Procedure) -> tuple[CodeableConcept, ...]:
    """The procedure and its body sites."""
    return (procedure.code, *procedure.body_site) if procedure.code else ()


def was_done(procedure: Procedure) -> bool:
    """Whether the status does not exclude that the procedure was done."""
    return procedure.status not in _NOT_DONE


def procedure_status(procedure: Procedure, as_of: date) -> EntryStatus | None:
    """The status of a procedure on a day; implants are assumed to be still in place. ``None``: not done."""
    if not was_done(procedure):
        return None
    period = procedure.performed_period
    start = day_span(procedure.performed_date_time or (period.start if period else None))
    if start is not None and start.first > as_of:
        return EntryStatus(Force.DOUBTFUL, "future", start)
    force, note = (Force.NOW, "") if procedure.status in _DONE else (Force.DOUBTFUL, "not_completed")
    return EntryStatus(force, note, start)


def allergy_concepts(allergy: AllergyIntolerance) -> tuple[CodeableConcept, ...]:
    """The substance, or the allergy, and the substances of its reactions."""
    concepts = (allergy.code, *(reaction.substance for reaction in allergy.reaction))
    return tuple(concept for concept in concepts if concept)


def device_concepts(device: Device) -> tuple[CodeableConcept, ...]:
    """The type and the names of the device; its body site is seldom recorded."""
    names = tuple(CodeableConcept(text=name.name) for name in device.device_name if name.name)
    return (device.type, *names) if device.type else names


def is_withdrawn_device(device: Device) -> bool:
    """Whether the device was entered in error."""
    return device.status in _WITHDRAWN


def device_status(device: Device, _as_of: date) -> EntryStatus | None:
    """The status of a device; ``None`` where it was entered in error."""
    if is_withdrawn_device(device):
        return None
    return _DEVICE_STATUSES.get(device.status, EntryStatus(Force.DOUBTFUL, "no_status", None))


_DEVICE_STATUSES = {
    "active": EntryStatus(Force.NOW, "", None),
    None: EntryStatus(Force.NOW, "", None),
    "inactive": EntryStatus(Force.OPEN, "out_of_use", None),
}
