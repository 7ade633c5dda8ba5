"""Which topics are on the record: now, once, or perhaps, from conditions, procedures and devices.

An entry counts by its code, its status and its dates. What an entry leaves open is kept open: unconfirmed, or coded
too loosely, it is *possible*; certain to have been but not whether it still is, it is both *past* and *possible*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

import msgspec

from fhir_plugin.facts.entries import (
    EntryStatus,
    Force,
    condition_concepts,
    condition_status,
    device_concepts,
    device_status,
    procedure_concepts,
    procedure_status,
    words_of,
)
from fhir_plugin.facts.fact import Evidence, Fact, Presence
from fhir_plugin.facts.interactions import use_start, use_status
from fhir_plugin.facts.unread_entries import unread_entries
from fhir_plugin.record.datatypes import CodeableConcept
from fhir_plugin.record.dates import DaySpan
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Condition, Device, MedicationRequest, MedicationStatement, Procedure
from mappings.schema.codes.value_sets import Meaning, Sense, Topic, ValueSets
from mappings.schema.load import Knowledge

_ABSENT = Presence()
_NO_EVIDENCE: tuple[Evidence, ...] = ()
_EARLIEST = DaySpan(date.min, date.min)


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """Every topic with its presence, and what could not be looked at."""

    presences: Mapping[str, Presence]
    """By topic; a topic that is not named has no entry."""
    by_name: Mapping[str, Fact]

    def facts(self) -> Mapping[str, Fact]:
        """``conditions.<topic>`` for every topic."""
        return self.by_name


def read_conditions(record: Record, knowledge: Knowledge, as_of: date) -> Conditions:
    """Look every topic up in the inputs in which it may stand."""
    found: dict[str, _PresenceBuilder] = {}
    said = _EntryReader(knowledge.value_sets)
    for condition in record.all("conditions", Condition):
        concepts = condition_concepts(condition)
        senses, hinted = said.by(concepts, "conditions")
        if senses and (standing := condition_status(condition, as_of)):
            _add_entry(_Entry(condition.reference, concepts[0], standing, hinted), senses, knowledge, as_of, found)
    for procedure in record.all("procedures", Procedure):
        concepts = procedure_concepts(procedure)
        senses, hinted = said.by(concepts, "procedures")
        if senses and (standing := procedure_status(procedure, as_of)):
            _add_entry(_Entry(procedure.reference, concepts[0], standing, hinted), senses, knowledge, as_of, found)
    for device in record.all("devices", Device):
        concepts = device_concepts(device)
        senses, hinted = said.by(concepts, "devices")
        if senses and (standing := device_status(device, as_of)):
            _add_entry(_Entry(device.reference, concepts[0], standing, hinted), senses, knowledge, as_of, found)
    _add_reasons(record, said, knowledge, as_of, found)
    presences = {topic: buckets.presence() for topic, buckets in found.items()}
    return Conditions(presences=presences, by_name=_facts(record, knowledge, presences))


class _Entry(NamedTuple):
    """An entry that speaks of some topic."""

    reference: str
    concept: CodeableConcept
    standing: EntryStatus
    hinted: bool
    """Whether only its words speak of the topic."""


class _PresenceBuilder:
    """The entries of one topic while they are being sorted."""

    __slots__ = ("current", "past", "possible")

    def __init__(self) -> None:
        self.current: list[Evidence] = []
        self.past: list[Evidence] = []
        self.possible: list[Evidence] = []

    def add(self, meaning: Meaning, force: Force, evidence: Evidence, *, lasting: bool) -> None:
        """Put one entry where its code and its force together say; ``lasting``: to have had it once counts."""
        if force is Force.DOUBTFUL:
            self.possible.append(evidence)
        elif meaning is Meaning.PAST or (meaning is Meaning.CURRENT and force is Force.ENDED):
            self.past.append(evidence)
        elif meaning is Meaning.CURRENT and force is Force.NOW:
            self.current.append(evidence)
        elif meaning is Meaning.CURRENT:
            self.past.append(evidence)
            self.possible.append(evidence)
        elif lasting or force is not Force.ENDED:
            self.possible.append(evidence)

    def presence(self) -> Presence:
        """The entries, each once, oldest first."""
        return Presence(current=_distinct(self.current), past=_distinct(self.past), possible=_distinct(self.possible))


def _distinct(entries: list[Evidence]) -> tuple[Evidence, ...]:
    """One piece of evidence for what is written several times, such as one diagnosis at every visit."""
    if not entries:
        return _NO_EVIDENCE
    ordered = sorted(entries, key=lambda entry: (entry.day or _EARLIEST, entry.label, entry.reference, entry.note))
    kept: dict[tuple[str, DaySpan | None, str], Evidence] = {}
    for entry in ordered:
        kept.setdefault((entry.label, entry.day, entry.note), entry)
    return tuple(kept.values())


_IMPRECISE_NOTES = {Meaning.POSSIBLE: "open_code", Meaning.INSUFFICIENT: "insufficient"}


def _add_entry(
    entry: _Entry, senses: Iterable[Sense], knowledge: Knowledge, as_of: date, found: dict[str, _PresenceBuilder]
) -> None:
    for sense in senses:
        force, note = _force_by_age(entry.standing, knowledge.value_sets.topics[sense.topic], as_of)
        if not note:
            note = "uncoded" if entry.hinted else _IMPRECISE_NOTES.get(sense.meaning, "")
        evidence = Evidence(
            reference=entry.reference,
            label=entry.concept.label,
            day=entry.standing.start,
            note=knowledge.wording.entries[note] if note else "",
        )
        buckets = found.get(sense.topic)
        if buckets is None:
            buckets = found[sense.topic] = _PresenceBuilder()
        buckets.add(sense.meaning, force, evidence, lasting=knowledge.value_sets.topics[sense.topic].lasting)


def _add_reasons(
    record: Record, said: _EntryReader, knowledge: Knowledge, as_of: date, found: dict[str, _PresenceBuilder]
) -> None:
    """What a drug is taken for may be on the record nowhere else; it is possible, never certain.

    A drug that is over counts where to have had it once does.
    """
    topics, note = knowledge.value_sets.topics, knowledge.wording.entries["reason"]
    orders = record.all("medicationRequests", MedicationRequest)
    statements = record.all("medicationStatements", MedicationStatement)
    taken: list[MedicationRequest | MedicationStatement] = [*orders, *statements]
    for each in taken:
        start = use_start(each) if each.reason_code else None
        when = use_status(each, start, knowledge, as_of) if each.reason_code else None
        if when is None:
            continue
        for concept in each.reason_code:
            for sense in said.by((concept,), "conditions")[0]:
                topic = topics[sense.topic]
                if topic.reasons and (topic.lasting or when == "current"):
                    evidence = Evidence(reference=each.reference, label=concept.label, day=start, note=note)
                    found.setdefault(sense.topic, _PresenceBuilder()).possible.append(evidence)


def _force_by_age(standing: EntryStatus, topic: Topic, as_of: date) -> tuple[Force, str]:
    """The force of an entry for a topic that does not last, such as pregnancy."""
    if topic.recent_days is None or standing.force is not Force.NOW:
        return standing.force, standing.note
    if standing.start is None:
        return Force.OPEN, "undated"
    youngest, oldest = standing.start.days_before(as_of)
    if youngest > topic.recent_days:
        return (Force.ENDED if topic.when_old == "ended" else Force.OPEN), "long_ago"
    return (Force.OPEN, "undated") if oldest > topic.recent_days else (Force.NOW, standing.note)


class _EntryReader:
    """What entries say; concepts that repeat on a record, such as a diagnosis at every visit, are looked up once."""

    __slots__ = ("_seen", "_value_sets")

    def __init__(self, value_sets: ValueSets) -> None:
        self._value_sets = value_sets
        self._seen: dict[tuple[str, tuple[CodeableConcept, ...]], tuple[list[Sense], bool]] = {}

    def by(self, concepts: tuple[CodeableConcept, ...], place: str) -> tuple[list[Sense], bool]:
        """One sense a topic, and whether only the words say it, for want of a known code."""
        key = place, concepts
        found = self._seen.get(key)
        if found is None:
            found = self._seen[key] = _senses(concepts, place, self._value_sets)
        return found


def _senses(concepts: tuple[CodeableConcept, ...], place: str, value_sets: ValueSets) -> tuple[list[Sense], bool]:
    """What an entry says, one sense a topic, and whether only its words say it, for want of a known code."""
    known: tuple[Sense, ...] | None = None
    look_up = value_sets.index.senses
    for concept in concepts:
        for coding in concept.coding:
            senses = look_up(coding.system, coding.code)
            if senses is not None:
                known = senses if known is None else _merged_senses((*known, *senses))
    hinted = known is None
    said = value_sets.hints.senses(_words(concepts)) if known is None else known
    return [sense for sense in said if sense.meaning is not Meaning.IGNORED and place in sense.read_in], hinted


def _words(concepts: tuple[CodeableConcept, ...]) -> str:
    """The text, and the names of the codes: a text such as ``see note`` hides what a code is called."""
    return " ".join(words_of(concepts) or [concept.label for concept in concepts]).lower()


_MOST_DEFINITE_FIRST = (Meaning.CURRENT, Meaning.PAST, Meaning.POSSIBLE, Meaning.INSUFFICIENT, Meaning.IGNORED)


def _merged_senses(senses: tuple[Sense, ...]) -> tuple[Sense, ...]:
    """One sense a topic: the most definite, and possible where one code says now and another once."""
    by_topic: dict[str, Sense] = {}
    for sense in senses:
        other = by_topic.get(sense.topic)
        if other is None:
            by_topic[sense.topic] = sense
        elif {sense.meaning, other.meaning} == {Meaning.CURRENT, Meaning.PAST}:
            by_topic[sense.topic] = Sense(sense.topic, Meaning.POSSIBLE, sense.label, sense.read_in | other.read_in)
        else:
            by_topic[sense.topic] = min(sense, other, key=lambda each: _MOST_DEFINITE_FIRST.index(each.meaning))
    return tuple(by_topic.values())


def _facts(record: Record, knowledge: Knowledge, presences: Mapping[str, Presence]) -> Mapping[str, Fact]:
    looks: dict[tuple[str, ...], tuple[tuple[str, ...], tuple[str, ...]]] = {}
    unsaid = unread_entries(record, knowledge)
    reasons = knowledge.value_sets.reviewed.reasons_in
    facts: dict[str, Fact] = {}
    for topic, shape in knowledge.value_sets.topics.items():
        places = (*shape.read_in, *reasons) if shape.reasons else shape.read_in
        look = looks.get(places)
        if look is None:
            look = looks[places] = _search_extent(record, places, unsaid)
        presence = presences.get(topic, _ABSENT)
        name = shape.fact
        facts[name] = Fact(
            name=name,
            value=presence,
            evidence=presence.current + presence.past + presence.possible,
            missing=look[0],
            looked_in=look[1],
        )
    return facts


def _search_extent(
    record: Record, places: tuple[str, ...], unsaid: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What was missing where a topic is looked for, and where it was looked for."""
    missing = record.gaps(places)
    if not missing:
        missing = tuple(why for place in places for why in unsaid.get(place, ()))
    return missing, tuple(f"{place} ({len(record.input(place).resources)})" for place in places)
