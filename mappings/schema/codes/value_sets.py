"""Value sets: which codes of one system belong to a topic, and what they mean for it.

A topic is one thing that may be on a record (``psychosis``). A file contains the codes of one system for one topic.
ICD-10-CM is a hierarchy: a code includes everything below it, and the longest matching code decides. ``F33`` may be a
possible depression while ``F33.1`` is a current one. Every other system is matched code by code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, KnowledgeError, Pattern, Reviewed
from mappings.schema.base.files import read_yaml
from mappings.schema.base.words import any_pattern
from mappings.schema.codes.context import ContextRules, make_context
from mappings.schema.codes.hints import (
    SHORTEST_PIECE,
    Abbreviations,
    TopicHint,
    TopicHints,
    TopicWording,
    by_first_letters,
    make_hints,
)
from mappings.schema.codes.known_codes import KnownCodes, load_known_codes
from mappings.schema.codes.senses import Meaning as Meaning  # noqa: PLC0414 - the value sets are read with it
from mappings.schema.codes.senses import Sense as Sense  # noqa: PLC0414

SNOMED_CT = "http://snomed.info/sct"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"

Place = Literal["conditions", "procedures", "devices"]


class ValueSet(Reviewed):
    """The codes of one system for one topic, by meaning; every list has a short label of our own."""

    id: str
    topic: str
    system: str
    read_in: tuple[Place, ...]
    source: str
    note: str = ""
    edition: str = ""
    """Key of the edition in ``_known.yaml`` with which the codes were compared; required where editions are carried."""
    event: bool = False
    """Whether the codes mean something that happened on a day, such as an attempt: see ``Topic.event``."""
    permanent: bool = False
    """Whether it stays when the entry has ended: an injury of the brain is closed and leaves its scar."""
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
    beside_codes: bool = True
    """Whether words beside a code of another topic suggest it: ``F33.1`` with the text ``MDD; aneurysm 2019``."""
    recent_days: int | None = None
    """How many days an entry that was never closed counts as active (pregnancy)."""
    when_old: Literal["ended", "open"] = "open"
    """What an entry older than ``recent_days`` is: ended, or open whether it is still active."""
    event: bool = False
    """Whether it is something that happens on a day, such as a seizure: within ``recent_days`` it counts as current
    whatever its status, because an event that is over is recorded as resolved."""
    lasting: bool = False
    """Whether a past occurrence counts, so that a possible entry stays possible after it has ended."""
    hints: tuple[Annotated[str, Field(min_length=SHORTEST_PIECE)], ...] = ()
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
    concern_no_topic: dict[str, frozenset[str]] = Field(default_factory=dict)
    """System -> procedure codes that concern no topic, even without a text."""
    reasons_in: tuple[str, ...] = ()
    """The inputs whose entries state why a drug is taken."""
    context: ContextRules
    """How denial, hypothesis and other persons are read."""
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
class CodeIndex:
    """Senses by code, for look-up under any alias of a system."""

    exact: Mapping[str, Mapping[str, tuple[Sense, ...]]]
    """By every alias of the systems that are matched code by code."""
    tree: Mapping[str, tuple[Sense, ...]]
    """By ICD-10-CM code without its dot."""
    tree_systems: frozenset[str]
    names: Mapping[str, str]
    """Alias -> canonical system."""

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

    def _longest(self, code: str) -> tuple[Sense, ...] | None:
        tree = self.tree
        for end in range(len(code), 0, -1):
            senses = tree.get(code[:end])
            if senses is not None:
                return senses
        return None


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
    known: KnownCodes

    def recognises(self, system: str | None, code: str | None) -> bool:
        """Whether it is known what the code means: a topic, or none of them. Words are not looked at."""
        if not system or not code:
            return False
        if self.index.senses(system, code) is not None:
            return True
        canonical = self.index.names.get(system, system)
        if canonical == ICD_10_CM:
            return self.known.is_icd10cm(code.replace(".", "").upper())
        listed = code in self.reviewed.concern_no_topic.get(canonical, ()) or self.known.is_seen(canonical, code)
        return listed or self.known.is_outside(canonical, code.upper())


def load_value_sets(folder: Path) -> ValueSets:
    """Read ``topics.yaml`` and every value set beside it; :class:`KnowledgeError` names file and key."""
    topics = read_yaml(folder / "topics.yaml", Topics)
    short, known = read_yaml(folder / "_abbreviations.yaml", Abbreviations), load_known_codes(folder)
    paths = (path for path in sorted(folder.glob("[!_]*.yaml")) if path.name != "topics.yaml")
    sets = [_checked(path, read_yaml(path, ValueSet), topics, known) for path in paths]
    index, hints = _index(topics, sets), _hints(topics, short)
    return ValueSets(topics.topics, tuple(sets), index, hints, topics, _wordings(topics), known)


def _checked(path: Path, value_set: ValueSet, topics: Topics, known: KnownCodes) -> ValueSet:
    if path.name != f"{value_set.id}.yaml":
        raise KnowledgeError(f"{path.name}: id: must be the name of the file, not {value_set.id!r}")
    topic = topics.topics.get(value_set.topic)
    if topic is None:
        raise KnowledgeError(f"{path.name}: topic: no topic {value_set.topic!r} in topics.yaml")
    if value_set.system not in topics.systems:
        raise KnowledgeError(f"{path.name}: system: {value_set.system!r} is not listed in topics.yaml")
    if value_set.event and topic.recent_days is None:
        raise KnowledgeError(f"{path.name}: event: the topic has no recent_days, which say until when it counts")
    editions = [name for name, edition in known.reviewed.editions.items() if edition.system == value_set.system]
    if (value_set.edition or editions) and value_set.edition not in editions:
        raise KnowledgeError(f"{path.name}: edition: must be one of {', '.join(editions) or 'none'} (_known.yaml)")
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
        names=names,
    )


def _add_sense(senses_by_code: dict[str, list[Sense]], code: str, sense: Sense, value_set: str) -> None:
    """Add one meaning of a code; within a topic, a code has only one."""
    senses = senses_by_code.setdefault(code, [])
    if any(other.topic == sense.topic for other in senses):
        raise KnowledgeError(f"{value_set}.yaml: {sense.meaning}: code {code} is listed twice")
    senses.append(sense)


def _hints(topics: Topics, short: Abbreviations) -> TopicHints:
    own = {
        name: TopicHint(
            sense=Sense(name, Meaning.POSSIBLE, topic.title, frozenset(topic.read_in), topic.event),
            lasting=topic.lasting,
            pieces=by_first_letters(topic.hints),
            pattern=any_pattern(topic.hint_patterns),
            unless=topic.hints_except,
            left_out=any_pattern(topic.left_out),
        )
        for name, topic in topics.topics.items()
    }
    patterns = (pattern for topic in topics.topics.values() for pattern in topic.hint_patterns)
    return make_hints(own, patterns, make_context(topics.context), short)


def _wordings(topics: Topics) -> dict[str, TopicWording]:
    return {
        name: TopicWording(any_pattern(topic.stated), any_pattern(topic.denied))
        for name, topic in topics.topics.items()
        if topic.stated or topic.denied
    }


def _senses(value_set: ValueSet, topic: Topic) -> list[tuple[str, Sense]]:
    places, event = frozenset(value_set.read_in), value_set.event or topic.event
    dotless = value_set.system == ICD_10_CM
    found = []
    for meaning in Meaning:
        lists: dict[str, tuple[str | int, ...]] = getattr(value_set, meaning.value)
        for label, codes in lists.items():
            for code in codes:
                text = str(code).replace(".", "") if dotless else str(code)
                found.append((text, Sense(value_set.topic, meaning, label, places, event, value_set.permanent)))
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
