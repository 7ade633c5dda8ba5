"""Strings that must not get out, in every field of whole calls and in what a FHIR server answers: in no span."""

from __future__ import annotations

import json
from base64 import b64encode

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from cds_hooks.telemetry.spans import ATTRIBUTES
from tests.service.memory.test_canaries import CANARY, NAME, NOTE, RECORD, TOKEN, broken, requests
from tests.support.conformance.ehr import fhir_server, unread
from tests.support.hooks.calls import ORDER_SELECT, ORDER_SIGN, PATIENT_VIEW
from tests.support.operation.collected import Collected, attributes, collecting
from tests.support.reading.faults import reply

HEADERS = {
    "Authorization": f"Bearer {TOKEN}",
    "X-Correlation-Id": NAME,
    "User-Agent": NAME,
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "tracestate": f"wagtail={CANARY},{CANARY.lower()}@x=y",
    "baggage": f"patient={CANARY}",
}


def sent_by(found: Collected) -> bytes:
    """The bytes that a collector would receive."""
    return encode_spans(found.spans).SerializeToString()


def assert_none_is_in(found: Collected) -> None:
    sent = sent_by(found)
    assert len(sent) > 10_000
    for text in (CANARY, RECORD, TOKEN, NOTE):
        assert text.lower().encode() not in sent.lower()
        assert b64encode(text.encode()) not in sent
    assert {name for span in found.spans for name in attributes(span)} <= ATTRIBUTES.keys()


def test_no_canary_of_a_request_is_in_a_span() -> None:
    with collecting(deadline_seconds=0.05) as found:
        for url in (ORDER_SIGN, PATIENT_VIEW, ORDER_SELECT):
            for request in list(requests(url))[::3]:
                found.service.post(url, json=request, headers=HEADERS)
            for content in broken(url):
                found.service.post(url, content=content, headers=HEADERS)
            found.service.post(f"/cds-services/{NAME}?token={TOKEN}", headers=HEADERS)
    assert len(found.named("call")) > 100
    assert len(found.named("query")) > 50
    assert_none_is_in(found)


def test_no_canary_of_a_fhir_server_is_in_a_span() -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "diagnostics": NOTE}]}
    answers = {
        "reason": reply(b"{}", f"503 {CANARY}"),
        "odd": reply(b"{}", f"599 {CANARY}"),
        "outcome": reply(json.dumps(outcome).encode(), "403 Forbidden"),
        "moved": reply(b"", "302 Found", Location=f"http://{CANARY}.example/{RECORD}"),
        "encoded": reply(b"x", Content_Encoding=CANARY),
        "text": reply(NAME.encode(), kind=CANARY),
        "garbage": f"{CANARY} {CANARY}\r\n\r\n".encode(),
    }
    with fhir_server() as faults, collecting(deadline_seconds=0.5) as found:
        for fault, answer in answers.items():
            faults.answers[fault] = lambda _, answer=answer: answer
            for kind in ("Condition", "Observation", "Patient"):
                request = unread(faults.base(fault, kind))
                request["fhirAuthorization"] = {"access_token": TOKEN, "scope": f"user/*.read {CANARY}"}
                found.service.post(PATIENT_VIEW, json=request, headers=HEADERS)
    outcomes = {attributes(span).get("tandem.query.outcome") for span in found.named("query")}
    assert {"answered", "redirect refused", "unknown or damaged compression", "connection failed"} <= outcomes
    assert_none_is_in(found)
