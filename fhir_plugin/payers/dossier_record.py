"""Patient and diagnoses of a dossier, as they are on the record. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fhir_plugin.deciding.decide import Decision
from fhir_plugin.facts.entries import status_of
from fhir_plugin.record.datatypes import HumanName, Identifier
from fhir_plugin.record.dates import day_span
from fhir_plugin.record.lenient import decode_array
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Condition
from mappings.schema.load import Knowledge

_TOPICS = ("conditions.depression", "conditions.severe_depression")
_OFFICIAL = ("official", "usual", None)


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """The patient; text of the record."""

    id: str
    name: str
    born: str
    identifiers: tuple[str, ...]


class DiagnosisLine(msgspec.Struct, frozen=True, kw_only=True):
    """One depressive disorder; text of the record."""

    label: str
    codes: tuple[str, ...]
    status: str
    since: str
    reference: str


def person(record: Record, knowledge: Knowledge) -> Person:
    """The patient's name, date of birth and the identifiers that an insurer needs."""
    patient = record.patient
    if patient is None:
        return Person(id=record.patient_id, name="", born="", identifiers=())
    left_out = knowledge.dossier.identifiers_left_out
    kept = (item for item in decode_array(patient.identifier, Identifier) if item.system not in left_out)
    return Person(
        id=record.patient_id,
        name=_name(decode_array(patient.name, HumanName)),
        born=patient.birth_date or "",
        identifiers=tuple(identifier.value for identifier in kept if identifier.value),
    )


def _name(names: tuple[HumanName, ...]) -> str:
    first = next((name for use in _OFFICIAL for name in names if name.use == use), names[0] if names else None)
    if first is None:
        return ""
    return first.text or " ".join(part for part in (*first.given, first.family) if part)


def diagnoses(decision: Decision) -> Iterator[DiagnosisLine]:
    """Every entry of the problem list for a depressive disorder, current or past."""
    facts = decision.facts.named
    named = {entry.reference for topic in _TOPICS for entry in facts[topic].evidence}
    for condition in decision.record.all("conditions", Condition):
        if condition.reference not in named:
            continue
        codings = condition.code.coding if condition.code else ()
        period = condition.onset_period
        onset = condition.onset_date_time or (period.start if period else None) or condition.recorded_date
        yield DiagnosisLine(
            label=condition.code.label if condition.code else "",
            codes=tuple(coding.code for coding in codings if coding.code),
            status=" ".join(filter(None, map(status_of, (condition.clinical_status, condition.verification_status)))),
            since=str(day_span(onset) or ""),
            reference=condition.reference,
        )
