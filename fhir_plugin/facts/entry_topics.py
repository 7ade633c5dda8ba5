"""Which topics the codes and the words of an entry mean. Pure.

What the names of problems suggest is kept for the next record; of notes, nothing is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from fhir_plugin.record.coded import MOST_LETTERS, words_of
from fhir_plugin.record.datatypes import Annotation, CodeableConcept
from mappings.schema.codes.value_sets import Meaning, Place, Sense, ValueSets


class Diagnosis(NamedTuple):
    """What a diagnosis and the words around it say."""

    senses: list[Sense]
    """One per topic."""
    hinted: bool
    """Whether they were taken from the text because no code is known."""
    beside: list[Sense]
    """What words beside a known code, and notes, suggest that the code itself does not say."""


class EntryReader:
    """Looks up the topics of entries, once per distinct concept: diagnoses are often repeated at every visit."""

    __slots__ = ("_diagnoses", "_reasons", "_seen", "_value_sets")

    def __init__(self, value_sets: ValueSets) -> None:
        self._value_sets = value_sets
        self._seen: dict[tuple[str, tuple[CodeableConcept, ...]], tuple[list[Sense], bool]] = {}
        self._diagnoses: dict[tuple[tuple[CodeableConcept, ...], tuple[Annotation, ...]], Diagnosis] = {}
        self._reasons: dict[CodeableConcept, list[Sense]] = {}

    def senses(self, concepts: tuple[CodeableConcept, ...], place: Place) -> tuple[list[Sense], bool]:
        """One sense per topic, and whether it was taken from the text because no code is known."""
        key = place, concepts
        senses = self._seen.get(key)
        if senses is None:
            said, hinted = self._what_is_said(concepts)
            senses = self._seen[key] = self._settled(said, concepts, place, hinted=hinted), hinted
        return senses

    def diagnosis(self, concepts: tuple[CodeableConcept, ...], notes: tuple[Annotation, ...]) -> Diagnosis:
        """The senses of a condition, and what its words suggest besides."""
        key = concepts, notes
        diagnosis = self._diagnoses.get(key)
        if diagnosis is None:
            said, hinted = self._what_is_said(concepts)
            senses = self._settled(said, concepts, "conditions", hinted=hinted)
            beside = list(self._beside(said, () if hinted else concepts, notes))
            diagnosis = self._diagnoses[key] = Diagnosis(senses, hinted, beside)
        return diagnosis

    def reason(self, concept: CodeableConcept, *, noted: bool) -> list[Sense]:
        """The senses of the reason for a drug, of the topics that a reason may indicate; ``noted``: from a note."""
        senses = self._reasons.get(concept)
        if senses is None:
            said, hinted = self._what_is_said((concept,), noted=noted)
            topics = self._value_sets.topics
            of_reasons = [sense for sense in said if topics[sense.topic].reasons]
            senses = self._reasons[concept] = self._settled(of_reasons, (concept,), "conditions", hinted=hinted)
        return senses

    def _settled(
        self, said: Iterable[Sense], concepts: tuple[CodeableConcept, ...], place: Place, *, hinted: bool
    ) -> list[Sense]:
        settled = (_settled(sense, concepts, self._value_sets, hinted=hinted) for sense in said)
        return [sense for sense in settled if sense.meaning is not Meaning.IGNORED and place in sense.read_in]

    def _beside(
        self, said: Iterable[Sense], coded: tuple[CodeableConcept, ...], notes: tuple[Annotation, ...]
    ) -> Iterator[Sense]:
        texts = [piece for note in notes if note.text for piece in _pieces(note.text)]
        texts += words_of(coded)
        if not texts:
            return
        known = {sense.topic for sense in said}
        value_sets = self._value_sets
        suggested = value_sets.hints.senses if notes else value_sets.hints.senses_of_name
        for sense in suggested("; ".join(texts).lower()):
            is_read = "conditions" in sense.read_in and value_sets.topics[sense.topic].beside_codes
            if is_read and sense.topic not in known:
                yield sense

    def _what_is_said(
        self, concepts: tuple[CodeableConcept, ...], *, noted: bool = False
    ) -> tuple[tuple[Sense, ...], bool]:
        """What the codes say of every topic; where none is known, what the words suggest, and that they do."""
        coded = _coded(concepts, self._value_sets)
        if coded is not None:
            return coded, False
        hints = self._value_sets.hints
        return (hints.senses if noted else hints.senses_of_name)(_words(concepts)), True


def _coded(concepts: tuple[CodeableConcept, ...], value_sets: ValueSets) -> tuple[Sense, ...] | None:
    """What the codes say of every topic; ``None`` where no topic lists any."""
    coded: tuple[Sense, ...] | None = None
    look_up = value_sets.index.senses
    for concept in concepts:
        for coding in concept.coding:
            senses = look_up(coding.system, coding.code)
            if senses is not None:
                coded = senses if coded is None else _merged_senses((*coded, *senses))
    return coded


def _settled(sense: Sense, concepts: tuple[CodeableConcept, ...], value_sets: ValueSets, *, hinted: bool) -> Sense:
    """The sense; where it is only possible, as the words of the entry settle it."""
    wording = value_sets.wordings.get(sense.topic) if sense.meaning is Meaning.POSSIBLE else None
    if wording is None:
        return sense
    meaning = wording.meaning(_words(concepts), hinted=hinted)
    return sense if meaning is sense.meaning else replace(sense, meaning=meaning)


def _pieces(note: str) -> Iterable[str]:
    """A note, which may be long, in pieces that are searched one by one."""
    return (note[start : start + MOST_LETTERS] for start in range(0, len(note), MOST_LETTERS))


def _words(concepts: tuple[CodeableConcept, ...]) -> str:
    """The text and the displays of the codes: a text such as ``see note`` says less than a display."""
    return " ".join(words_of(concepts) or [concept.label[:MOST_LETTERS] for concept in concepts]).lower()


_MOST_DEFINITE_FIRST = (Meaning.CURRENT, Meaning.PAST, Meaning.POSSIBLE, Meaning.INSUFFICIENT, Meaning.IGNORED)


def _merged_senses(senses: tuple[Sense, ...]) -> tuple[Sense, ...]:
    """One sense per topic: the most definite one, or possible where one code means current and another past."""
    by_topic: dict[str, Sense] = {}
    for sense in senses:
        other = by_topic.get(sense.topic)
        if other is None:
            by_topic[sense.topic] = sense
        elif {sense.meaning, other.meaning} == {Meaning.CURRENT, Meaning.PAST}:
            event = sense.event or other.event
            places = sense.read_in | other.read_in
            by_topic[sense.topic] = Sense(sense.topic, Meaning.POSSIBLE, sense.label, places, event)
        else:
            by_topic[sense.topic] = min(
                sense, other, key=lambda candidate: _MOST_DEFINITE_FIRST.index(candidate.meaning)
            )
    return tuple(by_topic.values())
