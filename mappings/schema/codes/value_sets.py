"""Value sets: which codes of one system belong to a topic, and what they mean for it.

A topic is one thing that may be on a record (``psychosis``). A file contains the codes of one system for one topic.
ICD-10-CM is a hierarchy: a code includes everything below it, and the longest matching code decides. ``F33`` may be a
possible depression while ``F33.1`` is a current one. Every other system is matched code by code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, KnowledgeError, Reviewed
from mappings.schema.base.files import read_yaml

SNOMED_CT = "http://snomed.info/sct"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"

Place = Literal["conditions", "procedures", "devices"]


class Meaning(StrEnum):
    """What an active entry with such a code means for the topic."""

    CURRENT = "current"
    PAST = "past"
    POSSIBLE = "possible"
    """May apply: the code omits the deciding detail (the site of a device, the kind of a history)."""
    INSUFFICIENT = "insufficient"
    """Related, but not sufficient (``F32.A`` is not major depressive disorder)."""
    IGNORED = "ignored"
    """Known, and not informative about the topic."""


class ValueSet(Reviewed):
    """The codes of one system for one topic, by meaning; every list has a short label of our own."""

    id: str
    topic: str
    system: str
    read_in: tuple[Place, ...]
    source: str
    note: str = ""
    current: dict[str, tuple[str | int, ...]] = Field(default_factory=dict)
    past: dict[str, tuple[str | int, ...]] = Field(default_factory=dict)
    possible: dict[str, tuple[str | int, ...]] = Field(default_factory=dict)
    insufficient: dict[str, tuple[str | int, ...]] = Field(default_factory=dict)
    ignored: dict[str, tuple[str | int, ...]] = Field(default_factory=dict)


class Topic(Entry):
    """One thing that may be on a record."""

    fact: str
    """Name of the fact: ``conditions.<topic>``."""
    title: str
    read_in: tuple[Place, ...] = Field(min_length=1)
    """The inputs in which it is looked for; absence is claimed only when all of them are whole."""
    reasons: bool = False
    """Whether the reason of an active order may indicate it."""
    recent_days: int | None = None
    """How many days an entry that was never closed counts as active (pregnancy)."""
    when_old: Literal["ended", "open"] = "open"
    """What an entry older than ``recent_days`` is: ended, or open whether it is still active."""
    lasting: bool = False
    """Whether a past occurrence counts, so that a possible entry stays possible after it has ended."""
    hints: tuple[str, ...] = ()
    """Lower-case text fragments that make an entry without a known code a possible one."""
    hints_except: tuple[str, ...] = ()
    """Fragments that cancel a hint (``tobacco`` for substance use)."""


class Topics(Reviewed):
    """All topics, the aliases of code systems and the words that cancel every hint."""

    systems: dict[str, tuple[str, ...]]
    """Canonical system -> other names that servers use for it."""
    in_part: tuple[str, ...] = ()
    """Systems with codes here for only some topics, so that an unlisted code may mean anything."""
    concern_no_topic: dict[str, frozenset[str]] = Field(default_factory=dict)
    """System -> procedure codes that concern no topic, even without a text."""
    reasons_in: tuple[str, ...] = ()
    """The inputs whose entries state why a drug is taken."""
    never_a_hint: tuple[str, ...]
    """Text fragments for another person, absence or screening (``family history``)."""
    recent_days_source: str
    topics: dict[str, Topic]

    @model_validator(mode="before")
    @classmethod
    def _named(cls, content: Any) -> Any:
        """Derive the fact name of every topic from the topic's name."""
        if isinstance(content, dict) and isinstance(content.get("topics"), dict):
            for name, topic in content["topics"].items():
                if isinstance(topic, dict):
                    topic["fact"] = f"conditions.{name}"
        return content


@dataclass(frozen=True, slots=True)
class Sense:
    """What one code means for one topic."""

    topic: str
    meaning: Meaning
    label: str
    read_in: frozenset[str]


@dataclass(frozen=True, slots=True)
class CodeIndex:
    """Senses by code, for look-up under any alias of a system."""

    exact: Mapping[str, Mapping[str, tuple[Sense, ...]]]
    """By every alias of the systems that are matched code by code."""
    tree: Mapping[str, tuple[Sense, ...]]
    """By ICD-10-CM code without its dot."""
    tree_systems: frozenset[str]
    whole: frozenset[str]
    """The aliases in ``exact``, without those of systems with codes for only some topics."""

    def senses(self, system: str | None, code: str | None) -> tuple[Sense, ...] | None:
        """The senses of a code; ``None`` if no topic lists it."""
        if not system or not code:
            return None
        codes = self.exact.get(system)
        if codes is not None:
            return codes.get(code)
        if system not in self.tree_systems:
            return None
        return self._longest(code.replace(".", "").upper())

    def knows(self, system: str | None) -> bool:
        """Whether the system has codes for every topic."""
        return system in self.whole or system in self.tree_systems

    def _longest(self, code: str) -> tuple[Sense, ...] | None:
        tree = self.tree
        for end in range(len(code), 0, -1):
            senses = tree.get(code[:end])
            if senses is not None:
                return senses
        return None


_WORD_STARTS = re.compile(r"\b[a-z]{2,4}")


