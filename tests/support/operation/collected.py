"""A service in this process that sends its spans to a list instead of a collector."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.settings.settings import Settings
from cds_hooks.telemetry import export
from tests.support.hooks.calls import DAY, KETAMINE, ORDER_SIGN, body, knowledge, order

PATIENT = "uncontrolled-hypertension"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{PARENT}-01"

NOWHERE = "http://127.0.0.1:9"
"""A collector that is never reached."""


@dataclass
class Collected:
    """The service, and what it sent by its end."""

    service: TestClient
    exporter: InMemorySpanExporter

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """Everything that was sent."""
        return self.exporter.get_finished_spans()

    @property
    def trace_ids(self) -> set[str]:
        """The traces that the spans belong to."""
        return {f"{span.context.trace_id:032x}" for span in self.spans}

    def sign(self, **headers: str) -> None:
        """Have one call answered, with these headers."""
        request = body(ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
        assert self.service.post(ORDER_SIGN, json=request, headers=headers).status_code == 200

    def named(self, name: str) -> list[ReadableSpan]:
        """The spans of that name, in the order of their begins."""
        found = [span for span in self.spans if span.name == name]
        return sorted(found, key=lambda span: span.start_time or 0)


@contextmanager
def collecting(exporter: SpanExporter | None = None, **settings: Any) -> Iterator[Collected]:
    """The service; its spans have all been sent when the block ends, to another ``exporter`` if there is one."""
    kept = InMemorySpanExporter()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(export, "otlp", lambda _url: exporter or kept)
        made = Settings(**{"database": "off", "telemetry": NOWHERE, **settings})
        with TestClient(create_app(made, knowledge(), today=lambda: DAY)) as service:
            yield Collected(service, kept)


def attributes(span: ReadableSpan) -> Mapping[str, Any]:
    """The attributes of a span."""
    return span.attributes or {}


def parent_of(span: ReadableSpan, spans: Iterable[ReadableSpan]) -> str | None:
    """The name of the span that this one is part of, if that was sent."""
    return next((each.name for each in spans if span.parent and each.context.span_id == span.parent.span_id), None)


def request_line(said: str) -> dict[str, Any]:
    """The only line of a request in the log."""
    (found,) = [json.loads(each) for each in said.splitlines() if '"event":"request"' in each]
    return dict(found)
