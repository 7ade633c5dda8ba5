"""What is kept of a sig, a reason or a diagnosis is read as it was written."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from cds_hooks.replay.wording import TextRedaction
from fhir_plugin.facts.medications.sigs import read_sig
from mappings.schema.base.files import KNOWLEDGE
from mappings.schema.codes.vocabulary import load_vocabulary
from tests.support.medications.checks import sigs
from tests.support.shipped import load_yaml, shipped

KNOWN = shipped()
SPELLINGS: tuple[Callable[[str], str], ...] = (str, str.title, str.upper)


@cache
def wording() -> TextRedaction:
    return TextRedaction(load_vocabulary())


def diagnoses() -> list[str]:
    """The conditions in words of the patients beside the criteria."""
    cases = [case for path in (KNOWLEDGE / "criteria").glob("*.cases.yaml") for case in load_yaml(path)]
    return sorted({str(text) for case in cases for text in case.get("conditions", ()) if " " in str(text)})


@pytest.mark.parametrize("spelt", SPELLINGS)
def test_every_sig_is_read_as_it_was_written(spelt: Callable[[str], str]) -> None:
    def read(text: str) -> object:
        return read_sig(text, KNOWN.medications)

    written = [spelt(text) for _, text, _ in sigs()]
    assert [text for text in written if read(wording().without_names(text)) != read(text)] == []


@pytest.mark.parametrize("spelt", SPELLINGS)
def test_every_diagnosis_suggests_what_it_did(spelt: Callable[[str], str]) -> None:
    def read(text: str) -> object:
        return KNOWN.value_sets.hints.senses(text.lower())

    written = [spelt(text) for text in diagnoses()]
    assert [text for text in written if read(wording().without_names(text)) != read(text)] == []
