"""Calls as spans: what is sent of them, what is passed on, and what no caller can bring about."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode

from cds_hooks.application.app import create_app
from cds_hooks.hooks.service import HookService
from cds_hooks.settings.settings import Settings
from cds_hooks.telemetry import export, logs
from cds_hooks.telemetry.spans import ATTRIBUTES, NAMES, Piece, kept
from fhir_plugin.errors import BadInput, MissingExtra
from fhir_plugin.extras import TELEMETRY
from tests.support.conformance.ehr import fhir_server, unread
from tests.support.hooks.calls import (
    DAY,
    KETAMINE,
    ORDER_SIGN,
    PATIENT_VIEW,
    body,
    knowledge,
    order,
    patient_id,
)
from tests.support.operation.collected import (
    PATIENT,
    SAMPLED,
    TRACE,
    attributes,
    collecting,
    parent_of,
    request_line,
)
from tests.support.trust.signing import bearer, claims, header, recorded, signed
from tests.support.trust.signing import client as ehr


@pytest.fixture(autouse=True)
def _as_served() -> None:
    logs.configure("info", "json")


def test_a_call_is_a_span_with_its_steps_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    with collecting() as found:
        found.sign()
    logged = request_line(capsys.readouterr().err)
    (call,) = found.named("call")
    assert attributes(call) == {
        "tandem.correlation": logged["correlation"],
        "tandem.service": "combination-therapy-order-sign",
        "tandem.hook": "order-sign",
        "tandem.cards": logged["cards"],
        "tandem.quiet": 0,
        "tandem.knowledge": knowledge().digest[:12],
        "http.response.status_code": 200,
    }
    assert logged["cards"] > 0
    assert logged["trace"] == f"{call.context.trace_id:032x}"
    assert call.kind is SpanKind.SERVER
    steps = sorted((span for span in found.spans if span is not call), key=lambda span: span.start_time or 0)
    assert [span.name for span in steps] == ["drafts", "gather", "facts", "assess", "recommend", "cards"]
    assert {parent_of(span, found.spans) for span in steps} == {"call"}
    moments = [moment for span in steps for moment in (span.start_time or 0, span.end_time or 0)]
    assert moments == sorted(moments)
    assert call.start_time is not None
    assert call.end_time is not None
    assert call.start_time < moments[0] < moments[-1] < call.end_time


def test_the_span_names_the_client_and_its_mode_or_why_it_was_refused() -> None:
    east = ehr("east", "ec-1", mode="silent")
    with collecting(clients=(east,), replay_store=recorded()) as found:
        request = json.dumps(body(ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT)))
        for headers in (bearer(signed(header(), claims(iss=east.issuer))), {}):
            found.service.post(ORDER_SIGN, content=request, headers=headers)
    answered, refused = (attributes(span) for span in found.named("call"))
    assert (answered["http.response.status_code"], answered["tandem.cards"] > 0) == (200, True)
    assert (answered["tandem.client"], answered["tandem.mode"]) == ("east", "silent")
    assert (refused["http.response.status_code"], refused["tandem.reason"]) == (401, "no-token")
    assert "tandem.service" not in refused


def test_each_query_is_a_span_below_the_step_that_waits_for_it() -> None:
    with fhir_server() as faults:
        faults.answers["slow"] = lambda request: b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
        with collecting() as found:
            found.service.post(PATIENT_VIEW, json=unread(faults.base("slow", "Observation")))
    queries = {attributes(span)["tandem.query.input"]: span for span in found.named("query")}
    assert {parent_of(span, found.spans) for span in queries.values()} == {"gather"}
    assert attributes(queries["conditions"]) == {
        "tandem.query.input": "conditions",
        "tandem.query.resource_type": "Condition",
        "tandem.query.outcome": "answered",
        "tandem.query.count": 1,
        "http.response.status_code": 200,
    }
    assert attributes(queries["observations"])["http.response.status_code"] == 503
    assert queries["conditions"].kind is SpanKind.CLIENT
    assert attributes(queries["medications"])["tandem.query.resource_type"] == "Medication"


def test_a_drug_that_a_draft_only_refers_to_is_a_query_too() -> None:
    reference = {"reference": "Medication/m1"}
    draft = order(KETAMINE, PATIENT, medicationReference=reference)
    del draft["medicationCodeableConcept"]
    with fhir_server() as faults, collecting() as found:
        found.service.post(ORDER_SIGN, json=body(ORDER_SIGN, PATIENT, draft, fhirServer=faults.base()))
    (query,) = found.named("query")
    assert attributes(query)["tandem.query.input"] == "medications"
    assert parent_of(query, found.spans) == "drafts"
    assert faults.requests
    assert {request.headers["traceparent"][3:35] for request in faults.requests} == found.trace_ids


def test_what_is_no_call_is_no_span(capsys: pytest.CaptureFixture[str]) -> None:
    with collecting() as found:
        for path in ("/healthz", "/readyz", "/metrics", "/cds-services"):
            found.service.get(path, headers={"traceparent": SAMPLED})
        found.service.post(f"{ORDER_SIGN}/feedback", json={"feedback": []})
    assert found.spans == ()
    assert '"trace"' not in capsys.readouterr().err


def test_a_call_of_the_sandbox_is_a_span_and_its_page_shows_the_steps() -> None:
    form = {"source": "demo", "patient": "partial-response-to-tms", "hook": "patient-view", "order": "none"}
    with collecting(sandbox=True) as found:
        page = found.service.post("/sandbox", data=form, headers={"Sec-Fetch-Site": "same-origin"})
    (call,) = found.named("call")
    assert page.status_code == 200
    assert "recommend" in page.text
    assert attributes(call)["tandem.cards"] > 0
    assert found.named("recommend")


def test_a_fault_is_an_error_without_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: Any, **__: Any) -> None:
        raise ValueError("Canary Person 4711")

    monkeypatch.setattr(HookService, "answer", fails)
    with collecting() as found, pytest.raises(ValueError, match="Canary"):
        found.sign()
    (call,) = found.named("call")
    assert call.status.status_code is StatusCode.ERROR
    assert call.status.description is None
    assert call.events == ()
    assert "Canary" not in call.to_json()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("patient", "p1"),
        ("tandem.patient", "p1"),
        ("tandem.service", "Canary Person"),
        ("tandem.cards", "3"),
        ("tandem.cards", True),
        ("tandem.cards", None),
        ("tandem.query.input", "canary"),
        ("tandem.query.resource_type", "Canary"),
        ("tandem.query.outcome", "200 http://127.0.0.1/fhir"),
        ("tandem.correlation", "0" * 31),
        ("http.response.status_code", "200"),
    ],
)
def test_an_attribute_off_the_list_or_out_of_shape_is_not_sent(name: str, value: object) -> None:
    assert kept({name: value}) == {}


def test_a_span_or_an_attribute_off_the_list_is_not_sent() -> None:
    found = Collector()
    spans = export.SpanExport(found, 1)
    span = spans.begin([], 1)
    other = {"patient": "p1", "tandem.cards": 2}
    span.end(other, [Piece("canary", 1, 2), Piece("facts", 2, 3, other)], 4, failed=False)
    spans._provider.shutdown()
    assert [(each.name, attributes(each)) for each in found.spans] == [
        ("facts", {"tandem.cards": 2}),
        ("call", {"tandem.cards": 2}),
    ]


class Collector(SpanExporter):
    """Keeps spans, and fails as often as it is told."""

    def __init__(self, *outcomes: bool | Exception) -> None:
        self.spans: list[ReadableSpan] = []
        self._outcomes = list(outcomes)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        outcome = self._outcomes.pop(0) if self._outcomes else True
        if isinstance(outcome, Exception):
            raise outcome
        self.spans += spans
        return SpanExportResult.SUCCESS if outcome else SpanExportResult.FAILURE


def test_a_collector_that_is_away_is_said_once_and_once_when_it_is_back(capsys: pytest.CaptureFixture[str]) -> None:
    exporter = export._Exporter(Collector(True, False, ValueError("Canary"), False, True, True, False))
    for _ in range(7):
        exporter.export([])
    said = [json.loads(each) for each in capsys.readouterr().err.splitlines()]
    assert [(each["level"], each["event"]) for each in said] == [
        ("warning", "spans cannot be sent"),
        ("info", "spans are sent again"),
        ("warning", "spans cannot be sent"),
    ]
    assert {*said[0]} == {"event", "level", "timestamp"}


class Hanging(SpanExporter):
    """A collector that answers when it is let go."""

    def __init__(self) -> None:
        self.entered, self.go, self.count = threading.Event(), threading.Event(), 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.entered.set()
        self.go.wait(30)
        self.count += len(spans)
        return SpanExportResult.SUCCESS


def test_a_collector_that_hangs_holds_up_neither_a_call_nor_the_stop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hanging = Hanging()
    monkeypatch.setattr(export, "STOP_SECONDS", 0.05)
    with collecting(exporter=hanging) as found:
        for _ in range(export.BATCH // 7 + 2):
            found.sign()
        assert hanging.entered.wait(30)
        found.sign()
    assert hanging.count == 0
    hanging.go.set()
    assert '"spans were not sent before the stop"' in capsys.readouterr().err


def test_what_waits_for_a_collector_is_bounded_and_the_oldest_makes_room() -> None:
    hanging = Hanging()
    spans = export.SpanExport(hanging, 1)
    for moment in range(2 * export.QUEUE):
        spans.begin([], moment).end({}, (), moment, failed=False)
    hanging.go.set()
    spans._provider.shutdown()
    assert export.QUEUE <= hanging.count <= export.QUEUE + export.BATCH


def test_variables_choose_neither_the_sampler_nor_what_is_attached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    monkeypatch.setenv("OTEL_PROPAGATORS", "baggage")
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "process,host,os")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "tandem-east")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    with collecting() as found:
        found.sign(traceparent=SAMPLED)
    assert found.trace_ids == {TRACE}
    resource = dict(found.spans[0].resource.attributes)
    assert resource.pop("service.name") == "tandem-east"
    assert resource.pop("deployment.environment.name") == "test"
    assert resource.keys() == {"service.version", "service.instance.id"}


def test_the_switch_that_all_programs_share_turns_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with collecting() as found:
        found.sign()
        found.sign(traceparent=SAMPLED)
    assert found.spans == ()


def test_the_exporter_takes_its_headers_from_the_environment_and_neither_address_nor_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://elsewhere.example")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20secret")
    made: Any = export.otlp("http://127.0.0.1:4318")
    assert made._endpoint == "http://127.0.0.1:4318/v1/traces"
    assert made._client._headers["authorization"] == "Bearer secret"
    assert made._client._transport._session.trust_env is False


@pytest.mark.parametrize(
    "url",
    [
        "collector.example:4318",
        "grpc://collector.example:4317",
        "http://user:secret@collector.example",
        "http://collector.example/?key=1",
        "http://collector.example/#x",
        "http://",
        "http://a b",
        "http://a:port",
    ],
)
def test_an_address_that_is_no_collector_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="telemetry"):
        Settings(telemetry=url)


def test_an_address_is_kept_without_its_last_slash() -> None:
    assert Settings(telemetry="http://collector.example:4318/otlp/").telemetry == "http://collector.example:4318/otlp"


@pytest.mark.parametrize("module", TELEMETRY.modules)
def test_without_the_packages_the_start_says_what_to_install(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # type: ignore[arg-type]
    with pytest.raises(MissingExtra, match=r"tandem-cds\[telemetry\]") as raised:
        create_app(Settings(database="off", telemetry="http://127.0.0.1:9"), knowledge(), today=lambda: DAY)
    assert isinstance(raised.value, BadInput)


def test_the_lists_are_closed_and_hold_what_is_sent() -> None:
    with fhir_server() as faults, collecting() as found:
        found.service.post(PATIENT_VIEW, json=unread(faults.base()))
        found.sign()
    assert {span.name for span in found.spans} == NAMES
    assert {name for span in found.spans for name in attributes(span)} <= ATTRIBUTES.keys()
    assert all(patient_id(PATIENT) not in span.to_json() for span in found.spans)
