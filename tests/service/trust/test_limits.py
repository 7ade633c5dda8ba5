"""What is too large, too deep or compressed is refused at once."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_hooks.protocol.aside import LARGE_BYTES
from cds_hooks.protocol.limits import MAX_DEPTH, MAX_DRAFTS, MAX_RESOURCES, is_too_deep
from fhir_plugin.record.opening import MAX_VALUES
from tests.support.hooks.calls import KETAMINE, ORDER_SIGN, body, client, order, without_uuids

LIMIT = 5_000_000


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"[" * 200_000 + b"]" * 200_000, 400),
        (b"[" * 2_500_000 + b"]" * 2_500_000, 400),
        (b'{"a":' * 200_000, 400),
        (b'{"a":' * 200_000 + b"0" + b"}" * 200_000, 400),
        (b"[[]" * 1_600_000, 400),
        ((b"[" * 99 + b"]" * 98) * 25_000, 400),
        (b'"' * LIMIT, 400),
        (b"\\" * LIMIT, 400),
        (b'{"a":' + b'"\\"[' * 1_200_000, 400),
        (b"{" + b",".join(b'"%d":0' % each for each in range(1_000_000)) + b"}", 413),
        (b"{" + b",".join(b'"%d":0' % each for each in range(400_000)) + b"}", 400),
        (b'{"resourceType":"X"}' * (MAX_RESOURCES + 1), 413),
        (b"[" + b"1," * (MAX_VALUES + 1) + b"1]", 413),
        (b"x" * (LIMIT + 1), 413),
    ],
)
def test_hostile_bodies_are_refused_at_once(content: bytes, status: int) -> None:
    spent = []
    for _ in range(3):
        start = time.process_time()
        assert client().post(ORDER_SIGN, content=content).status_code == status
        spent.append(time.process_time() - start)
    assert min(spent) < 0.5, "seconds of work, most of it the client of the test"


@pytest.mark.parametrize(("drafts", "status"), [(MAX_DRAFTS, 200), (MAX_DRAFTS + 1, 413)])
def test_a_call_holds_no_more_drafts_than_are_looked_at(drafts: int, status: int) -> None:
    request = body(ORDER_SIGN, "nearly-empty", *({"resourceType": "Medication", "id": "m"},) * drafts)
    assert client().post(ORDER_SIGN, json=request).status_code == status


def test_what_is_large_is_answered_alike_in_its_own_thread() -> None:
    """A large record is worked on aside; the answer is the same, and the log still knows the call."""
    request = body(ORDER_SIGN, "two-failures", order(KETAMINE, "two-failures"))
    ordinary = client().post(ORDER_SIGN, json=request).json()["cards"]
    request["extension"] = {"padding": "x" * LARGE_BYTES}
    assert without_uuids(client().post(ORDER_SIGN, json=request).json()["cards"]) == without_uuids(ordinary)


def test_a_stream_without_a_length_ends_when_it_is_too_long() -> None:
    endless = (b"x" * 100_000 for _ in range(1_000))
    assert client().post(ORDER_SIGN, content=endless).status_code == 413


@pytest.mark.parametrize("length", ["5000001", "5000000000", "9" * 5000])
def test_a_declared_length_is_enough(length: str) -> None:
    assert client().post(ORDER_SIGN, content=b"{}", headers={"Content-Length": length}).status_code == 413


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "br", "zstd", "gzip, identity", "GZIP"])
@pytest.mark.parametrize("url", [ORDER_SIGN, "/fhir/QuestionnaireResponse/$extract"])
def test_compressed_bodies_are_refused(encoding: str, url: str) -> None:
    answer = client().post(url, content=b"{}", headers={"Content-Encoding": encoding})
    assert answer.status_code == 415
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_a_body_as_it_is_needs_no_other_encoding() -> None:
    answer = client().post(ORDER_SIGN, content=b"{}", headers={"Content-Encoding": "identity"})
    assert answer.status_code == 400


def nested(depth: int, inside: Any = 0) -> Any:
    for level in range(depth):
        inside = [inside] if level % 2 else {"a": inside}
    return inside


def test_the_limit_is_where_it_is_said_to_be() -> None:
    assert not is_too_deep(json.dumps(nested(MAX_DEPTH)).encode())
    assert is_too_deep(json.dumps(nested(MAX_DEPTH + 1)).encode())
    beside = {"text": 'mm[Hg] {score} "[[[["', "next": nested(MAX_DEPTH - 1)}
    assert not is_too_deep(json.dumps(beside).encode())


texts = st.text(alphabet='[]{}"\\ab', max_size=12)
values = st.recursive(
    st.none() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=20,
)


@given(values, st.integers(0, 2 * MAX_DEPTH), st.booleans())
def test_brackets_in_text_are_text(value: Any, depth: int, ascii_only: bool) -> None:
    content = nested(depth, value)
    assert is_too_deep(json.dumps(content, ensure_ascii=ascii_only).encode()) == (depth_of(content) > MAX_DEPTH)


def depth_of(value: Any) -> int:
    """The levels of brackets."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


def test_what_real_clients_send_is_let_through() -> None:
    request = body(ORDER_SIGN, "two-failures", order(KETAMINE, "two-failures"))
    assert client().post(ORDER_SIGN, json=request).status_code == 200
