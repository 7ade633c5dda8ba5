"""The corpus of text sigs: what each means in mg a day, or that it is not to be guessed."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fhir_plugin.facts.medications.intakes import milligrams
from fhir_plugin.facts.medications.sigs import Sig, read_frequency, read_sig
from mappings.medications import FOLDER, Part, load_medications

KNOWN = load_medications()
CORPUS = yaml.safe_load((FOLDER / "sigs.cases.yaml").read_text(encoding="utf-8"))["sigs"]
LEAST_LINES = 150
DISAGREEMENT = 0.25


def part_of(strength: str) -> Part:
    value, _, per = strength.partition("/")
    return Part("drug", float(value), f"MG/{per.upper()}" if per else "MG")


def phases_of(sig: Sig, part: Part) -> list[list[float | None]] | None:
    found: list[list[float | None]] = []
    for phase in sig.phases:
        total = 0.0
        for intake in phase.intakes:
            mg = milligrams(intake, part, DISAGREEMENT).mg
            if mg is None:
                return None
            total += mg * intake.per_day
        found.append([round(total, 6), phase.days])
    return found


@pytest.mark.parametrize(("strength", "text", "expected"), CORPUS, ids=[row[1] for row in CORPUS])
def test_sig(strength: str, text: str, expected: Any) -> None:
    sig = read_sig(text, KNOWN.sig_words)
    if expected == "prn":
        assert sig is not None
        assert sig.prn
        return
    read = phases_of(sig, part_of(strength)) if sig is not None and not sig.prn else None
    assert read == (None if expected == "unknown" else expected)


def test_the_corpus_is_large_and_has_no_repeats() -> None:
    assert len(CORPUS) >= LEAST_LINES
    assert len({(strength, text) for strength, text, _ in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize(
    ("text", "per_day"), [("BID", 2), ("twice daily", 2), ("every other day", 0.5), ("sometimes", None)]
)
def test_frequency(text: str, per_day: float | None) -> None:
    assert read_frequency(text, KNOWN.sig_words) == per_day


WORDS = sorted(
    {" ".join(entry.words) for entries in KNOWN.sig_words.values() for entry in entries}
    | {"1", "2", "1/2", "50", "100", "7", "0", ",", ".", "(", ")", "-", "xyz", "1/0"}
)


@given(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join))
def test_no_sentence_of_the_vocabulary_breaks_the_grammar(text: str) -> None:
    sig = read_sig(text, KNOWN.sig_words)
    if sig is not None:
        assert all(intake.per_day > 0 for phase in sig.phases for intake in phase.intakes)
        assert all(phase.days is None or phase.days > 0 for phase in sig.phases)


@given(st.text(max_size=60))
def test_no_text_breaks_the_grammar(text: str) -> None:
    read_sig(text, KNOWN.sig_words)
