"""What is kept from one record for the next changes no answer, and cannot be made large."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from fhir_plugin.facts.medications import lines, sigs
from fhir_plugin.facts.medications.lines import clear_caches
from fhir_plugin.facts.trials.read import READ_GROUPS
from tests.support.medications.drawn import KNOWN, RECORDS, built, read
from tests.support.medications.records import order

POLICY = KNOWN.policy(None)
SERTRALINE = {"rxnorm": 312941, "sig": "1 tablet daily", "start": "2025-02-01", "supply": 60}


def kept() -> dict[Any, Any]:
    return lines._line_cache(KNOWN, POLICY, READ_GROUPS)


@given(RECORDS)
def test_a_record_read_before_reads_the_same(entries: list[dict[str, Any]]) -> None:
    resources = built(entries)
    clear_caches()
    scratch = read(resources)
    assert read(resources) == scratch


def test_a_line_is_kept_for_the_next_record() -> None:
    clear_caches()
    read([order(SERTRALINE)])
    assert len(kept()) == 1


def test_a_long_text_is_not_kept() -> None:
    clear_caches()
    read([order(SERTRALINE | {"sig": "1 tablet daily " + "x" * lines._MAX_KEY_BYTES})])
    assert not kept()


def test_the_book_begins_anew_when_it_is_full(monkeypatch: Any) -> None:
    monkeypatch.setattr(lines, "_MAX_CACHED_LINES", 2)
    clear_caches()
    for supply in (30, 60, 90):
        read([order(SERTRALINE | {"supply": supply})])
    assert len(kept()) == 1


def test_a_reading_of_many_phases_is_not_kept() -> None:
    clear_caches()
    read([order(SERTRALINE | {"sig": "Start 1 mg daily, increase by 1 mg every 2 days to 50 mg"})])
    assert not kept()
    assert not sigs._SIG_CACHE


def test_a_sentence_of_many_words_is_not_kept() -> None:
    clear_caches()
    sigs.read_sig("take 1 tablet daily " + "and 1 tablet daily " * 20, KNOWN)
    assert not sigs._SIG_CACHE


def test_the_sentences_begin_anew_when_there_are_many(monkeypatch: Any) -> None:
    monkeypatch.setattr(sigs, "_MAX_CACHED_SIGS", 2)
    clear_caches()
    for amount in (1, 2, 3):
        sigs.read_sig(f"take {amount} tablets daily", KNOWN)
    assert len(sigs._SIG_CACHE) == 1
