"""More text than real charts hold is not read, and what it may say is unknown."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import msgspec
import pytest

from fhir_plugin.errors import RecordUnavailable
from fhir_plugin.facts.conditions import read_conditions
from fhir_plugin.facts.unread_entries import unread_entries
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.gather import gather
from fhir_plugin.record.bundles import AnyResource
from fhir_plugin.record.coded import MOST_LETTERS
from fhir_plugin.record.datatypes import CodeableConcept, Coding
from fhir_plugin.record.decoding import decode_value
from fhir_plugin.record.record import Input, InputState, Record
from fhir_plugin.record.text import MAX_TEXT, letters_of
from tests.support.hooks.calls import DAY, knowledge
from tests.support.reading.material import PATIENT, patient, to_bytes


def gathered(**texts: list[str]) -> Record:
    """The record of a call in which entries have these texts, by input."""
    kinds = {"conditions": "Condition", "procedures": "Procedure"}
    subject = {"reference": f"Patient/{PATIENT}"}
    prefetch = {"patient": to_bytes(patient())}
    for name, all_texts in texts.items():
        entries = [
            {"resource": {"resourceType": kinds[name], "subject": subject, "code": {"text": text}}}
            for text in all_texts
        ]
        prefetch[name] = to_bytes({"resourceType": "Bundle", "entry": entries})
    values = {name: msgspec.Raw(value) for name, value in prefetch.items()}
    return asyncio.run(gather(PATIENT, values, [*values], (), None, FhirServers()))


def different(count: int) -> list[str]:
    """Texts of a thousand letters, each different."""
    return [f"{number} no acute distress, ".ljust(1000, "x") for number in range(count)]


def test_more_text_than_real_charts_hold_is_not_read_and_unknown() -> None:
    record = gathered(conditions=different(3), procedures=different(MAX_TEXT // 1000))
    assert record.input("procedures").state is InputState.UNREADABLE
    assert record.input("conditions").state is InputState.COMPLETE
    assert [(each.where, each.why) for each in record.unread] == [
        ("procedures", f"more than {MAX_TEXT} letters of text in the record: not read")
    ]
    fact = read_conditions(record, knowledge(), DAY).facts()["conditions.aneurysm_avm"]
    assert "procedures" in fact.unread


def test_what_cannot_be_done_without_is_asked_for_where_its_text_is_too_long() -> None:
    with pytest.raises(RecordUnavailable, match="letters of text"):
        gathered(conditions=different(MAX_TEXT // 1000 + 1))


def test_as_much_text_as_is_read_is_read_and_repeated_text_counts_once() -> None:
    record = gathered(conditions=different(3), procedures=different(MAX_TEXT // 1000 - 3) * 2)
    assert record.input("procedures").state is InputState.COMPLETE


def test_an_entry_of_many_words_may_mean_anything() -> None:
    """Each display is short enough; what is left out of them may be a diagnosis."""
    record = gathered(conditions=["depression"])
    (entry,) = record.input("conditions").resources
    displays = tuple(msgspec.convert({"display": f"mood {number} ".ljust(400, "x")}, Coding) for number in range(11))
    full = msgspec.structs.replace(entry, code=CodeableConcept(coding=displays[: MOST_LETTERS // 400]))
    more = msgspec.structs.replace(entry, code=CodeableConcept(coding=displays))
    assert unread_entries(with_conditions(record, full), knowledge()).diagnoses == ()
    assert unread_entries(with_conditions(record, more), knowledge()).diagnoses != ()


def with_conditions(record: Record, *conditions: AnyResource) -> Record:
    return replace(record, inputs={**record.inputs, "conditions": Input(InputState.COMPLETE, conditions)})


@pytest.mark.parametrize("indent", [None, 1])
def test_what_is_contained_counts_however_it_is_spaced(indent: int | None) -> None:
    inner = [{"resourceType": "Condition", "code": {"text": text}} for text in different(5)]
    order = {"resourceType": "MedicationRequest", "subject": {"reference": f"Patient/{PATIENT}"}, "contained": inner}
    read = decode_value("medicationRequests", json.dumps(order, indent=indent).encode(), PATIENT)
    assert len(read.input.resources) == 1
    assert letters_of(read.input.resources) >= 5_000
