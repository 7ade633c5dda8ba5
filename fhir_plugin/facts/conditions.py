"""Which topics the record holds as current, past or possible, from conditions, procedures and devices.

An entry is classified by its code, its status and its dates. An entry that is unconfirmed or coded too broadly is
*possible*; one that was certainly true once but may no longer be is both *past* and *possible*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from operator import attrgetter
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
)
from fhir_plugin.facts.entry_topics import EntryReader
from fhir_plugin.facts.fact import ABSENT, Evidence, Fact, Presence
from fhir_plugin.facts.interactions import use_start, use_status
from fhir_plugin.facts.medications.indications import NOTHING_STATED, stated_reasons
from fhir_plugin.facts.unread_entries import UnreadEntries, unread_entries
from fhir_plugin.record.datatypes import CodeableConcept
from fhir_plugin.record.dates import DaySpan
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Condition, Device, MedicationRequest, MedicationStatement, Procedure
from mappings.schema.codes.value_sets import Meaning, Sense, Topic
from mappings.schema.load import Knowledge

_NO_EVIDENCE: tuple[Evidence, ...] = ()
_EARLIEST = DaySpan(date.min, date.min)


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """Every topic with its presence, and what could not be read."""

    presences: Mapping[str, Presence]
    """By topic; topics without any entry on the record are left out."""
    by_name: Mapping[str, Fact]

    def facts(self) -> Mapping[str, Fact]:
        """``conditions.<topic>`` for every topic."""
        return self.by_name


def read_conditions(
    record: Record, knowledge: Knowledge, as_of: date, unread: UnreadEntries | None = None
) -> Conditions:
    """Classify the entries of every topic, from the inputs in which the topic may appear."""
    unread = unread or unread_entries(record, knowledge)
    builders: dict[str, _PresenceBuilder] = {}
    reader = EntryReader(knowledge.value_sets)
    for condition in record.all("conditions", Condition):
        concepts = condition_concepts(condition)
        senses, hinted, beside = reader.diagnosis(concepts, condition.note)
        if (senses or beside) and (status := condition_status(condition, as_of)):
            if senses:
                _add_entry(_Entry(condition.reference, concepts[0], status, hinted), senses, knowledge, as_of, builders)
            _add_beside(condition, status, beside, knowledge, builders)
    for procedure in record.all("procedures", Procedure):
        concepts = procedure_concepts(procedure)
        senses, hinted = reader.senses(concepts, "procedures")
        if senses and (status := procedure_status(procedure, as_of)):
            _add_entry(_Entry(procedure.reference, concepts[0], status, hinted), senses, knowledge, as_of, builders)
    for device in record.all("devices", Device):
        concepts = device_concepts(device)
        senses, hinted = reader.senses(concepts, "devices")
        if senses and (status := device_status(device, as_of)):
            _add_entry(_Entry(device.reference, concepts[0], status, hinted), senses, knowledge, as_of, builders)
    _add_reasons(record, reader, knowledge, as_of, builders)
    presences = {topic: builder.presence() for topic, builder in builders.items()}
    return Conditions(presences=presences, by_name=_facts(record, knowledge, presences, unread))


class _Entry(msgspec.Struct, frozen=True, gc=False):
    """An entry that concerns at least one topic."""

    reference: str
    concept: CodeableConcept
    status: EntryStatus
    hinted: bool
    """Whether only its text, and no known code, points to the topic."""


class _PresenceBuilder:
    """Collects the entries of one topic as current, past or possible."""

    __slots__ = ("current", "past", "possible")

    def __init__(self) -> None:
        self.current: list[Evidence] = []
        self.past: list[Evidence] = []
        self.possible: list[Evidence] = []

    def add(self, meaning: Meaning, force: Force, evidence: Evidence, *, lasting: bool) -> None:
        """Classify one entry by the meaning of its code and its force; ``lasting``: a past occurrence counts."""
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
        """The entries without duplicates, oldest first."""
        return Presence(current=_distinct(self.current), past=_distinct(self.past), possible=_distinct(self.possible))


def _distinct(entries: list[Evidence]) -> tuple[Evidence, ...]:
    """One piece of evidence per distinct entry: a diagnosis is often repeated at every visit."""
    if not entries:
        return _NO_EVIDENCE
    ordered = sorted(entries, key=lambda entry: (entry.day or _EARLIEST, entry.label, entry.reference, entry.note))
    kept: dict[tuple[str, DaySpan | None, str], Evidence] = {}
    for entry in ordered:
        kept.setdefault((entry.label, entry.day, entry.note), entry)
    return tuple(kept.values())


_IMPRECISE_NOTES = {Meaning.POSSIBLE: "open_code", Meaning.INSUFFICIENT: "insufficient"}


def _add_entry(
    entry: _Entry, senses: Iterable[Sense], knowledge: Knowledge, as_of: date, builders: dict[str, _PresenceBuilder]
) -> None:
    for sense in senses:
        topic = knowledge.value_sets.topics[sense.topic]
        if _is_doubtful_and_over(entry.status, topic, as_of):
            continue
        force, note = _force_by_age(entry.status, sense, topic, as_of)
        if not note:
            note = "uncoded" if entry.hinted else _IMPRECISE_NOTES.get(sense.meaning, "")
        evidence = Evidence(
            reference=entry.reference,
            label=entry.concept.label,
            name=sense.label,
            day=entry.status.start,
            note=knowledge.wording.entries[note] if note else "",
        )
        builder = builders.get(sense.topic)
        if builder is None:
            builder = builders[sense.topic] = _PresenceBuilder()
        builder.add(sense.meaning, force, evidence, lasting=topic.lasting)


def _add_beside(
    condition: Condition,
    status: EntryStatus,
    senses: Iterable[Sense],
    knowledge: Knowledge,
    builders: dict[str, _PresenceBuilder],
) -> None:
    """Add what the words beside a code, or a note, suggest: possible, and without a day, as they may tell of any."""
    label = condition.code.label if condition.code else ""
    for sense in senses:
        if status.force is Force.ENDED and not knowledge.value_sets.topics[sense.topic].lasting:
            continue
        note = knowledge.wording.entries["beside_code"]
        evidence = Evidence(reference=condition.reference, label=label, name=sense.label, note=note)
        builders.setdefault(sense.topic, _PresenceBuilder()).possible.append(evidence)


def _add_reasons(
    record: Record, reader: EntryReader, knowledge: Knowledge, as_of: date, builders: dict[str, _PresenceBuilder]
) -> None:
    """Add the reasons for medications as possible: an indication may be recorded nowhere else.

    The reason for a drug that is no longer taken counts only for lasting topics.
    """
    topics, note = knowledge.value_sets.topics, knowledge.wording.entries["reason"]
    orders = record.all("medicationRequests", MedicationRequest)
    statements = record.all("medicationStatements", MedicationStatement)
    entries: list[MedicationRequest | MedicationStatement] = [*orders, *statements]
    refers = any(map(attrgetter("reason_reference"), entries))
    listed = {condition.reference for condition in record.all("conditions", Condition)} if refers else set()
    for entry in entries:
        stated = stated_reasons(entry, listed)
        if stated is NOTHING_STATED:
            continue
        reasons = [(concept, sense) for concept in stated.written for sense in reader.reason(concept, noted=False)]
        reasons += [(concept, sense) for concept in stated.noted for sense in reader.reason(concept, noted=True)]
        if not reasons:
            continue
        start = use_start(entry)
        status = use_status(entry, start, knowledge, as_of)
        for concept, sense in reasons:
            if status == "current" or (status and topics[sense.topic].lasting):
                evidence = Evidence(
                    reference=entry.reference, label=concept.label, name=sense.label, day=start, note=note
                )
                builders.setdefault(sense.topic, _PresenceBuilder()).possible.append(evidence)


def _is_doubtful_and_over(status: EntryStatus, topic: Topic, as_of: date) -> bool:
    """Whether an entry that was never certain began too long ago to be true now, such as a suspected seizure."""
    if status.force is not Force.DOUBTFUL or topic.recent_days is None or topic.when_old != "ended":
        return False
    return status.start is not None and status.start.days_before(as_of)[0] > topic.recent_days


def _force_by_age(status: EntryStatus, sense: Sense, topic: Topic, as_of: date) -> tuple[Force, str]:
    """The force of an entry given its age: topics such as pregnancy do not last, and events are soon over."""
    if sense.permanent and status.force in {Force.ENDED, Force.OPEN}:
        return Force.NOW, ""
    is_dated_by = status.force is Force.NOW or (sense.event and status.force is not Force.DOUBTFUL)
    if topic.recent_days is None or not is_dated_by:
        return status.force, status.note
    if status.start is None:
        return Force.OPEN, "undated"
    youngest, oldest = status.start.days_before(as_of)
    if youngest > topic.recent_days:
        ended = topic.when_old == "ended" or status.force is Force.ENDED
        return (Force.ENDED if ended else Force.OPEN), "long_ago"
    return (Force.OPEN, "undated") if oldest > topic.recent_days else (Force.NOW, status.note)


def _facts(
    record: Record, knowledge: Knowledge, presences: Mapping[str, Presence], unread: UnreadEntries
) -> Mapping[str, Fact]:
    facts: dict[str, Fact] = {}
    for places, topics in knowledge.once(_topics_by_place).items():
        look = _search_extent(record, places, unread.by_input)
        for topic, name in topics:
            presence = presences.get(topic, ABSENT)
            facts[name] = Fact(
                name=name,
                value=presence,
                evidence=presence.current + presence.past + presence.possible,
                unread=look.unread,
                missing=look.missing,
                looked_in=look.looked_in,
            )
    return facts


def _topics_by_place(knowledge: Knowledge) -> Mapping[tuple[str, ...], list[tuple[str, str]]]:
    """By the inputs in which a topic may appear, the topics and their facts."""
    reasons = knowledge.value_sets.reviewed.reasons_in
    found: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for topic, shape in knowledge.value_sets.topics.items():
        places = (*shape.read_in, *reasons) if shape.reasons else shape.read_in
        found.setdefault(places, []).append((topic, shape.fact))
    return found


class _SearchExtent(NamedTuple):
    """The inputs that were searched for a topic, and what was missing in them."""

    missing: tuple[str, ...]
    unread: tuple[str, ...]
    looked_in: tuple[str, ...]


def _search_extent(
    record: Record, places: tuple[str, ...], unread_entries: Mapping[str, tuple[str, ...]]
) -> _SearchExtent:
    extent = record.extent(places)
    missing, unread = extent.gaps, extent.unread
    if not missing:
        missing = tuple(why for place in places for why in unread_entries.get(place, ()))
        unread = tuple(place for place in places if unread_entries.get(place))
    return _SearchExtent(missing, unread, extent.looked_in)
