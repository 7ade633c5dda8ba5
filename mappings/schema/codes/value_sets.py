"""Value sets: which codes of one system belong to a topic, and what they mean for it.

A topic is one thing that may be on a record (``psychosis``). A file contains the codes of one system for one topic.
ICD-10-CM is a hierarchy: a code includes everything below it, and the longest matching code decides. ``F33`` may be a
possible depression while ``F33.1`` is a current one. Every other system is matched code by code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, KnowledgeError, Pattern, Reviewed
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
    event: bool = False
    """Whether the codes mean something that happened on a day, such as an attempt: see ``Topic.event``."""
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
    event: bool = False
    """Whether it is something that happens on a day, such as a seizure: within ``recent_days`` it counts as current
    whatever its status, because an event that is over is recorded as resolved."""
    lasting: bool = False
    """Whether a past occurrence counts, so that a possible entry stays possible after it has ended."""
    hints: tuple[str, ...] = ()
    """Lower-case text fragments that make an entry without a known code a possible one."""
    hint_patterns: tuple[Pattern, ...] = ()
    """The same as patterns, for abbreviations that are also parts of other words (``si``)."""
    hints_except: tuple[str, ...] = ()
    """Fragments that cancel a hint (``tobacco`` for substance use)."""
    left_out: tuple[Pattern, ...] = ()
    """Patterns of text that is left out before hints are looked for (``no si``)."""

    stated: tuple[Pattern, ...] = ()
    """Patterns of words beside a possible code that settle that the topic is meant (``decompensated``)."""
    denied: tuple[Pattern, ...] = ()
    """Patterns of words that settle that it is not meant (``compensated``); if both are found, it stays possible."""

    @model_validator(mode="after")
    def _recent_event(self) -> Self:
        if self.event and self.recent_days is None:
            raise ValueError("event: needs recent_days, which say until when it counts")
        return self


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
    about_others: tuple[Pattern, ...] = ()
    """Patterns of text about another person (``mother with``), left out before hints are looked for."""
    never_a_hint: tuple[str, ...]
    """Text fragments for absence or screening (``denies``); they cancel the hints of their clause."""
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
    event: bool = False
    """Whether it is something that happened on a day."""


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
_CLAUSE_ENDS = re.compile(r"[;\n]|\.\s")


@dataclass(frozen=True, slots=True)
class TopicHint:
    """What in a lower-case text suggests one topic."""

    sense: Sense
    pieces: tuple[str, ...]
    pattern: re.Pattern[str] | None
    unless: tuple[str, ...]
    """Fragments that cancel it."""
    left_out: re.Pattern[str] | None

    def is_in(self, clause: str) -> bool:
        """Whether the clause suggests the topic."""
        if not self._suggests(clause) or any(other in clause for other in self.unless):
            return False
        return self.left_out is None or self._suggests(self.left_out.sub(" ", clause))

    def _suggests(self, clause: str) -> bool:
        return any(piece in clause for piece in self.pieces) or bool(self.pattern and self.pattern.search(clause))


@dataclass(frozen=True, slots=True)
class TopicHints:
    """Text fragments that suggest a topic where no code does."""

    hints: tuple[TopicHint, ...]
    never: tuple[str, ...]
    about_others: re.Pattern[str] | None
    starts: frozenset[str]
    """The first letters of every fragment, to skip most texts quickly."""
    patterns: re.Pattern[str] | None
    """Every pattern, for the same purpose."""

    def senses(self, words: str) -> tuple[Sense, ...]:
        """The possible topics of a lower-case text, without duplicates; clauses are read one by one."""
        if self.starts.isdisjoint(_WORD_STARTS.findall(words)) and not (self.patterns and self.patterns.search(words)):
            return ()
        found: dict[str, Sense] = {}
        for clause in self.clauses(words):
            for hint in self.hints:
                if hint.sense.topic not in found and hint.is_in(clause):
                    found[hint.sense.topic] = hint.sense
        return tuple(found.values())

    def clauses(self, words: str) -> Iterator[str]:
        """The clauses of a lower-case text that state something about the patient, without what is about others."""
        for clause in _CLAUSE_ENDS.split(words):
            own = self.about_others.sub(" ", clause) if self.about_others else clause
            if not any(piece in own for piece in self.never):
                yield own


@dataclass(frozen=True, slots=True)
class TopicWording:
    """What in the words of an entry settles whether a code that leaves it open means the topic."""

    stated: re.Pattern[str] | None
    denied: re.Pattern[str] | None

    def meaning(self, words: str, *, hinted: bool) -> Meaning:
        """The meaning of a possible entry with these lower-case words; ``hinted``: it has no known code."""
        is_stated = bool(self.stated and self.stated.search(words))
        is_denied = bool(self.denied and self.denied.search(words))
        if is_stated is is_denied:
            return Meaning.POSSIBLE
        if is_denied:
            return Meaning.IGNORED
        return Meaning.POSSIBLE if hinted else Meaning.CURRENT


@dataclass(frozen=True, slots=True)
class ValueSets:
    """The topics and the index over all their codes."""

    topics: Mapping[str, Topic]
    sets: tuple[ValueSet, ...]
    index: CodeIndex
    hints: TopicHints
    reviewed: Topics
    wordings: Mapping[str, TopicWording]
    """By topic, for those whose possible codes are settled by the words beside them."""

    def is_harmless(self, system: str | None, code: str | None) -> bool:
        """Whether the code is listed as concerning no topic."""
        return code in self.reviewed.concern_no_topic.get(system or "", ())


def load_value_sets(folder: Path) -> ValueSets:
    """Read ``topics.yaml`` and every value set beside it; :class:`KnowledgeError` names file and key."""
    topics = read_yaml(folder / "topics.yaml", Topics)
    paths = (path for path in sorted(folder.glob("*.yaml")) if path.name != "topics.yaml")
    sets = [_checked(path, read_yaml(path, ValueSet), topics) for path in paths]
    return ValueSets(topics.topics, tuple(sets), _index(topics, sets), _hints(topics), topics, _wordings(topics))


def _checked(path: Path, value_set: ValueSet, topics: Topics) -> ValueSet:
    if path.name != f"{value_set.id}.yaml":
        raise KnowledgeError(f"{path.name}: id: must be the name of the file, not {value_set.id!r}")
    topic = topics.topics.get(value_set.topic)
    if topic is None:
        raise KnowledgeError(f"{path.name}: topic: no topic {value_set.topic!r} in topics.yaml")
    if value_set.system not in topics.systems:
        raise KnowledgeError(f"{path.name}: system: {value_set.system!r} is not listed in topics.yaml")
    if value_set.event and topic.recent_days is None:
        raise KnowledgeError(f"{path.name}: event: the topic has no recent_days, which say until when it counts")
    if not set(value_set.read_in) <= set(topic.read_in):
        raise KnowledgeError(f"{path.name}: read_in: the topic is read in {', '.join(topic.read_in)} only")
    return value_set


def _index(topics: Topics, sets: list[ValueSet]) -> CodeIndex:
    tree: dict[str, list[Sense]] = {}
    exact: dict[str, dict[str, list[Sense]]] = {}
    for value_set in sets:
        where = tree if value_set.system == ICD_10_CM else exact.setdefault(value_set.system, {})
        for code, sense in _senses(value_set, topics.topics[value_set.topic]):
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
    hints = tuple(
        TopicHint(
            sense=Sense(name, Meaning.POSSIBLE, topic.title, frozenset(topic.read_in), topic.event),
            pieces=topic.hints,
            pattern=_any_pattern(topic.hint_patterns),
            unless=topic.hints_except,
            left_out=_any_pattern(topic.left_out),
        )
        for name, topic in topics.topics.items()
    )
    starts = (_WORD_STARTS.match(piece) for hint in hints for piece in hint.pieces)
    return TopicHints(
        hints=hints,
        never=topics.never_a_hint,
        about_others=_any_pattern(topics.about_others),
        starts=frozenset(start.group() for start in starts if start),
        patterns=_any_pattern(pattern for topic in topics.topics.values() for pattern in topic.hint_patterns),
    )


def _wordings(topics: Topics) -> dict[str, TopicWording]:
    return {
        name: TopicWording(_any_pattern(topic.stated), _any_pattern(topic.denied))
        for name, topic in topics.topics.items()
        if topic.stated or topic.denied
    }


def _any_pattern(patterns: Iterable[str]) -> re.Pattern[str] | None:
    joined = "|".join(patterns)
    return re.compile(joined) if joined else None


def _senses(value_set: ValueSet, topic: Topic) -> list[tuple[str, Sense]]:
    places, event = frozenset(value_set.read_in), value_set.event or topic.event
    dotless = value_set.system == ICD_10_CM
    found = []
    for meaning in Meaning:
        lists: dict[str, tuple[str | int, ...]] = getattr(value_set, meaning.value)
        for label, codes in lists.items():
            for code in codes:
                text = str(code).replace(".", "") if dotless else str(code)
                found.append((text, Sense(value_set.topic, meaning, label, places, event)))
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
