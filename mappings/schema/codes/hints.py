"""Words without a code: which topics a text suggests, by fragments, patterns and abbreviations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TypeVar

from pydantic import Field

from mappings.schema.base.entries import Entry, KnowledgeError, Pattern, Reviewed, Verification
from mappings.schema.base.kept import KeptByName
from mappings.schema.base.words import any_found, any_pattern, found_sooner, words_in_lower_case
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


ValueT = TypeVar("ValueT")

_WORD_STARTS = re.compile(r"\b[a-z]{2,4}")
SHORTEST_PIECE = 3
"""Letters of the shortest fragment; by so many, most topics are ruled out for a clause at once."""


@dataclass(frozen=True, slots=True)
class TopicHint:
    """What in a lower-case text suggests one topic."""

    sense: Sense
    lasting: bool
    """Whether a past occurrence counts, so that ``no current`` denies nothing."""
    pieces: Mapping[str, tuple[str, ...]]
    """The fragments by their first letters, ``SHORTEST_PIECE`` of each."""
    pattern: re.Pattern[str] | None
    unless: tuple[str, ...]
    """Fragments that cancel it."""
    left_out: re.Pattern[str] | None

    def is_in(self, clause: str, letters: frozenset[str]) -> bool:
        """Whether the clause, of which ``letters`` are :func:`letters_of`, suggests the topic."""
        if not self._suggests(clause, letters) or any(other in clause for other in self.unless):
            return False
        if self.left_out is None:
            return True
        rest = self.left_out.sub(" ", clause)
        return self._suggests(rest, letters_of(rest))

    def _suggests(self, clause: str, letters: frozenset[str]) -> bool:
        for head in self.pieces.keys() & letters:
            if any(map(clause.__contains__, self.pieces[head])):
                return True
        return self.pattern is not None and self.pattern.search(clause) is not None


def letters_of(clause: str) -> frozenset[str]:
    """Every run of ``SHORTEST_PIECE`` letters of a clause."""
    return frozenset([clause[at : at + SHORTEST_PIECE] for at in range(len(clause) - SHORTEST_PIECE + 1)])


@dataclass(frozen=True, slots=True)
class TopicHints:
    """Text fragments that suggest a topic where no code does."""

    hints: tuple[TopicHint, ...]
    by_head: Mapping[str, tuple[int, ...]]
    """The places in ``hints`` of those with such a head: of many hints, few have to be looked at for a clause."""
    patterned: frozenset[int]
    """The places in ``hints`` of those with a pattern; looked at only where ``patterns`` find one."""
    abbreviated: Mapping[str, tuple[tuple[int, TopicHint], ...]]
    """One for each abbreviation and topic, in their order, by the first letters and digits of the abbreviation. Looked
    at only where ``abbreviations`` finds one."""
    abbreviations: re.Pattern[str]
    context: Context
    starts: frozenset[str]
    """The first letters of every fragment, to skip most texts quickly."""
    patterns: tuple[re.Pattern[str], ...]
    """Finds something where the pattern of a topic does; see :func:`found_sooner`."""
    _of_names: KeptByName[tuple[Sense, ...]] = field(default_factory=KeptByName, init=False, repr=False)

    def senses_of_name(self, words: str) -> tuple[Sense, ...]:
        """The same as :meth:`senses` of the name of a problem; records repeat these, so what they mean is kept."""
        return self._of_names.of(words, self.senses)

    def senses(self, words: str) -> tuple[Sense, ...]:
        """The possible topics of a lower-case text, without duplicates; clauses are read one by one."""
        if self._says_nothing(words):
            return ()
        found: dict[str, Sense] = {}
        for ever, now in dict.fromkeys(self.context.clauses(words)):
            letters = letters_of(ever)
            letters_now = letters if now == ever else letters_of(now)
            for hint in self._worth_a_look(ever, now, letters | letters_now):
                if hint.sense.topic in found:
                    continue
                if hint.is_in(ever, letters) if hint.lasting else hint.is_in(now, letters_now):
                    found[hint.sense.topic] = hint.sense
        return tuple(found.values())

    def _worth_a_look(self, ever: str, now: str, letters: frozenset[str]) -> Iterator[TopicHint]:
        """The hints that the letters of a clause do not rule out, in their order."""
        places = {place for head in self.by_head.keys() & letters for place in self.by_head[head]}
        if any_found(self.patterns, ever) or (now != ever and any_found(self.patterns, now)):
            places |= self.patterned
        yield from (self.hints[place] for place in sorted(places))
        if self._has_abbreviation(ever):
            runs = {*words_in_lower_case(ever), *words_in_lower_case(now)}
            entries = (entry for run in self.abbreviated.keys() & runs for entry in self.abbreviated[run])
            yield from (hint for _, hint in sorted(entries, key=itemgetter(0)))

    def _says_nothing(self, words: str) -> bool:
        """Whether no word begins as a fragment does, and neither a pattern nor an abbreviation is found."""
        if not self.starts.isdisjoint(_WORD_STARTS.findall(words)) or self._has_abbreviation(words):
            return False
        return not any_found(self.patterns, words)

    def _has_abbreviation(self, clause: str) -> bool:
        if self.abbreviated.keys().isdisjoint(words_in_lower_case(clause)):
            return False
        return self.abbreviations.search(clause) is not None

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


def make_hints(
    own: Mapping[str, TopicHint], patterns: Iterable[str], context: Context, short: Abbreviations
) -> TopicHints:
    """The hints of the topics, by topic, with the abbreviations; ``patterns`` are those of all topics.

    :raises KnowledgeError: if an abbreviation names a topic that does not exist.
    """
    added = [
        (words_in_lower_case(entry.short)[0], hint)
        for entry in short.abbreviations
        for hint in _abbreviated(entry, own)
    ]
    hints = tuple(own.values())
    starts = (_WORD_STARTS.match(piece) for hint in hints for pieces in hint.pieces.values() for piece in pieces)
    every = "|".join(re.escape(entry.short) for entry in short.abbreviations)
    return TopicHints(
        hints=hints,
        by_head=_grouped((head, place) for place, hint in enumerate(hints) for head in sorted(hint.pieces)),
        patterned=frozenset(place for place, hint in enumerate(hints) if hint.pattern),
        abbreviated=_grouped((run, (place, hint)) for place, (run, hint) in enumerate(added)),
        abbreviations=re.compile(rf"(?<![\w/])(?:{every})(?!\w)"),
        context=context,
        starts=frozenset(start.group() for start in starts if start),
        patterns=found_sooner(patterns),
    )


def by_first_letters(pieces: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Fragments by their first letters."""
    return _grouped((piece[:SHORTEST_PIECE], piece) for piece in pieces)


def _grouped(pairs: Iterable[tuple[str, ValueT]]) -> Mapping[str, tuple[ValueT, ...]]:
    groups: dict[str, list[ValueT]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in groups.items()}


def _abbreviated(entry: Abbreviation, topics: Mapping[str, TopicHint]) -> Iterator[TopicHint]:
    pattern = re.compile(rf"(?<![\w/]){re.escape(entry.short)}(?![\w])")
    for topic in entry.topics:
        if topic not in topics:
            raise KnowledgeError(f"_abbreviations.yaml: {entry.short}: no topic {topic!r} in topics.yaml")
        hint = topics[topic]
        yield TopicHint(hint.sense, hint.lasting, {}, pattern, (), any_pattern(entry.unless))
