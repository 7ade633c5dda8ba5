"""The corpus of text sigs: what each means in mg a day, or that it is not to be guessed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_plugin.facts.medications.sigs import read_frequency, read_sig
from mappings.schema.base.entries import KnowledgeError
from mappings.schema.base.files import read_yaml
from mappings.schema.medications import FOLDER
from mappings.schema.medications.tables import read_sig_words
from mappings.schema.medications.words import SigWords
from tests.support.medications.checks import check_sig, sigs
from tests.support.shipped import shipped

KNOWN = shipped().medications
CORPUS = sigs()
LEAST_LINES = 150


@pytest.mark.parametrize(("strength", "text", "expected"), CORPUS, ids=[row[1] for row in CORPUS])
def test_sig(strength: str, text: str, expected: Any) -> None:
    check_sig(strength, text, expected, KNOWN)


def test_the_corpus_is_large_and_has_no_repeats() -> None:
    assert len(CORPUS) >= LEAST_LINES
    assert len({(strength, text) for strength, text, _ in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize(
    ("text", "per_day"), [("BID", 2), ("twice daily", 2), ("every other day", 0.5), ("sometimes", None)]
)
def test_frequency(text: str, per_day: float | None) -> None:
    assert read_frequency(text, KNOWN) == per_day


WORDS = sorted(
    {" ".join(entry.words) for entries in KNOWN.sig_words.values() for entry in entries}
    | {"1", "2", "1/2", "50", "100", "7", "0", ",", ".", "(", ")", "-", "xyz", "1/0"}
)


@given(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join))
def test_no_sentence_of_the_vocabulary_breaks_the_grammar(text: str) -> None:
    sig = read_sig(text, KNOWN)
    if sig is not None:
        assert all(intake.per_day > 0 for phase in sig.phases for intake in phase.intakes)
        assert all(phase.days is None or phase.days > 0 for phase in sig.phases)


@given(st.text(max_size=60))
def test_no_text_breaks_the_grammar(text: str) -> None:
    read_sig(text, KNOWN)


def test_a_phrase_of_the_vocabulary_has_no_number_in_it() -> None:
    words = read_yaml(FOLDER / "sig_words.yaml", SigWords)
    with pytest.raises(KnowledgeError, match="'every 24 hours': numbers are read by themselves"):
        read_sig_words(words.model_copy(update={"per_day": {"every 24 hours": 1.0}}), KNOWN.units)
