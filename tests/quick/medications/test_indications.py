"""What the words of an order say that the drug is for."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fhir_plugin.facts.medications.indications import stated_reasons
from fhir_plugin.facts.medications.reasons import (
    NOT_STATED,
    STATED_DEPRESSION,
    STATED_OPEN,
    STATED_OTHER,
    indication_in_sig,
    purposes,
)
from fhir_plugin.record.resources import MedicationRequest
from tests.support.shipped import shipped

KNOWN = shipped().medications


@pytest.mark.parametrize(
    ("sig", "reasons"),
    [
        ("1 tab daily for 30 days", []),
        ("1 tab daily for 1 week for seizures", ["1 week for seizures"]),
        ("1 tab daily for mood, to sleep", ["mood", "sleep"]),
        ("1 tab daily before noon, into the mouth", []),
    ],
)
def test_how_long_a_drug_is_taken_is_no_reason_for_it(sig: str, reasons: list[str]) -> None:
    order: dict[str, Any] = {"resourceType": "MedicationRequest", "dosageInstruction": [{"text": sig}]}
    read = stated_reasons(msgspec.convert(order, MedicationRequest), ())
    assert [concept.text for concept in read.written] == reasons


@pytest.mark.parametrize(
    ("sig", "purpose"),
    [
        ("1 tab daily for depression", STATED_DEPRESSION),
        ("1 tab daily for sleep and depression", STATED_DEPRESSION),
        ("1 tab daily for anxiety", STATED_OPEN),
        ("1 tab daily for mood and sleep", NOT_STATED),
        ("1 tab daily to quit smoking", STATED_OTHER),
        ("1 tab daily for unspeakable pains", STATED_OTHER),
        ("1 tab daily for the spain of it", NOT_STATED),
        ("1 tab daily, for depression or pain see the leaflet", STATED_DEPRESSION),
        ("sleep 1 tab daily", NOT_STATED),
    ],
)
def test_the_purpose_in_a_sig(sig: str, purpose: str) -> None:
    assert indication_in_sig(sig, KNOWN) == purpose


def test_purposes_stand_behind_whole_words() -> None:
    assert purposes("For pain. therefor none, go to bed") == ["pain", "bed"]
