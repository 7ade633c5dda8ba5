"""What is kept from one record for the next changes no answer, and cannot be made large."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from fhir_plugin.facts.medications import lines, products, sigs
from fhir_plugin.facts.medications.lines import clear_caches
from fhir_plugin.facts.medications.sigs import tokens
from fhir_plugin.facts.trials.read import READ_GROUPS
from tests.support.medications.drawn import KNOWN, RECORDS, built, read
from tests.support.medications.records import order

POLICY = KNOWN.policy(None)
SERTRALINE = {"rxnorm": 312941, "sig": "1 tablet daily", "start": "2025-02-01", "supply": 60}


def kept() -> Any:
    return lines._kept_lines(KNOWN, POLICY, READ_GROUPS)


@given(RECORDS)
def test_a_record_read_before_reads_the_same(entries: list[dict[str, Any]]) -> None:
    resources = built(entries)
    clear_caches()
    scratch = read(resources)
    assert read(resources) == scratch


def test_a_line_is_kept_for_the_next_record() -> None:
    clear_caches()
    read([order(SERTRALINE)])
    assert len(kept().lines) == 1


def test_a_line_is_kept_by_what_it_means_and_not_in_its_words() -> None:
    clear_caches()
    read([order(SERTRALINE | {"sig": f"1 tablet daily with {what}"}) for what in ("zebras", "ostriches")])
    assert len(kept().lines) == 1
    assert "zebras" not in repr([(*key[1:], line.reading) for key, line in kept().lines.items()])


def test_a_long_name_is_not_kept_nor_its_line() -> None:
    clear_caches()
    read([order({"text": "sertraline 50 mg " + "x" * lines.MAX_KEY_BYTES, "sig": "1 tablet daily", "supply": 60})])
    assert not kept().concepts
    assert not kept().lines
    assert not products._kept_products(KNOWN)


def test_a_line_with_a_long_unit_is_not_kept() -> None:
    clear_caches()
    read([order(SERTRALINE | {"quantity": 30, "quantity_unit": "x" * lines.MAX_KEY_BYTES})])
    assert not kept().lines


def test_a_long_dosage_is_not_kept() -> None:
    clear_caches()
    read([order(SERTRALINE | {"sig": "1 tablet daily " + "x" * lines.MAX_KEY_BYTES})])
    assert not kept().readings


def test_the_readings_begin_anew_when_there_are_many(monkeypatch: Any) -> None:
    monkeypatch.setattr(lines, "_MAX_CACHED_READINGS", 2)
    clear_caches()
    for amount in (1, 2, 3):
        read([order(SERTRALINE | {"sig": f"{amount} tablets daily"})])
    assert len(kept().readings) == 1


def test_the_lines_begin_anew_when_there_are_many(monkeypatch: Any) -> None:
    monkeypatch.setattr(lines, "_MAX_CACHED_LINES", 2)
    clear_caches()
    for supply in (30, 60, 90):
        read([order(SERTRALINE | {"supply": supply})])
    assert len(kept().lines) == 1


def test_the_drugs_begin_anew_when_there_are_many_and_with_them_the_lines(monkeypatch: Any) -> None:
    monkeypatch.setattr(lines, "_MAX_CACHED_CONCEPTS", 2)
    monkeypatch.setattr(products, "_MAX_CACHED_CONCEPTS", 2)
    clear_caches()
    for name in ("sertraline 50 mg", "sertraline 100 mg", "fluoxetine 20 mg"):
        read([order({"text": name, "sig": "1 tablet daily", "supply": 60})])
    assert len(kept().concepts) == len(kept().lines) == len(products._kept_products(KNOWN)) == 1


def test_a_reading_of_many_phases_is_not_kept() -> None:
    clear_caches()
    read([order(SERTRALINE | {"sig": "Start 1 mg daily, increase by 1 mg every 2 days to 50 mg"})])
    assert not kept().lines
    assert not kept().readings
    assert not sigs._SIG_CACHE


def test_a_long_part_of_a_sentence_is_not_kept() -> None:
    clear_caches()
    sigs.read_sig("take 1 tablet daily " + "x" * tokens._MAX_PART_LENGTH, KNOWN)
    assert set(tokens._kept_parts(KNOWN)) == {"take ", "1"}


def test_the_parts_begin_anew_when_there_are_many(monkeypatch: Any) -> None:
    monkeypatch.setattr(tokens, "_MAX_CACHED_PARTS", 2)
    clear_caches()
    sigs.read_sig("take 1 tablet daily", KNOWN)
    assert set(tokens._kept_parts(KNOWN)) == {" tablet daily"}


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
