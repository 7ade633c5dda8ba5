"""Hypersensitivity to the drugs of the protocols, from AllergyIntolerance and, as a possibility, the problem list."""

from __future__ import annotations

from collections.abc import Iterable
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
    """``allergies.ketamine``: allergy to ketamine or esketamine; an empty allergy list proves nothing either way."""
    current: list[Evidence] = []
    past: list[Evidence] = []
    possible: list[Evidence] = []
    allergies = sorted(
        (entry for entry in record.all("allergies", AllergyIntolerance) if _verification(entry) != _IN_ERROR),
        key=lambda allergy: allergy.reference,
    )
    for allergy in allergies:
        verification = _verification(allergy)
        name = _drug_name(_substances(allergy), knowledge)
        if verification == _REFUTED or not name:
            continue
        day = day_span(allergy.recorded_date)
        label = allergy.code.label if allergy.code else ""
        evidence = Evidence(reference=allergy.reference, label=label, name=name, day=day)
        if (verification or _CONFIRMED) != _CONFIRMED or (day is not None and day.first > as_of):
            possible.append(evidence)
        else:
            (past if status_of(allergy.clinical_status) in _ENDED else current).append(evidence)
    possible += _in_problem_list(record, knowledge)
    missing = record.gaps(("allergies", "conditions"))
    absent = not missing and not allergies
    if absent:
        missing = (knowledge.wording.gaps["no_allergies"],)
    value = Presence(current=tuple(current), past=tuple(past), possible=tuple(possible))
    return Fact(
        name=KETAMINE,
        value=value,
        evidence=value.current + value.past + value.possible,
        unread=record.unread_of(("allergies", "conditions")),
        absent=absent,
        missing=missing,
        looked_in=(f"allergies ({len(allergies)})", f"conditions ({len(record.input('conditions').resources)})"),
    )


def _in_problem_list(record: Record, knowledge: Knowledge) -> list[Evidence]:
    """Problem-list entries that mention the drug and an allergy, unless their words negate it."""
    evidence = []
    for condition in record.all("conditions", Condition):
        words = " ".join(words_of(condition_concepts(condition))).lower()
        if not any(piece in words for piece in knowledge.treatments.allergy_words) or is_withdrawn(condition):
            continue
        if any(piece in words for piece in knowledge.value_sets.reviewed.never_a_hint):
            continue
        name = _drug_name((condition.code,), knowledge) if condition.code else ""
        if condition.code and name:
            note = knowledge.wording.entries["uncoded"]
            day = day_span(condition.recorded_date)
            evidence.append(
                Evidence(reference=condition.reference, label=condition.code.label, name=name, day=day, note=note)
            )
    return sorted(evidence, key=lambda entry: entry.reference)


def _verification(allergy: AllergyIntolerance) -> str | None:
    return status_of(allergy.verification_status)


def _substances(allergy: AllergyIntolerance) -> list[CodeableConcept]:
    """The concepts of the allergy: its code and the substances of its reactions."""
    concepts = (allergy.code, *(reaction.substance for reaction in allergy.reaction))
    return [concept for concept in concepts if concept]


def _drug_name(concepts: Iterable[CodeableConcept], knowledge: Knowledge) -> str:
    """The drug of the protocols that one of the concepts denotes or mentions; empty if none does."""
    treatments = knowledge.treatments
    for concept in concepts:
        by_code = treatments.of_code((coding.system, coding.code) for coding in concept.coding)
        words = (concept.text, *(coding.display for coding in concept.coding))
        mentioned = [name for word in words if word for name in treatments.mentioned(word)]
        for name in (*([by_code] if by_code else ()), *mentioned):
            if treatments[name].given_as == "medication":
                return treatments[name].short
    return ""
