"""``POST /cds-services/{id}/feedback``: acknowledged only after it is committed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cds_hooks.memory.memory import Memory
from cds_hooks.memory.store import KeepResult
from cds_hooks.memory.wire import read_feedback
from cds_hooks.protocol.errors import StoreUnavailable
from cds_hooks.protocol.outcomes import FHIR_JSON, outcome
from cds_hooks.telemetry.logs import add_log_fields
from mappings.schema.service.services import ServiceDefinition

RETRY_SECONDS = 5
_PROBLEMS: Mapping[KeepResult, str] = {
    "unknown": "is not a card that this service has shown and still remembers",
    "too many": "has received feedback too often; no more is kept",
}
_SUCCESSES: frozenset[KeepResult] = frozenset({"kept", "known"})


class FeedbackRoute:
    """Accepts feedback on the cards of one service."""

    def __init__(
        self, memory: Memory, count: Callable[[str, str, str], None], read_body: Callable[[Request], Awaitable[bytes]]
    ) -> None:
        self._memory, self._count, self._read_body = memory, count, read_body

    async def answer(self, request: Request, service: ServiceDefinition, tenant: str = "") -> Response:
        """200, with a warning for each item that is not kept: what is not known here does not become known by a retry.

        422 if no more is kept of any.

        :raises BadRequest: the body cannot be used; nothing of it is kept.
        """
        items = read_feedback(await self._read_body(request))
        try:
            results = await self._memory.keep(items, service, tenant)
        except StoreUnavailable as fault:
            state = "busy" if self._memory.state == "open" else self._memory.state
            add_log_fields(reason=f"database.{self._memory.cause or state.replace(' ', '-')}")
            return outcome(503, "transient", str(fault), headers={"Retry-After": str(RETRY_SECONDS)})
        add_log_fields(count=results.count("kept"))
        if unknown := results.count("unknown"):
            add_log_fields(unknown=unknown)
        for item, result in zip(items, results, strict=True):
            if result == "kept":
                self._count(service.id, item.outcome, self._memory.reason(item.reason, item.comment))
        return _answer(results)


def _answer(results: Sequence[KeepResult]) -> Response:
    problems = [
        f"/feedback/{place}/card: {_PROBLEMS[result]}"
        for place, result in enumerate(results)
        if result not in _SUCCESSES
    ]
    if not problems:
        return Response(status_code=200)
    if all(result == "too many" for result in results):
        return outcome(422, "processing", *problems)
    issues = [{"severity": "warning", "code": "not-found", "diagnostics": problem} for problem in problems]
    body = msgspec.json.encode({"resourceType": "OperationOutcome", "issue": issues})
    return Response(body, media_type=FHIR_JSON)
