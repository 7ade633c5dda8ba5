"""Hypersensitivity to the drugs of the protocols, from AllergyIntolerance, and perhaps from the problem list."""

from __future__ import annotations

from datetime import date

from fhir_plugin.facts.entries import condition_concepts, is_withdrawn, status_of, words_of
from fhir_plugin.facts.fact import Evidence, Fact, Presence
from fhir_plugin.record.datatypes import CodeableConcept
from fhir_plugin.record.dates import day_span
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import AllergyIntolerance, Condition
from mappings.schema.load import Knowledge

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
        if verification == _REFUTED or not any(_names_ketamine(each, knowledge) for each in _substances(allergy)):
            continue
        day = day_span(allergy.recorded_date)
        evidence = Evidence(reference=allergy.reference, label=allergy.code.label if allergy.code else "", day=day)
        if (verification or _CONFIRMED) != _CONFIRMED or (day is not None and day.first > as_of):
            possible.append(evidence)
        else:
            (past if status_of(allergy.clinical_status) in _ENDED else current).append(evidence)
    possible += _in_problem_list(record, knowledge)
    missing = record.gaps(("allergies", "conditions"))
    if not missing and not allergies:
        missing = (knowledge.wording.gaps["no_allergies"],)
    value = Presence(current=tuple(current), past=tuple(past), possible=tuple(possible))
    return Fact(
        name=KETAMINE,
        value=value,
        evidence=value.current + value.past + value.possible,
        missing=missing,
        looked_in=(f"allergies ({len(allergies)})", f"conditions ({len(record.input('conditions').resources)})"),
    )


def _in_problem_list(record: Record, knowledge: Knowledge) -> list[Evidence]:
    """Entries that name the drug and speak of an allergy; words that take a hint back do so here too."""
    found = []
    for condition in record.all("conditions", Condition):
        words = " ".join(words_of(condition_concepts(condition))).lower()
        if not any(piece in words for piece in knowledge.treatments.allergy_words) or is_withdrawn(condition):
            continue
        if any(piece in words for piece in knowledge.value_sets.reviewed.never_a_hint):
            continue
        if condition.code and _names_ketamine(condition.code, knowledge):
            note = knowledge.wording.entries["uncoded"]
            day = day_span(condition.recorded_date)
            found.append(Evidence(reference=condition.reference, label=condition.code.label, day=day, note=note))
    return sorted(found, key=lambda entry: entry.reference)


def _verification(allergy: AllergyIntolerance) -> str | None:
    return status_of(allergy.verification_status)


def _substances(allergy: AllergyIntolerance) -> list[CodeableConcept]:
    """What it is about: the code, and the substance that a reaction names."""
    named = (allergy.code, *(reaction.substance for reaction in allergy.reaction))
    return [concept for concept in named if concept]


def _names_ketamine(concept: CodeableConcept, knowledge: Knowledge) -> bool:
    treatments = knowledge.treatments
    found = treatments.of_code((coding.system, coding.code) for coding in concept.coding)
    words = (concept.text, *(coding.display for coding in concept.coding))
    named = [name for word in words if word for name in treatments.mentioned(word)]
    return any(treatments[name].given_as == "medication" for name in (*named, *([found] if found else [])))
