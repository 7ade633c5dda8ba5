"""Hypersensitivity to the drugs of the protocols, from AllergyIntolerance."""

from __future__ import annotations

from datetime import date

from fhir_plugin.dates import day_span
from fhir_plugin.facts.fact import Evidence, Fact, Presence
from fhir_plugin.record import Record
from fhir_plugin.resources import AllergyIntolerance, CodeableConcept
from mappings.load import Knowledge

KETAMINE = "allergies.ketamine"
_WITHDRAWN = frozenset({"entered-in-error", "refuted"})
_CONFIRMED = "confirmed"
_ENDED = frozenset({"inactive", "resolved"})


def read_ketamine_allergy(record: Record, knowledge: Knowledge, as_of: date) -> Fact:
    """``allergies.ketamine``: ketamine or esketamine as the cause; an empty list says nothing either way."""
    current: list[Evidence] = []
    past: list[Evidence] = []
    possible: list[Evidence] = []
    allergies = sorted(record.all("allergies", AllergyIntolerance), key=lambda allergy: allergy.reference)
    for allergy in allergies:
        verification = _code_of(allergy.verification_status)
        if verification in _WITHDRAWN or not _is_ketamine(allergy.code, knowledge):
            continue
        day = day_span(allergy.recorded_date)
        evidence = Evidence(reference=allergy.reference, label=allergy.code.label if allergy.code else "", day=day)
        if (verification or _CONFIRMED) != _CONFIRMED or (day is not None and day.first > as_of):
            possible.append(evidence)
        else:
            (past if _code_of(allergy.clinical_status) in _ENDED else current).append(evidence)
    missing = record.gaps(("allergies",))
    if not missing and not allergies:
        missing = (knowledge.wording.gaps["no_allergies"],)
    value = Presence(current=tuple(current), past=tuple(past), possible=tuple(possible))
    return Fact(
        name=KETAMINE,
        value=value,
        evidence=value.current + value.past + value.possible,
        missing=missing,
        looked_in=(f"allergies ({len(allergies)})",),
    )


def _is_ketamine(code: CodeableConcept | None, knowledge: Knowledge) -> bool:
    if code is None:
        return False
    treatments = knowledge.treatments
    found = treatments.treatment_of(((coding.system, coding.code) for coding in code.coding), code.label)
    return found is not None and treatments[found].given_as == "medication"


def _code_of(concept: CodeableConcept | None) -> str | None:
    return next((coding.code for coding in concept.coding if coding.code), None) if concept else None
