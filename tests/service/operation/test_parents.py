"""The trace that a call brings: it goes on to the FHIR server, and no caller can bring about anything by it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_hooks.telemetry import export, logs
from fhir_plugin.errors import BadInput
from fhir_plugin.reading.gather import FhirAccess
from tests.support.conformance.ehr import fhir_server, unread
from tests.support.hooks.calls import (
    PATIENT_VIEW,
    body,
    client,
)
from tests.support.operation.collected import (
    PARENT,
    PATIENT,
    SAMPLED,
    TRACE,
    collecting,
    request_line,
)

UNSAMPLED = f"00-{TRACE}-{PARENT}-00"
STATE = "vendor=t61rcWkgMzE"


@pytest.fixture(autouse=True)
def _as_served() -> None:
    logs.configure("info", "json")


@pytest.mark.parametrize("state", [STATE, ""])
def test_a_trace_that_a_call_brings_goes_on_and_its_state_is_not_exported(
    state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = {"traceparent": SAMPLED, **({"tracestate": state} if state else {})}
    authorization = {"fhirAuthorization": {"access_token": "secret"}} if state else {}
    with fhir_server() as faults, collecting(telemetry_ratio=0) as found:
        found.service.post(PATIENT_VIEW, json=unread(faults.base(), **authorization), headers=headers)
    (call,) = found.named("call")
    assert found.trace_ids == {TRACE}
    assert call.parent is not None
    assert f"{call.parent.span_id:016x}" == PARENT
    assert request_line(capsys.readouterr().err)["trace"] == TRACE
    assert faults.requests
    for request in faults.requests:
        assert request.headers["traceparent"] == f"00-{TRACE}-{call.context.span_id:016x}-01"
        assert request.headers.get("tracestate", "") == state
    assert not any(span.context.trace_state for span in found.spans)


def test_a_caller_that_does_not_record_is_followed_and_the_trace_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    with fhir_server() as faults, collecting() as found:
        found.service.post(PATIENT_VIEW, json=unread(faults.base()), headers={"traceparent": UNSAMPLED})
    assert found.spans == ()
    assert request_line(capsys.readouterr().err)["trace"] == TRACE
    assert {request.headers["traceparent"][:36] for request in faults.requests} == {f"00-{TRACE}-"}
    assert all(request.headers["traceparent"].endswith("-00") for request in faults.requests)


def test_no_call_without_a_parent_is_recorded_where_the_ratio_is_none() -> None:
    with collecting(telemetry_ratio=0) as found:
        found.sign()
    assert found.spans == ()


HOSTILE = [
    "",
    "x",
    TRACE,
    SAMPLED.upper(),
    f"ff-{TRACE}-{PARENT}-01",
    f"00-{'0' * 32}-{PARENT}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE}-{PARENT}-01-more",
    f"00-{TRACE}-{PARENT}-1",
    SAMPLED * 40,
    f"01-{TRACE}-{PARENT}-01-{'x' * 9_000}",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_traceparent_that_is_none_begins_a_new_trace(value: str) -> None:
    with collecting() as found:
        found.sign(traceparent=value, tracestate=STATE)
    (call,) = found.named("call")
    assert call.parent is None
    assert TRACE not in found.trace_ids


def test_two_traceparents_are_none() -> None:
    with collecting() as found:
        request = json.dumps(body(PATIENT_VIEW, PATIENT))
        twice = [("traceparent", SAMPLED), ("traceparent", SAMPLED)]
        found.service.post(PATIENT_VIEW, content=request, headers=twice)  # type: ignore[arg-type]
    assert TRACE not in found.trace_ids


@given(st.lists(st.tuples(st.sampled_from([b"traceparent", b"tracestate"]), st.binary(max_size=600)), max_size=4))
def test_no_header_whatever_it_holds_stops_a_call(headers: list[tuple[bytes, bytes]]) -> None:
    parent, state = export._parent([(b"traceparent", SAMPLED.encode()), *headers])
    assert len(state) <= 512
    assert state.isascii()
    assert state.isprintable()
    assert parent is not None


def test_too_long_a_state_is_not_passed_on() -> None:
    _, state = export._parent([(b"traceparent", SAMPLED.encode()), (b"tracestate", b"a=" + b"b" * 600)])
    assert state == ""


def test_a_server_that_may_not_be_read_is_told_nothing() -> None:
    with fhir_server() as faults, collecting(allow_loopback_fhir=False) as found:
        found.service.post(PATIENT_VIEW, json=unread(faults.base()), headers={"traceparent": SAMPLED})
    assert faults.requests == []


def test_without_the_setting_nothing_is_made_and_nothing_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    with fhir_server() as faults:
        client().post(PATIENT_VIEW, json=unread(faults.base()), headers={"traceparent": SAMPLED, "tracestate": STATE})
    assert faults.requests
    assert not any({"traceparent", "tracestate"} & request.headers.keys() for request in faults.requests)
    assert '"trace"' not in capsys.readouterr().err


@pytest.mark.parametrize("header", [("x", "a\r\nAuthorization: b"), ("x y", "a"), ("x", "ü"), ("", "a")])
def test_a_header_that_cannot_be_sent_is_refused_before_it_is(header: tuple[str, str]) -> None:
    with pytest.raises(BadInput, match="a header for the FHIR server"):
        FhirAccess("https://ehr.example/fhir", headers=(header,))
