"""Calls as spans, for a collector: made from the log line and the trace of a call after its answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from starlette.types import Scope

from cds_hooks.protocol.clock import nanoseconds
from cds_hooks.protocol.trace import SCOPE, Trace
from cds_hooks.telemetry.spans import QUERY, RESOURCE_TYPES, Piece
from fhir_plugin.extras import TELEMETRY
from fhir_plugin.record.record import Query
from mappings.schema.load import Knowledge

if TYPE_CHECKING:
    from cds_hooks.telemetry.export import CallSpan, SpanExport

_CALL_PATH = re.compile(r"/cds-services/[^/]+")
_SERVER_FAULT = 500
_OF_LINE = ("correlation", "service", "mode", "cards", "quiet", "outside", "reason", "knowledge")
"""Fields of the log line that are attributes under the same name."""
_OUTCOME = re.compile(r"(?P<status>[0-9]{3})? ?(?P<words>.*?)(, [0-9]+ pages)?")
_NANOSECONDS = 1_000_000_000


class CallTracing:
    """The spans of the calls that one process answers; other requests have none."""

    def __init__(self, collector: str, ratio: float, knowledge: Knowledge) -> None:
        """:class:`MissingExtra` where the packages are not installed. Nothing is sent before :meth:`start`."""
        TELEMETRY.require()
        self._collector, self._ratio = collector, ratio
        self._hooks = {service.id: service.hook for service in knowledge.services.services}
        self._export: SpanExport | None = None

    def start(self) -> None:
        """Make the queue, and the thread that sends; both belong to this process."""
        from cds_hooks.telemetry import export

        self._export = export.SpanExport(export.otlp(self._collector), self._ratio)

    async def aclose(self) -> None:
        """Send what is queued, as far as that is possible within a few seconds."""
        if self._export is not None:
            await self._export.aclose()

    def begin(self, scope: Scope, fields: dict[str, Any]) -> TracedCall | None:
        """The call that a request makes, whose id goes into the ``fields`` of the log line; ``None`` for any other."""
        if self._export is None or scope["method"] != "POST" or not _CALL_PATH.fullmatch(scope["path"]):
            return None
        begun = nanoseconds()
        span = self._export.begin(scope["headers"], begun)
        trace: Trace = scope.setdefault(SCOPE, Trace())
        trace.headers = span.headers
        fields["trace"] = span.trace_id
        return TracedCall(span, trace, self._hooks)


class TracedCall:
    """One call that is being answered."""

    def __init__(self, span: CallSpan, trace: Trace, hooks: Mapping[str, str]) -> None:
        self._span, self._trace, self._hooks = span, trace, hooks

    def end(self, status: int, fields: Mapping[str, Any]) -> None:
        """Hand the spans over; ``fields`` are those of the log line."""
        if not self._span.recorded:
            return
        attributes = {f"tandem.{name}": fields[name] for name in _OF_LINE if name in fields}
        attributes |= {
            "tandem.client": fields.get("tenant"),
            "tandem.hook": self._hooks.get(fields.get("service", "")),
            "http.response.status_code": status,
        }
        self._span.end(attributes, _pieces(self._trace), nanoseconds(), failed=status >= _SERVER_FAULT)


def _pieces(trace: Trace) -> Iterator[Piece]:
    """The steps of a call, one after the other, each with the queries that began in it."""
    queries = sorted(map(_query, trace.queries), key=lambda each: each.begin)
    end = trace.begun
    moment = _moments(trace.clock)
    for step in trace.steps:
        begin, end = end, end + step.milliseconds / 1000
        first, last = moment(begin), moment(end)
        inside = [each for each in queries if each.begin < last]
        queries = queries[len(inside) :]
        yield Piece(step.name, first, last, inside=tuple(inside))
    yield from queries


def _query(query: Query) -> Piece:
    found = _OUTCOME.fullmatch(query.outcome)
    status, words = (found["status"], found["words"]) if found else (None, "")
    attributes = {
        "tandem.query.input": query.input,
        "tandem.query.resource_type": RESOURCE_TYPES.get(query.input),
        "tandem.query.outcome": words or "answered",
        "tandem.query.count": query.count,
        "http.response.status_code": int(status) if status else None,
    }
    moment = _moments(monotonic)
    return Piece(QUERY, moment(query.begun), moment(query.begun + query.milliseconds / 1000), attributes)


def _moments(clock: Callable[[], float]) -> Callable[[float], int]:
    """What turns a reading of a monotonic clock into nanoseconds since 1970."""
    zero = nanoseconds() - int(clock() * _NANOSECONDS)
    return lambda reading: zero + int(reading * _NANOSECONDS)
