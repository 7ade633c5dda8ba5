"""Spans on their way to a collector, over OTLP: the only module that imports OpenTelemetry, and only if it is set.

Spans are sent by a thread of their own from a bounded queue, in which the oldest makes room: a collector that is slow
or away costs spans, never time of a call. Nothing here is global, so no library can add spans of its own.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from cds_hooks.telemetry.logs import log
from cds_hooks.telemetry.spans import CALL, NAMES, QUERY, Piece, kept
from fhir_plugin.extras import DISTRIBUTION

QUEUE, BATCH = 2_048, 128
"""Spans that wait at most, and that are sent at a time: encoding few at a time leaves the processor to calls."""
_EVERY_MILLISECONDS = 2_000
STOP_SECONDS = 3.0
"""How long a process that stops takes at most to send what is queued."""
_PARENT, _STATE = "traceparent", "tracestate"
_W3C = TraceContextTextMapPropagator()


class SpanExport:
    """The spans of one process."""

    def __init__(self, exporter: SpanExporter, ratio: float) -> None:
        """``ratio`` is the share of the calls without a parent that are recorded; otherwise the parent decides."""
        # It would log each lost batch, each span that found the queue full and each header that is no good.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(ratio)),
            resource=_resource(),
            shutdown_on_exit=False,  # it would wait half a minute
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                _Exporter(exporter),
                max_queue_size=QUEUE,
                schedule_delay_millis=_EVERY_MILLISECONDS,
                max_export_batch_size=BATCH,
            )
        )
        self._tracer = self._provider.get_tracer(DISTRIBUTION)

    def begin(self, headers: Iterable[tuple[bytes, bytes]], at: int) -> CallSpan:
        """The span of a call that came with these headers."""
        parent, state = _parent(headers)
        span = self._tracer.start_span(CALL, context=parent, kind=SpanKind.SERVER, start_time=at)
        return CallSpan(self._tracer, span, state)

    async def aclose(self) -> None:
        """Send what is queued, within ``STOP_SECONDS``."""
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def send() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # nobody waits for it any more
                loop.call_soon_threadsafe(sent.set)

        # A daemon: the process does not wait for it either.
        threading.Thread(target=send, daemon=True).start()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await sent.wait()
        except TimeoutError:
            log.warning("spans were not sent before the stop")


class CallSpan:
    """The span of one call, from its begin to its end."""

    def __init__(self, tracer: Tracer, span: Span, state: str) -> None:
        """``state`` is the ``tracestate`` that came with the call. It is passed on; exported, it could say anything."""
        self._tracer, self._span = tracer, span
        context = span.get_span_context()
        self.trace_id = format_trace_id(context.trace_id) if context.is_valid else ""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, set_span_in_context(span, Context()))
        self.headers = (*carrier.items(), *([(_STATE, state)] if state else []))
        """For requests that are made for this call."""

    @property
    def recorded(self) -> bool:
        """Whether anything of it is sent."""
        return self._span.is_recording()

    def end(self, attributes: Mapping[str, Any], pieces: Iterable[Piece], at: int, *, failed: bool) -> None:
        """Hand the call over with its pieces; the sending is done elsewhere."""
        for piece in pieces:
            self._add(piece, self._span)
        self._span.set_attributes(kept(attributes))
        if failed:
            self._span.set_status(StatusCode.ERROR)
        self._span.end(at)

    def _add(self, piece: Piece, parent: Span) -> None:
        if piece.name not in NAMES:
            return
        span = self._tracer.start_span(
            piece.name,
            context=set_span_in_context(parent, Context()),
            kind=SpanKind.CLIENT if piece.name == QUERY else SpanKind.INTERNAL,
            attributes=kept(piece.attributes),
            start_time=piece.begin,
        )
        for each in piece.inside:
            self._add(each, span)
        span.end(piece.end)


class _Exporter(SpanExporter):
    """Says once that spans cannot be sent, and once that they can again; fails for no reason."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter, self._works = exporter, True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception:  # noqa: BLE001 - whatever it is, it concerns no call
            result = SpanExportResult.FAILURE
        works = result is SpanExportResult.SUCCESS
        if works and not self._works:
            log.info("spans are sent again")
        elif self._works and not works:
            log.warning("spans cannot be sent")
        self._works = works
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def otlp(url: str) -> SpanExporter:
    """The exporter to the collector at ``url``; no proxy of the environment and no ``.netrc`` is used."""
    session = requests.Session()
    session.trust_env = False
    return OTLPSpanExporter(f"{url}/v1/traces", session=session)


def _resource() -> Resource:
    """Which process a span is from; ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` take precedence."""
    own = {
        "service.name": DISTRIBUTION,
        "service.version": version(DISTRIBUTION),
        "service.instance.id": uuid.uuid4().hex,
    }
    return Resource(own).merge(OTELResourceDetector().detect())


def _parent(headers: Iterable[tuple[bytes, bytes]]) -> tuple[Context, str]:
    """The span that a call is part of, and the ``tracestate``; neither where the headers are not as W3C has them."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        if name in (b"traceparent", b"tracestate"):
            found.setdefault(name.decode(), []).append(value.decode("latin-1"))
    if len(found.get(_PARENT, ())) != 1:
        return Context(), ""
    named = get_current_span(_W3C.extract(found, Context())).get_span_context()
    if not named.is_valid:
        return Context(), ""
    bare = SpanContext(named.trace_id, named.span_id, is_remote=True, trace_flags=named.trace_flags)
    return set_span_in_context(NonRecordingSpan(bare), Context()), named.trace_state.to_header()
