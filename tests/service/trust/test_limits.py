"""What is too large, too deep or compressed is refused at once."""

from __future__ import annotations

import json
import time

import pytest

from cds_hooks.protocol.aside import LARGE_BYTES
from cds_hooks.protocol.limits import MAX_DRAFTS, MAX_RESOURCES
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


_PLACES = ("beside", "context", "prefetch", "draft", "contained", "items", "answers")


@pytest.mark.parametrize("depth", [30, 150, 450, 940, 5_000, 100_000])
@pytest.mark.parametrize("place", _PLACES)
def test_depth_is_a_fault_of_what_is_deep_and_of_nothing_else(place: str, depth: int) -> None:
    """Not read, refused, or named as unread; never a fault of the service."""
    answer = client().post(ORDER_SIGN, content=_deep(place, depth))
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        assert answer.json()["cards"]


def _deep(place: str, depth: int) -> bytes:
    request = body(ORDER_SIGN, "two-failures", order(KETAMINE, "two-failures"))
    inside = "@inside@"
    if place == "beside":
        request["extension"] = {"padding": inside}
    elif place == "context":
        request["context"]["padding"] = inside
    elif place == "draft":
        request["context"]["draftOrders"]["entry"][0]["resource"]["extension"] = inside
    elif place == "prefetch":
        request["prefetch"]["conditions"]["extension"] = inside
    elif place == "contained":
        request["prefetch"]["conditions"]["entry"][0]["resource"]["contained"] = inside
    else:
        response = {"resourceType": "QuestionnaireResponse", "id": "deep", "status": "completed"}
        response |= {"subject": {"reference": "Patient/two-failures"}, "item": inside}
        request["prefetch"]["questionnaireResponses"]["entry"].append({"resource": response})
    opened, closed = ('[{"linkId":"1","answer":[{"item":', "}]}]") if place == "answers" else ('[{"item":', "}]")
    deep = f"{opened * depth}[]{closed * depth}"
    return json.dumps(request).replace(f'"{inside}"', deep).encode()


def test_what_real_clients_send_is_let_through() -> None:
    request = body(ORDER_SIGN, "two-failures", order(KETAMINE, "two-failures"))
    assert client().post(ORDER_SIGN, json=request).status_code == 200
