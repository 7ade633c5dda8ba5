"""An input of more entries than real ones have is not read, and unknown; spoiled entries are counted, not kept."""

from __future__ import annotations

import pytest

from fhir_plugin.record.decoding import decode_value, record_from_bundle
from fhir_plugin.record.opening import MAX_ENTRIES, MAX_VALUES, UnreadableEntry, open_value
from fhir_plugin.record.record import InputState
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