@dataclass(frozen=True, slots=True)
class TopicHints:
    """Text fragments that suggest a topic where no code does."""

    pieces: tuple[tuple[str, Sense, tuple[str, ...]], ...]
    """A text fragment that starts at a word boundary, the sense it suggests, and the fragments that cancel it."""
    never: tuple[str, ...]
    starts: frozenset[str]
    """The first letters of every fragment, to skip most texts quickly."""

    def senses(self, words: str) -> tuple[Sense, ...]:
        """The possible topics of a lower-case text, without duplicates."""
        if self.starts.isdisjoint(_WORD_STARTS.findall(words)) or any(piece in words for piece in self.never):
            return ()
        found: dict[str, Sense] = {}
        for piece, sense, unless in self.pieces:
            if piece in words and sense.topic not in found and not any(other in words for other in unless):
                found[sense.topic] = sense
        return tuple(found.values())


@dataclass(frozen=True, slots=True)
class ValueSets:
    """The topics and the index over all their codes."""

    topics: Mapping[str, Topic]
    sets: tuple[ValueSet, ...]
    index: CodeIndex
    hints: TopicHints
    reviewed: Topics

    def is_harmless(self, system: str | None, code: str | None) -> bool:
        """Whether the code is listed as concerning no topic."""
        return code in self.reviewed.concern_no_topic.get(system or "", ())


def load_value_sets(folder: Path) -> ValueSets:
    """Read ``topics.yaml`` and every value set beside it; :class:`KnowledgeError` names file and key."""
    topics = read_yaml(folder / "topics.yaml", Topics)
    paths = (path for path in sorted(folder.glob("*.yaml")) if path.name != "topics.yaml")
    sets = [_checked(path, read_yaml(path, ValueSet), topics) for path in paths]
    return ValueSets(topics.topics, tuple(sets), _index(topics, sets), _hints(topics), topics)


def _checked(path: Path, value_set: ValueSet, topics: Topics) -> ValueSet:
    if path.name != f"{value_set.id}.yaml":
        raise KnowledgeError(f"{path.name}: id: must be the name of the file, not {value_set.id!r}")
    topic = topics.topics.get(value_set.topic)
    if topic is None:
        raise KnowledgeError(f"{path.name}: topic: no topic {value_set.topic!r} in topics.yaml")
    if value_set.system not in topics.systems:
        raise KnowledgeError(f"{path.name}: system: {value_set.system!r} is not listed in topics.yaml")
    if not set(value_set.read_in) <= set(topic.read_in):
        raise KnowledgeError(f"{path.name}: read_in: the topic is read in {', '.join(topic.read_in)} only")
    return value_set


def _index(topics: Topics, sets: list[ValueSet]) -> CodeIndex:
    tree: dict[str, list[Sense]] = {}
    exact: dict[str, dict[str, list[Sense]]] = {}
    for value_set in sets:
        where = tree if value_set.system == ICD_10_CM else exact.setdefault(value_set.system, {})
        for code, sense in _senses(value_set):
            _add_sense(where, code, sense, value_set.id)
    names = {alias: system for system, aliases in topics.systems.items() for alias in (system, *aliases)}
    frozen = {system: {code: tuple(senses) for code, senses in codes.items()} for system, codes in exact.items()}
    return CodeIndex(
        exact={alias: frozen.get(system, {}) for alias, system in names.items() if system != ICD_10_CM},
        tree=_inherited(tree),
        tree_systems=frozenset(alias for alias, system in names.items() if system == ICD_10_CM),
        whole=frozenset(alias for alias, system in names.items() if system not in {ICD_10_CM, *topics.in_part}),
    )


def _add_sense(senses_by_code: dict[str, list[Sense]], code: str, sense: Sense, value_set: str) -> None:
    """Add one meaning of a code; within a topic, a code has only one."""
    senses = senses_by_code.setdefault(code, [])
    if any(other.topic == sense.topic for other in senses):
        raise KnowledgeError(f"{value_set}.yaml: {sense.meaning}: code {code} is listed twice")
    senses.append(sense)


def _hints(topics: Topics) -> TopicHints:
    pieces = tuple(
        (piece, Sense(name, Meaning.POSSIBLE, topic.title, frozenset(topic.read_in)), topic.hints_except)
        for name, topic in topics.topics.items()
        for piece in topic.hints
    )
    starts = (_WORD_STARTS.match(piece) for piece, _, _ in pieces)
    return TopicHints(pieces, topics.never_a_hint, frozenset(start.group() for start in starts if start))


def _senses(value_set: ValueSet) -> list[tuple[str, Sense]]:
    places = frozenset(value_set.read_in)
    dotless = value_set.system == ICD_10_CM
    found = []
    for meaning in Meaning:
        lists: dict[str, tuple[str | int, ...]] = getattr(value_set, meaning.value)
        for label, codes in lists.items():
            for code in codes:
                text = str(code).replace(".", "") if dotless else str(code)
                found.append((text, Sense(value_set.topic, meaning, label, places)))
    return found


def _inherited(tree: dict[str, list[Sense]]) -> dict[str, tuple[Sense, ...]]:
    """Every code with its own senses and, for other topics, those of its longest ancestor."""
    full: dict[str, tuple[Sense, ...]] = {}
    for code in sorted(tree, key=len):
        own = tuple(tree[code])
        topics = {sense.topic for sense in own}
        above = next((full[code[:end]] for end in range(len(code) - 1, 0, -1) if code[:end] in full), ())
        full[code] = own + tuple(sense for sense in above if sense.topic not in topics)
    return full
