"""Texts that are made to take long: sigs, names of drugs and of problems cost work by their length, or are not read."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from cds_hooks.protocol.requests import HookCall
from fhir_plugin.errors import RecordUnavailable
from fhir_plugin.facts.medications.sigs import MAX_LENGTH, clear_sig_cache
from fhir_plugin.record.coded import MOST_LETTERS
from tests.support.growth.texts import NAMES, SIGS, call_with, long
from tests.support.hooks.calls import answered

SECONDS = 5.0
"""Of CPU, several times what each takes here. What grows with the square takes minutes at these lengths."""
BEYOND = 50_000
"""Letters that no text of a record has that is read."""
WHOLE_BODY = 1_500_000


def cpu(call: HookCall) -> float:
    """Seconds of CPU that an answer takes, or the refusal to read so much."""
    clear_sig_cache()
    begun = time.process_time()
    with suppress(RecordUnavailable):
        answered(call)
    return time.process_time() - begun


def sigs(piece: str, count: int, length: int = 600) -> tuple[str, ...]:
    """Different sigs of the same kind."""
    return tuple(long(piece, length, f"{number} tablets then ") for number in range(count))


def test_there_are_enough_of_them() -> None:
    assert len(set(SIGS)) >= 22
    assert len(set(NAMES)) >= 33


def test_a_sig_takes_no_longer_than_its_letters() -> None:
    beyond = (long(piece, BEYOND) for piece in SIGS)
    read = (sig for piece in SIGS for sig in sigs(piece, 2, MAX_LENGTH))
    assert cpu(call_with(*beyond, *read)) < SECONDS


def test_a_name_takes_no_longer_than_its_letters() -> None:
    texts = tuple(long(piece, length) for piece in NAMES for length in (BEYOND, MOST_LETTERS // 4))
    assert cpu(call_with(names=texts, problems=texts[::-1])) < SECONDS


@pytest.mark.nightly
@pytest.mark.parametrize("place", ["names", "problems"])
def test_no_more_does_the_longest_that_is_read(place: str) -> None:
    assert cpu(call_with(**{place: tuple(long(piece, MOST_LETTERS) for piece in NAMES)})) < SECONDS


@pytest.mark.nightly
@pytest.mark.parametrize("piece", SIGS)
def test_two_thousand_sigs_take_twice_as_long_as_a_thousand(piece: str) -> None:
    without = cpu(call_with())
    half, whole = (min(cpu(call_with(*sigs(piece, count))) for _ in range(3)) - without for count in (1000, 2000))
    assert whole < 2.6 * half + 0.2
    assert whole < 2 * SECONDS


@pytest.mark.nightly
@pytest.mark.parametrize("piece", sorted({*SIGS, *NAMES}))
def test_one_text_as_long_as_a_body(piece: str) -> None:
    text = long(piece, WHOLE_BODY)
    for call in (call_with(text), call_with(names=(text,)), call_with(problems=(text,))):
        assert cpu(call) < SECONDS
