"""An input of more entries than real ones have is not read, and unknown; spoiled entries are counted, not kept."""

from __future__ import annotations

import pytest

from fhir_plugin.record.decoding import decode_value, record_from_bundle
from fhir_plugin.record.opening import MAX_ENTRIES, MAX_VALUES, UnreadableEntry, open_value
from fhir_plugin.record.record import InputState
from fhir_plugin.record.text import letters_in
from tests.support.reading.material import PATIENT, patient, to_bytes


def bundle_of(entry: bytes, count: int) -> bytes:
    """A Bundle in which one entry is repeated."""
    return b'{"resourceType":"Bundle","entry":[' + b",".join([entry] * count) + b"]}"


@pytest.mark.parametrize("entry", [b"1", b"null", b"{}", b'{"resource":{"resourceType":"Observation","id":"x"}}'])
def test_entries_of_any_kind_count(entry: bytes) -> None:
    decoded = decode_value("observations", bundle_of(entry, MAX_ENTRIES + 1), PATIENT)
    assert decoded.input.state is InputState.UNREADABLE
    assert decoded.input.resources == ()
    assert [each.why for each in decoded.unread] == [f"more than {MAX_ENTRIES} entries: not read"]


def test_as_many_as_are_read_are_read() -> None:
    entry = b'{"resource":{"resourceType":"Observation","code":{"text":"Pulse"},"subject":{"reference":"Patient/%b"}}}'
    entry %= PATIENT.encode()
    decoded = decode_value("observations", bundle_of(entry, MAX_ENTRIES), PATIENT)
    assert decoded.input.state is InputState.COMPLETE
    assert len(decoded.input.resources) == MAX_ENTRIES


def test_many_values_are_not_decoded_whatever_they_are() -> None:
    opened = open_value(b'{"resourceType":"Observation","component":[' + b",".join([b"{}"] * (MAX_VALUES + 2)) + b"]}")
    assert opened == UnreadableEntry(None, f"more than {MAX_VALUES} values: not read")


def test_spoiled_entries_are_counted_after_the_first_hundred() -> None:
    decoded = decode_value("observations", bundle_of(b"1", 1_000), PATIENT)
    assert decoded.input.state is InputState.PARTIAL
    assert len(decoded.unread) == 101
    assert decoded.unread[-1].why == "900 more entries that cannot be read"


def test_a_file_may_hold_a_whole_life() -> None:
    """A file is read by somebody who has it, not sent by anybody."""
    entries = [{"resource": patient()}, *({"resource": {"resourceType": "Basic"}} for _ in range(MAX_ENTRIES))]
    record = record_from_bundle(to_bytes({"resourceType": "Bundle", "entry": entries}), PATIENT)
    assert record.input("observations").state is InputState.COMPLETE


@pytest.mark.parametrize("inner", ['{"item":[%s]}', '{"answer":[{"item":[%s]}]}'])
def test_a_response_nested_deeper_than_forms_are_is_named_and_not_read(inner: str) -> None:
    response = '{"resourceType":"QuestionnaireResponse","subject":{"reference":"Patient/%s"},"item":[%s]}'
    for levels, read in ((20, 1), (21, 0), (200, 0)):
        items = "{}"
        for _ in range(levels - 1):
            items = inner % items
        raw = bundle_of(f'{{"resource":{response % (PATIENT, items)}}}'.encode(), 1)
        decoded = decode_value("questionnaireResponses", raw, PATIENT)
        assert len(decoded.input.resources) == read
        assert decoded.input.whole is bool(read)
        assert ["nested too deeply" in each.why for each in decoded.unread] == [True] * (1 - read)


def test_what_an_outcome_says_is_said_once() -> None:
    """In place of the data, and beside them."""
    issues = [{"severity": "error", "code": code} for code in ("not-found", "timeout")] * 10_000
    outcome = {"resourceType": "OperationOutcome", "issue": issues}
    alone = decode_value("conditions", to_bytes(outcome), PATIENT)
    assert [each.why for each in alone.unread] == ["an OperationOutcome: error other error timeout"]
    beside = decode_value("conditions", to_bytes({"resourceType": "Bundle", "entry": [{"resource": outcome}]}), PATIENT)
    assert beside.warnings == ("conditions: error other", "conditions: error timeout")
    kinds = [
        {"severity": severity, "code": code} for severity in ("error", "fatal") for code in ("timeout", "x", "security")
    ]
    many = decode_value("conditions", to_bytes({"resourceType": "OperationOutcome", "issue": kinds}), PATIENT)
    assert many.unread[0].why.endswith("fatal other and others")


def test_ids_and_codes_are_no_text() -> None:
    assert letters_in(b'{"id":"a-1","code":{"text":"low \\"mood\\", sad"}}') == len("low mood, sad")
