"""Around every request: a correlation id, the time it took, and one line in the log."""

from __future__ import annotations

import uuid
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cds_hooks.memory.tally import LIVE
from cds_hooks.operation.metrics import Metrics
from cds_hooks.operation.tracing import CallTracing
from cds_hooks.protocol.clock import seconds
from cds_hooks.telemetry.logs import LogLine, log

CORRELATION_HEADER = "X-Correlation-Id"
_HEADER = CORRELATION_HEADER.lower().encode()
_SERVER_FAULT = 500
_CALL, _ANSWERED = "call", 200
_LOAD = "load."
"""The beginning of the reasons for which a call is not served although nothing is wrong."""
_PROBE_OPERATIONS = frozenset({"health", "ready", "measured"})
"""The endpoints of the probes. Polled every few seconds by monitoring: logged at level ``debug``."""


class RequestLogMiddleware:
    """The outermost layer of the application. A correlation id sent by the caller is ignored: it could be anything."""

    def __init__(self, app: ASGIApp, metrics: Metrics, tracing: CallTracing | None = None) -> None:
        """``tracing`` is there where calls are sent to a collector as spans."""
        self._app, self._metrics, self._tracing = app, metrics, tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request with ``X-Correlation-Id``, and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        correlation, begun = uuid.uuid4().hex, seconds()
        header = (_HEADER, correlation.encode())
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), header]}
            await send(message)

        with LogLine(correlation) as line:
            traced = self._tracing.begin(scope, line.fields) if self._tracing else None
            try:
                await self._app(scope, receive, answer)
            finally:
                operation, elapsed = getattr(scope.get("endpoint"), "__name__", "none"), seconds() - begun
                self._metrics.request(operation, status, elapsed)
                if operation == _CALL and status == _ANSWERED:
                    said = line.fields
                    self._metrics.call(said.get("tenant", ""), said.get("service", ""), said.get("mode", LIVE), elapsed)
                _log_request(operation, scope["method"], status, elapsed, line.fields)
                if traced:
                    traced.end(status, line.fields)


def _log_request(operation: str, method: str, status: int, elapsed: float, call_fields: dict[str, Any]) -> None:
    """``operation`` is the name of the endpoint function; ``status`` is 0 if the caller disconnected first."""
    fields = {**call_fields, "method": method, "operation": operation, "status": status, "ms": round(1000 * elapsed, 2)}
    if str(call_fields.get("reason", "")).startswith(_LOAD):
        log.warning("request", **fields)
    elif status >= _SERVER_FAULT:
        log.error("request", **fields)
    elif operation in _PROBE_OPERATIONS:
        log.debug("request", **fields)
    else:
        log.info("request", **fields)
