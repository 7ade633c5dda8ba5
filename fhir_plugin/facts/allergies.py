"""Hypersensitivity to the drugs of the protocols, from AllergyIntolerance and, as a possibility, the problem list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from fhir_plugin.facts.entries import allergy_concepts, is_withdrawn, status_of
from fhir_plugin.facts.fact import Evidence, Fact, Presence
from fhir_plugin.facts.unread_entries import UnreadEntries, unread_allergies, unread_entries
from fhir_plugin.record.coded import has_readable_words, words_of
from fhir_plugin.record.datatypes import CodeableConcept
from fhir_plugin.record.dates import day_span
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import AllergyIntolerance, Condition
from mappings.schema.load import Knowledge

KETAMINE, INTOLERANCE = "allergies.ketamine", "allergies.ketamine_intolerance"
_IN_ERROR = "entered-in-error"
_REFUTED = "refuted"
_CONFIRMED = "confirmed"
_ENDED = frozenset({"inactive", "resolved"})
_INTOLERANCE = "intolerance"
_HIGH = "high"
_SEVERE = "severe"


class _PresenceBuilder:
    """Collects entries of the allergy list as current, past or possible."""

    def __init__(self) -> None:
        self.current: list[Evidence] = []
        self.past: list[Evidence] = []
        self.possible: list[Evidence] = []

    def add(self, allergy: AllergyIntolerance, evidence: Evidence, as_of: date) -> None:
        """Add an entry by its statuses and its day."""
        day, verification = evidence.day, _verification(allergy)
        if (verification or _CONFIRMED) != _CONFIRMED or (day is not None and day.first > as_of):
            self.possible.append(evidence)
        else:
            (self.past if status_of(allergy.clinical_status) in _ENDED else self.current).append(evidence)

    def presence(self) -> Presence:
        """The entries so far."""
        return Presence(current=tuple(self.current), past=tuple(self.past), possible=tuple(self.possible))


def read_ketamine_allergy(
    record: Record, knowledge: Knowledge, as_of: date, unread: UnreadEntries | None = None
) -> tuple[Fact, Fact]:
    """``allergies.ketamine`` and ``allergies.ketamine_intolerance``: earlier reactions to ketamine or esketamine.

    An empty allergy list proves nothing either way. An entry of the type ``intolerance`` is no hypersensitivity, unless
    its reaction is; where it is severe, or the reaction cannot be read, hypersensitivity is possible.
    """
    allergy, intolerance = _PresenceBuilder(), _PresenceBuilder()
    entries = sorted(
        (entry for entry in record.all("allergies", AllergyIntolerance) if _verification(entry) != _IN_ERROR),
        key=lambda entry: entry.reference,
    )
    for entry in entries:
        name = _drug_name(allergy_concepts(entry), knowledge)
        if _verification(entry) == _REFUTED or not name:
            continue
        label = entry.code.label if entry.code else ""
        day = day_span(entry.recorded_date)
        evidence = Evidence(reference=entry.reference, label=label, name=name, day=day)
        if entry.type != _INTOLERANCE or _is_hypersensitive(entry, knowledge):
            allergy.add(entry, evidence, as_of)
            continue
        intolerance.add(entry, evidence, as_of)
        if _may_be_hypersensitive(entry):
            note = knowledge.wording.entries["intolerance"]
            allergy.possible.append(Evidence(reference=entry.reference, label=label, name=name, day=day, note=note))
    allergy.possible += _in_problem_list(record, knowledge)
    extent = _extent(record, entries, knowledge, unread or unread_entries(record, knowledge))
    presences = {KETAMINE: allergy.presence(), INTOLERANCE: intolerance.presence()}
    first, second = (
        Fact(name=name, value=value, evidence=value.current + value.past + value.possible, **extent)
        for name, value in presences.items()
    )
    return first, second


def _extent(
    record: Record, entries: Sequence[AllergyIntolerance], knowledge: Knowledge, of_record: UnreadEntries
) -> dict[str, Any]:
    """What was searched, and what in it could not be read."""
    places = ("allergies", "conditions")
    missing, unread = record.gaps(places), record.unread_of(places)
    absent = not missing and not entries
    if absent:
        missing, unread = (knowledge.wording.gaps["no_allergies"],), ("allergies",)
    else:
        believed = (entry for entry in entries if _verification(entry) != _REFUTED)
        unreadable = {
            "allergies": unread_allergies(believed, knowledge),
            "conditions": of_record.diagnoses,
        }
        missing += tuple(why for place in places for why in unreadable[place])
        unread = tuple(place for place in places if place in unread or unreadable[place])
    looked_in = (f"allergies ({len(entries)})", *record.looked_in("conditions"))
    return {"missing": missing, "absent": absent, "unread": unread, "looked_in": looked_in}


def _is_hypersensitive(entry: AllergyIntolerance, knowledge: Knowledge) -> bool:
    """Whether a reaction is hypersensitivity by its words."""
    shown = [concept for reaction in entry.reaction for concept in reaction.manifestation]
    named = (entry.code,) if entry.code else ()
    words = " ".join(words_of((*named, *shown))).lower()
    return any(piece in words for piece in knowledge.treatments.hypersensitive_reactions)


def _may_be_hypersensitive(entry: AllergyIntolerance) -> bool:
    """Whether an intolerance is severe, or has a reaction without words that can be read."""
    if entry.criticality == _HIGH or any(reaction.severity == _SEVERE for reaction in entry.reaction):
        return True
    return any(not has_readable_words((concept,)) for reaction in entry.reaction for concept in reaction.manifestation)


def _in_problem_list(record: Record, knowledge: Knowledge) -> list[Evidence]:
    """Problem-list entries that mention the drug and an allergy, unless their words negate it."""
    codes = {condition.code for condition in record.all("conditions", Condition) if condition.code}
    names = {code: _drug_name((code,), knowledge) for code in codes if _states_allergy(code, knowledge)}
    if not any(names.values()):
        return []
    evidence = []
    for condition in record.all("conditions", Condition):
        name = names.get(condition.code) if condition.code else None
        if condition.code and name and not is_withdrawn(condition):
            note = knowledge.wording.entries["uncoded"]
            day = day_span(condition.recorded_date)
            evidence.append(
                Evidence(reference=condition.reference, label=condition.code.label, name=name, day=day, note=note)
            )
    return sorted(evidence, key=lambda entry: entry.reference)


def _states_allergy(code: CodeableConcept, knowledge: Knowledge) -> bool:
    words = " ".join(words_of((code,))).lower()
    if not any(map(words.__contains__, knowledge.treatments.allergy_words)):
        return False  # which is true of nearly every problem, and sooner seen than what is denied
    stated = " ".join(knowledge.value_sets.hints.clauses(words))
    return any(map(stated.__contains__, knowledge.treatments.allergy_words))


def _verification(allergy: AllergyIntolerance) -> str | None:
    return status_of(allergy.verification_status)


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
