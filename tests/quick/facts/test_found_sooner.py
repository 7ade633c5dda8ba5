"""What makes the reading of words quick changes nothing of what is read."""

import re
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mappings.schema.base.words import any_found, first_words, found_sooner
from mappings.schema.codes.context import ContextRules
from mappings.schema.codes.hints import TopicHints, letters_of
from mappings.schema.codes.readable_words import pattern_words
from mappings.schema.codes.senses import Sense
from mappings.schema.treatments.model import AllergyWords
from tests.support.profiles import examples
from tests.support.shipped import shipped

VALUE_SETS = shipped().value_sets
HINTS = VALUE_SETS.hints
RULES = VALUE_SETS.reviewed.context
PATTERNS = [pattern for topic in VALUE_SETS.topics.values() for pattern in topic.hint_patterns]
FRAGMENTS = [piece for hint in HINTS.hints for pieces in hint.pieces.values() for piece in pieces]
TRIGGERS = [*RULES.forward, *RULES.forward_list, *RULES.forward_now, *RULES.backward, *RULES.hypothetical]
BETWEEN = [" ", " ", " ", ", ", "; ", ". ", "/", "-", ": ", ""]


def texts(*kinds: Iterable[str]) -> st.SearchStrategy[str]:
    """Words of several kinds with something between them."""
    words = st.one_of(*[st.sampled_from(sorted(kind)) for kind in kinds])
    return st.lists(st.tuples(words, st.sampled_from(BETWEEN)), max_size=8).map(
        lambda pairs: "".join(word + between for word, between in pairs)
    )


SPELT = pattern_words(PATTERNS) | {"1", "14", "2024", "3d", "x"}
READ = texts(SPELT, FRAGMENTS, [*TRIGGERS, *RULES.not_a_denial, *RULES.ends], ["mother with", "fh:", "since 2019"])


@examples(8)
@given(texts(SPELT))
def test_a_pattern_is_found_sooner_exactly_where_it_is_found(text: str) -> None:
    assert any_found(HINTS.patterns, text) is any(re.search(pattern, text) for pattern in PATTERNS)


def test_most_patterns_look_for_the_boundary_once() -> None:
    assert len(HINTS.patterns) < len(PATTERNS) / 10


@pytest.mark.parametrize("pattern", [r"\bone|two", r"\b[(]|two", r"\b(?:one)|(?:two)"])
def test_an_alternative_without_a_boundary_needs_none(pattern: str) -> None:
    assert any_found(found_sooner([pattern, r"\bthree"]), "xtwo")


def test_a_group_of_alternatives_keeps_its_boundary() -> None:
    assert not any_found(found_sooner([r"\b(?:one|(?:t|s)wo)", r"\b[|]x"]), "xtwo")


class _EveryWord(frozenset[str]):
    def isdisjoint(self, _: Iterable[object]) -> bool:
        return False


@examples(8)
@given(READ)
def test_a_text_without_the_first_word_of_a_trigger_denies_nothing(text: str) -> None:
    read_in_full = replace(HINTS.context, first_words=_EveryWord())
    assert list(HINTS.context.clauses(text)) == list(read_in_full.clauses(text))


def test_a_trigger_is_known_by_its_first_word_even_behind_a_sign() -> None:
    assert first_words([": denies", "doesn't have", "2/2"]) == {"denies", "doesn", "2"}


def tried(hints: TopicHints, words: str) -> tuple[Sense, ...]:
    """The senses of a text when every hint is tried on every clause."""
    found: dict[str, Sense] = {}
    every = [hint for entries in hints.abbreviated.values() for _, hint in entries]
    for ever, now in hints.context.clauses(words):
        abbreviated = every if hints.abbreviations.search(ever) else []
        for hint in (*hints.hints, *abbreviated):
            clause = ever if hint.lasting else now
            if hint.is_in(clause, letters_of(clause)):
                found.setdefault(hint.sense.topic, hint.sense)
    return tuple(found.values())


@examples(8)
@given(READ)
def test_a_hint_that_is_not_tried_would_not_have_been_found(text: str) -> None:
    senses = set(tried(HINTS, text))
    assert set(HINTS.senses_of_name(text)) == set(HINTS.senses(text))
    if not HINTS._says_nothing(text):
        assert HINTS.senses(text) == tried(HINTS, text)
    assert set(HINTS.senses(text)) <= senses


def test_a_trigger_without_a_word_does_not_load() -> None:
    with pytest.raises(ValidationError, match=r"forward\.0"):
        ContextRules.model_validate(RULES.model_dump() | {"forward": ["--"]})


def test_words_of_an_allergy_that_could_be_put_together_do_not_load() -> None:
    with pytest.raises(ValidationError, match=r"words\.0"):
        AllergyWords(words=("allergic to",), reactions=("hives",))
