"""Value sets: which codes of one system speak of one topic, and what each of them says about it.

A topic is one thing that may be on a record (``psychosis``). A file holds the codes of one system for one topic.
ICD-10-CM is a tree, so its codes stand for everything below them and the longest one that fits decides: ``F33`` may be
a possible depression while ``F33.1`` is a current one. Every other system is matched code by code.
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
    """What an entry with such a code says about the topic, when the entry itself is in force."""

    CURRENT = "current"
    PAST = "past"
    POSSIBLE = "possible"
    """It may be: the code leaves out what decides it (the site of a device, the kind of a history)."""
    INSUFFICIENT = "insufficient"
    """It comes near, and is not enough (``F32.A`` is not major depressive disorder)."""
    IGNORED = "ignored"
    """Known, and says nothing about the topic."""


class ValueSet(Reviewed):
    """The codes of one system for one topic, by meaning; each list under a short label of our own."""

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
    """Whether the reason of an order in force may point to it."""
    recent_days: int | None = None
    """An entry that nobody closed is taken as in force only for so long (pregnancy); afterwards"""
    when_old: Literal["ended", "open"] = "open"
    """it has ended, or it is open whether it still holds."""
    lasting: bool = False
    """Whether having had it once counts, so that an entry which ended and only may mean it stays a possible one."""
    hints: tuple[str, ...] = ()
    """Lower-case pieces of words that make an entry without a known code a possible one."""
    hints_except: tuple[str, ...] = ()
    """Pieces that take a hint back (``tobacco`` for substance use)."""


class Topics(Reviewed):
    """All topics, the aliases of code systems and the words that take every hint back."""

    systems: dict[str, tuple[str, ...]]
    """Canonical system -> other names that servers use for it."""
    in_part: tuple[str, ...] = ()
    """Systems of which only some topics are coded here, so that a code which is not listed may mean anything."""
    concern_no_topic: dict[str, frozenset[str]] = Field(default_factory=dict)
    """System -> codes of procedures that say nothing of any topic, also where they have no words."""
    reasons_in: tuple[str, ...] = ()
    """The inputs whose entries say why a drug is taken."""
    never_a_hint: tuple[str, ...]
    """Pieces of text that say it is somebody else's, or absent, or looked for (``family history``)."""
    recent_days_source: str
    topics: dict[str, Topic]

    @model_validator(mode="before")
    @classmethod
    def _named(cls, content: Any) -> Any:
        """Give every topic the name of its fact, which follows from its own."""
        if isinstance(content, dict) and isinstance(content.get("topics"), dict):
            for name, topic in content["topics"].items():
                if isinstance(topic, dict):
                    topic["fact"] = f"conditions.{name}"
        return content


@dataclass(frozen=True, slots=True)
class Sense:
    """What one code says about one topic."""

    topic: str
    meaning: Meaning
    label: str
    read_in: frozenset[str]


@dataclass(frozen=True, slots=True)
class CodeIndex:
    """Codes to senses, ready for look-up by any name of a system."""

    exact: Mapping[str, Mapping[str, tuple[Sense, ...]]]
    """By every alias of a system that is matched code by code."""
    tree: Mapping[str, tuple[Sense, ...]]
    """ICD-10-CM codes without their dot."""
    tree_systems: frozenset[str]
    whole: frozenset[str]
    """The aliases of ``exact``, without the systems of which only some topics are coded."""

    def senses(self, system: str | None, code: str | None) -> tuple[Sense, ...] | None:
        """What a code says; ``None`` for a code that no topic knows."""
        if not system or not code:
            return None
        codes = self.exact.get(system)
        if codes is not None:
            return codes.get(code)
        if system not in self.tree_systems:
            return None
        return self._longest(code.replace(".", "").upper())

    def knows(self, system: str | None) -> bool:
        """Whether every topic is looked up by the codes of the system."""
        return system in self.whole or system in self.tree_systems

    def _longest(self, code: str) -> tuple[Sense, ...] | None:
        tree = self.tree
        for end in range(len(code), 0, -1):
            found = tree.get(code[:end])
            if found is not None:
                return found
        return None


_WORD_STARTS = re.compile(r"\b[a-z]{2,4}")


@dataclass(frozen=True, slots=True)
class TopicHints:
    """Words that bring a topic to mind where no code does."""

    pieces: tuple[tuple[str, Sense, tuple[str, ...]], ...]
    """A piece of text that begins with a word, what it hints at, and the pieces that take it back."""
    never: tuple[str, ...]
    starts: frozenset[str]
    """The first letters of every piece, to pass most texts over at once."""

    def senses(self, words: str) -> tuple[Sense, ...]:
        """The possible topics of lower-case text, each once."""
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
        """Whether a code is listed as concerning no topic."""
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
            known = where.setdefault(code, [])
            if any(other.topic == sense.topic for other in known):
                raise KnowledgeError(f"{value_set.id}.yaml: {sense.meaning}: code {code} stands twice")
            known.append(sense)
    names = {alias: system for system, aliases in topics.systems.items() for alias in (system, *aliases)}
    frozen = {system: {code: tuple(senses) for code, senses in codes.items()} for system, codes in exact.items()}
    return CodeIndex(
        exact={alias: frozen.get(system, {}) for alias, system in names.items() if system != ICD_10_CM},
        tree=_inherited(tree),
        tree_systems=frozenset(alias for alias, system in names.items() if system == ICD_10_CM),
        whole=frozenset(alias for alias, system in names.items() if system not in {ICD_10_CM, *topics.in_part}),
    )


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
    """Each code with its own senses and, for the other topics, those of the longest code above it."""
    full: dict[str, tuple[Sense, ...]] = {}
    for code in sorted(tree, key=len):
        own = tuple(tree[code])
        topics = {sense.topic for sense in own}
        above = next((full[code[:end]] for end in range(len(code) - 1, 0, -1) if code[:end] in full), ())
        full[code] = own + tuple(sense for sense in above if sense.topic not in topics)
    return full
