"""The two endpoints of every CDS service: a call, and the feedback on its cards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import date

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cds_hooks.application.answering import answering_of
from cds_hooks.clients.admission import Caller
from cds_hooks.clients.gate import caller_of
from cds_hooks.clients.knowledge_in_use import KnowledgeInUse
from cds_hooks.memory.routes import FeedbackRoute
from cds_hooks.operation.endpoints import Operation
from cds_hooks.protocol import turns
from cds_hooks.protocol.aside import is_large
from cds_hooks.protocol.errors import UnknownService
from cds_hooks.protocol.requests import read_call
from cds_hooks.protocol.responses import CardsResponse
from cds_hooks.protocol.trace import SCOPE, Trace
from cds_hooks.settings.settings import Settings
from cds_hooks.telemetry.logs import add_log_fields
from fhir_plugin.reading.client import FhirServers
from mappings.schema.service.services import ServiceDefinition

_CARDS = msgspec.json.Encoder()


class HookRoutes:
    """The routes below ``/cds-services/{service_id}``. The names of the endpoints are labels in the metrics."""

    def __init__(
        self,
        settings: Settings,
        knowledge: KnowledgeInUse,
        servers: FhirServers,
        operation: Operation,
        limited: Callable[[Request], Awaitable[bytes]],
        today: Callable[[], date],
    ) -> None:
        """``limited`` reads the body of a request, within the limits; ``today`` is called once per call."""
        own = answering_of(settings, knowledge, servers, operation)
        self._everybody, self._own = own.pop(""), own
        """What answers most clients, and what answers those that differ, by name."""
        self._memory = operation.memory
        self._feedback = FeedbackRoute(self._memory, operation.metrics.feedback, limited)
        self._services = self._everybody.services
        self._anybody = Caller("", "live", settings.readable)
        self._limited = limited
        self._today = today

    @property
    def routes(self) -> Iterator[BaseRoute]:
        """Feedback is offered only where it is kept."""
        yield Route("/cds-services/{service_id}", self.call, methods=["POST"])
        if self._memory.offered:
            yield Route("/cds-services/{service_id}/feedback", self.feedback, methods=["POST"])

    async def call(self, request: Request) -> Response:
        """Answer a call with cards."""
        caller = caller_of(request, self._anybody)
        # A client in mode off gets 404: a 200 without cards would suggest that nothing was found.
        by = self._own.get(caller.name, self._everybody)
        service = _service({} if caller.mode == "off" else by.services, request)
        add_log_fields(service=service.id, knowledge=by.digest)
        trace: Trace | None = request.scope.get(SCOPE)
        body = await self._limited(request)
        if trace:
            trace.begin()
        hook_call = read_call(body, service.hook)
        as_of = trace.as_of if trace and trace.as_of else self._today()
        turn = request.scope.get(turns.SCOPE, turns.no_turn)
        large = is_large(body, hook_call)
        answer = await by.hooks.answer(
            hook_call, service, as_of, caller.readable, trace, turn, large=large, asked_again=by.shadow is not None
        )
        if trace:
            trace.decision, trace.silence = answer.decision, answer.silence
        cards = self._memory.record_shown(hook_call, service, answer, as_of, caller.name, caller.mode, by.digest)
        add_log_fields(cards=len(cards), quiet=len(answer.cards) - len(cards), verdicts=answer.verdicts)
        if answer.silence:
            add_log_fields(outside=len(answer.silence))
        shown = cards if caller.mode == "live" else ()
        afterwards = by.afterwards(hook_call, service, answer, as_of)
        return Response(_CARDS.encode(CardsResponse(shown)), media_type="application/json", background=afterwards)

    async def feedback(self, request: Request) -> Response:
        """Keep the feedback on cards."""
        caller = caller_of(request, self._anybody)
        service = _service(self._services, request)
        add_log_fields(service=service.id)
        return await self._feedback.answer(request, service, caller.name)


def _service(services: Mapping[str, ServiceDefinition], request: Request) -> ServiceDefinition:
    """The service in the path of a request."""
    service = services.get(request.path_params["service_id"])
    if service is None:
        raise UnknownService("there is no CDS service with that id: see GET /cds-services")
    return service
