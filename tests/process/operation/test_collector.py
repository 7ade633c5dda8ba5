"""A process that sends its calls to a collector over OTLP/HTTP, and one whose collector is away."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.hooks.calls import KETAMINE, ORDER_SIGN, body, order, patient_id
from tests.support.operation.collector import collector

PATIENT = "uncontrolled-hypertension"
TRACE = "0af7651916cd43dd8448eb211c80319c"
SECONDS = 30


def call_and_stop(workers: int = 1, **environment: str) -> list[dict[str, Any]]:
    """The log of a service of which each process answers one call, and which is then asked to stop."""
    command = [sys.executable, "-m", "cds_hooks.cli.main", "serve", "--port", "0", "--workers", str(workers)]
    given = {**os.environ, "TANDEM_DATABASE": "off", "TANDEM_LOG_FORMAT": "json", **environment}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=given) as process:
        assert process.stdout is not None
        try:
            address = urlsplit(process.stdout.readline().split()[3]).netloc
            request = json.dumps(body(ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT)))
            with ExitStack() as open_connections:
                for _ in range(workers):  # each goes to the process with the fewest
                    connection = open_connections.enter_context(
                        closing(http.client.HTTPConnection(address, timeout=SECONDS))
                    )
                    connection.request("POST", ORDER_SIGN, request, {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
                    answer = connection.getresponse()
                    assert (answer.status, len(answer.read()) > 0) == (200, True)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    assert "Traceback" not in said
    return [json.loads(line) for line in said.splitlines()]


def test_what_is_queued_is_sent_before_the_process_ends() -> None:
    with collector() as running:
        told = call_and_stop(
            TANDEM_TELEMETRY=running.url,
            OTEL_EXPORTER_OTLP_HEADERS="x-key=secret",
            OTEL_EXPORTER_OTLP_COMPRESSION="none",
            HTTP_PROXY="http://127.0.0.1:9",
        )
        receipt = running.next()
    (logged,) = [line for line in told if line["event"] == "request"]
    assert receipt.path == "/v1/traces"
    assert receipt.headers["content-type"] == "application/x-protobuf"
    assert receipt.headers["x-key"] == "secret"
    (resource,) = receipt.message.resource_spans
    assert {each.key for each in resource.resource.attributes} == {
        "service.name",
        "service.version",
        "service.instance.id",
    }
    (scope,) = resource.scope_spans
    assert {span.name for span in scope.spans} == {
        "call",
        "drafts",
        "gather",
        "facts",
        "assess",
        "recommend",
        "cards",
    }
    assert {span.trace_id.hex() for span in scope.spans} == {TRACE} == {logged["trace"]}
    assert patient_id(PATIENT).encode() not in receipt.message.SerializeToString()


def test_each_of_several_processes_sends_its_own() -> None:
    with collector() as running:
        told = call_and_stop(2, TANDEM_TELEMETRY=running.url)
        receipts = [running.next(), running.next()]
    assert len([line for line in told if line["event"] == "request"]) == 2
    instances = {
        each.value.string_value
        for receipt in receipts
        for resource in receipt.message.resource_spans
        for each in resource.resource.attributes
        if each.key == "service.instance.id"
    }
    assert len(instances) == 2


def test_a_collector_that_is_away_costs_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    told = call_and_stop(TANDEM_TELEMETRY=f"http://127.0.0.1:{port}", OTEL_EXPORTER_OTLP_TIMEOUT="0.2")
    assert [line["event"] for line in told if line["event"].startswith("spans")] == ["spans cannot be sent"]
    assert {line.get("logger", "uvicorn.error") for line in told} == {"uvicorn.error"}


PROGRAM = """
import sys
from starlette.testclient import TestClient
from cds_hooks.application.app import create_app
from cds_hooks.settings.settings import Settings
from mappings.schema.load import load_knowledge
with TestClient(create_app(Settings(), load_knowledge())) as service:
    assert service.post("/cds-services/combination-therapy-patient-view", content=b"{}").status_code == 400
print(*sys.modules)
"""


@pytest.mark.parametrize("collector_url", ["", "http://127.0.0.1:9"])
def test_only_with_the_setting_the_packages_are_imported(collector_url: str) -> None:
    given = {**os.environ, "TANDEM_DATABASE": "off"} | ({"TANDEM_TELEMETRY": collector_url} if collector_url else {})
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60, env=given
    )
    loaded = {
        "cds_hooks.telemetry.export",
        "opentelemetry.sdk",
        "opentelemetry.exporter",
        "requests",
        "google.protobuf",
    }
    assert loaded & set(done.stdout.split()) == (loaded if collector_url else set())
