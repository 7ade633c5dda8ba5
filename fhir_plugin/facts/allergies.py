"""Hypersensitivity to the drugs of the protocols, from AllergyIntolerance."""

from __future__ import annotations

from datetime import date

from fhir_plugin.dates import day_span
from fhir_plugin.facts.entries import status_of
from fhir_plugin.facts.fact import Evidence, Fact, Presence
from fhir_plugin.record import Record
from fhir_plugin.resources import AllergyIntolerance, CodeableConcept
from mappings.load import Knowledge

KETAMINE = "allergies.ketamine"
_IN_ERROR = "entered-in-error"
_REFUTED = "refuted"
_CONFIRMED = "confirmed"
_ENDED = frozenset({"inactive", "resolved"})


def read_ketamine_allergy(record: Record, knowledge: Knowledge, as_of: date) -> Fact:
    """``allergies.ketamine``: ketamine or esketamine as the cause; an empty list says nothing either way."""
    current: list[Evidence] = []
    past: list[Evidence] = []
    possible: list[Evidence] = []
    allergies = sorted(
        (each for each in record.all("allergies", AllergyIntolerance) if _verification(each) != _IN_ERROR),
        key=lambda allergy: allergy.reference,
    )
    for allergy in allergies:
        verification = _verification(allergy)
        if verification == _REFUTED or not any(_is_ketamine(each, knowledge) for each in _substances(allergy)):
            continue
        day = day_span(allergy.recorded_date)
        evidence = Evidence(reference=allergy.reference, label=allergy.code.label if allergy.code else "", day=day)
        if (verification or _CONFIRMED) != _CONFIRMED or (day is not None and day.first > as_of):
            possible.append(evidence)
        else:
            (past if status_of(allergy.clinical_status) in _ENDED else current).append(evidence)
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


def _verification(allergy: AllergyIntolerance) -> str | None:
    return status_of(allergy.verification_status)


def _substances(allergy: AllergyIntolerance) -> list[CodeableConcept]:
    """What it is about: the code, and the substance that a reaction names."""
    named = (allergy.code, *(reaction.substance for reaction in allergy.reaction))
    return [concept for concept in named if concept]


def _is_ketamine(concept: CodeableConcept, knowledge: Knowledge) -> bool:
    treatments = knowledge.treatments
    found = treatments.of_code((coding.system, coding.code) for coding in concept.coding)
    words = (concept.text, *(coding.display for coding in concept.coding))
    named = [name for word in words if word for name in treatments.mentioned(word)]
    return any(treatments[name].given_as == "medication" for name in (*named, *([found] if found else [])))
