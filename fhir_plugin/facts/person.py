"""What criteria need from the Patient resource: the age, and whether pregnancy is possible at all."""

from __future__ import annotations

from datetime import date

import msgspec

from fhir_plugin.facts.fact import Count, Evidence, Fact, Presence
from fhir_plugin.record.datatypes import UNDECODABLE
from fhir_plugin.record.dates import day_span
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Patient
from mappings.schema.load import Knowledge

AGE = "person.age"
CHILDBEARING = "person.childbearing"


def read_age(record: Record, knowledge: Knowledge, as_of: date) -> Fact:
    """``person.age``: whole years, with both bounds where the birth date is a year or a month.

    A patient who has died, or whose record was replaced by another, has no age, so no criterion that needs one is met.
    """
    looked = record.looked_in("patient")
    patient = record.patient
    born = day_span(patient.birth_date) if patient else None
    if patient is None or born is None or born.first > as_of:
        missing = record.gaps(("patient",)) or (knowledge.wording.gaps["no_birth_date"],)
        return Fact(name=AGE, value=None, missing=missing, looked_in=looked)
    if _has_died(patient, as_of):
        return Fact(name=AGE, value=None, missing=(knowledge.wording.gaps["deceased"],), looked_in=looked)
    if _is_replaced(patient):
        return Fact(name=AGE, value=None, missing=(knowledge.wording.gaps["replaced"],), looked_in=looked)
    age = Count(low=max(0, _years(born.last, as_of)), high=_years(born.first, as_of), unit="a")
    evidence = (Evidence(reference=patient.reference),)  # the age is enough; the date of birth is not repeated
    return Fact(name=AGE, value=age, evidence=evidence, looked_in=looked)


def read_childbearing(record: Record, knowledge: Knowledge, age: Fact) -> Fact:
    """``person.childbearing``: current unless the administrative gender or the age rules it out.

    An unknown age or gender rules nothing out.
    """
    rule, patient = knowledge.person.childbearing, record.patient
    years = age.value if isinstance(age.value, Count) else Count(low=0, high=None)
    outside = years.low > rule.ages.high or (years.high is not None and years.high < rule.ages.low)
    excluded = outside or (patient is not None and patient.gender in rule.not_for)
    entries = () if excluded else (Evidence(reference=patient.reference if patient else ""),)
    return Fact(name=CHILDBEARING, value=Presence(current=entries), looked_in=age.looked_in)


def _has_died(patient: Patient, as_of: date) -> bool:
    died = day_span(patient.deceased_date_time)
    return bool(patient.deceased_boolean) or (died is not None and died.first <= as_of)


class _Link(msgspec.Struct, frozen=True):
    type: str | None = None


_LINKS = msgspec.json.Decoder(tuple[_Link, ...] | None)


def _is_replaced(patient: Patient) -> bool:
    """Whether the record continues under another Patient, so that data missing here may be found there."""
    try:
        links = _LINKS.decode(patient.link)
    except UNDECODABLE:
        return False
    return any(link.type == "replaced-by" for link in links or ())


def _years(born: date, as_of: date) -> int:
    return as_of.year - born.year - ((as_of.month, as_of.day) < (born.month, born.day))
