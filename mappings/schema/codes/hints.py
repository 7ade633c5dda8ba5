"""Words without a code: which topics a text suggests, by fragments, patterns and abbreviations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import Field

from mappings.schema.base.entries import Entry, KnowledgeError, Pattern, Reviewed, Verification
from mappings.schema.base.words import any_pattern
from mappings.schema.codes.context import Context
from mappings.schema.codes.senses import Meaning, Sense


class Abbreviation(Entry):
    """What an abbreviation of clinical notes stands for, and the topics that it suggests."""

    short: str = Field(pattern=r"^[a-z0-9][a-z0-9 /&?-]*$")
    """In lower case, found as a whole word."""
    means: str
    topics: tuple[str, ...] = Field(min_length=1)
    verification: Verification
    unless: tuple[Pattern, ...] = ()
    """Patterns of text in which it means something else; left out before it is looked for."""


class Abbreviations(Reviewed):
    """All abbreviations that suggest a topic."""

    source: str
    abbreviations: tuple[Abbreviation, ...]


_WORD_STARTS = re.compile(r"\b[a-z]{2,4}")


@dataclass(frozen=True, slots=True)
class TopicHint:
    """What in a lower-case text suggests one topic."""

    sense: Sense
    lasting: bool
    """Whether a past occurrence counts, so that ``no current`` denies nothing."""
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
    abbreviated: tuple[TopicHint, ...]
    """One for each abbreviation and topic; looked at only where ``abbreviations`` finds one."""
    abbreviations: re.Pattern[str]
    context: Context
    starts: frozenset[str]
    """The first letters of every fragment, to skip most texts quickly."""
    patterns: re.Pattern[str] | None
    """Every pattern, for the same purpose."""

    def senses(self, words: str) -> tuple[Sense, ...]:
        """The possible topics of a lower-case text, without duplicates; clauses are read one by one."""
        if self.starts.isdisjoint(_WORD_STARTS.findall(words)) and not (self.patterns and self.patterns.search(words)):
            return ()
        found: dict[str, Sense] = {}
        for ever, now in self.context.clauses(words):
            hints = (*self.hints, *self.abbreviated) if self.abbreviations.search(ever) else self.hints
            for hint in hints:
                if hint.sense.topic not in found and hint.is_in(ever if hint.lasting else now):
                    found[hint.sense.topic] = hint.sense
        return tuple(found.values())

    def clauses(self, words: str) -> Iterator[str]:
        """The clauses of a lower-case text, each with only what it states about the patient."""
        return (now for _, now in self.context.clauses(words))


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


def make_hints(own: Mapping[str, TopicHint], context: Context, short: Abbreviations) -> TopicHints:
    """The hints of the topics, by topic, with the abbreviations.

    :raises KnowledgeError: if an abbreviation names a topic that does not exist.
    """
    added = [hint for entry in short.abbreviations for hint in _abbreviated(entry, own)]
    hints = tuple(own.values())
    starts = (_WORD_STARTS.match(piece) for hint in hints for piece in hint.pieces)
    every = "|".join(re.escape(entry.short) for entry in short.abbreviations)
    return TopicHints(
        hints=hints,
        abbreviated=tuple(added),
        abbreviations=re.compile(rf"(?<![\w/])(?:{every})(?!\w)"),
        context=context,
        starts=frozenset(start.group() for start in starts if start),
        patterns=any_pattern(hint.pattern.pattern for hint in (*hints, *added) if hint.pattern),
    )


def _abbreviated(entry: Abbreviation, topics: Mapping[str, TopicHint]) -> Iterator[TopicHint]:
    pattern = re.compile(rf"(?<![\w/]){re.escape(entry.short)}(?![\w])")
    for topic in entry.topics:
        if topic not in topics:
            raise KnowledgeError(f"_abbreviations.yaml: {entry.short}: no topic {topic!r} in topics.yaml")
        hint = topics[topic]
        yield TopicHint(hint.sense, hint.lasting, (), pattern, (), any_pattern(entry.unless))
