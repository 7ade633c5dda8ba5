"""What is not of the wanted shape is as good as absent, however it is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from fhir_plugin.record.lenient import decode_all, decode_array, read
from fhir_plugin.record.resources import Organization

DEEP = b"[" * 100_000
WRONG = [
    b"", b"{", b"[]", b"1", b"null", b'{"resourceType": "Patient"}', b'{"resourceType": "Organization", "name": 1}',
    b'{"resourceType": "Organization", "name": "\xff"}', b'{"resourceType": "Organization", "x": ' + DEEP, DEEP,
]  # fmt: skip
RIGHT = b'{"resourceType": "Organization", "name": "A"}'


@pytest.mark.parametrize("content", WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_absent_and_spoils_nothing_beside_it(content: bytes) -> None:
    assert read(content, Organization) is None
    assert [found.name for found in decode_all(map(Raw, (content, RIGHT)), Organization)] == ["A"]


def test_elements_are_read_one_by_one() -> None:
    assert [found.name for found in decode_array(Raw(b"[1, %s, null]" % RIGHT), Organization)] == ["A"]
    assert decode_array(Raw(RIGHT), Organization) == ()
    assert read(None, Organization) is None


@given(st.binary(max_size=40))
def test_no_bytes_break_the_reading(content: bytes) -> None:
    assert isinstance(read(content, Organization), Organization | None)
