"""Background services of the application, and the endpoints ``/healthz``, ``/readyz`` and ``/metrics``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cds_hooks.memory.memory import Memory
from cds_hooks.operation.canaries import Canaries
from cds_hooks.operation.load import Load
from cds_hooks.operation.metrics import CONTENT_TYPE, Metrics
from cds_hooks.operation.probes import HEALTH, METRICS, READINESS
from cds_hooks.settings.settings import Settings
from fhir_plugin.reading.client import FhirServers
from mappings.schema.load import Knowledge


class Operation:
    """The memory of cards, the canaries, the load and the metrics of one application."""

    def __init__(
        self, settings: Settings, knowledge: Knowledge, clients: FhirServers, today: Callable[[], date]
    ) -> None:
        self.memory = Memory(settings, knowledge)
        self.canaries = Canaries(knowledge, today)
        self.load = Load(settings)
        self.metrics = Metrics(knowledge, self.memory, clients, self.canaries, self.load)
        self._knowledge, self._clients = knowledge, clients

    async def start(self) -> None:
        """Start the background services, before the first call.

        :raises BadInput: the key of the database is missing or damaged.
        """
        await self.memory.start()
        await self.canaries.start()

    async def aclose(self) -> None:
        """Stop the background services, after the last call."""
        await self.canaries.aclose()
        await self.memory.aclose()

    @property
    def routes(self) -> list[Route]:
        """The routes; they need no authorization, so they reveal nothing confidential."""
        return [Route(HEALTH, self.health), Route(READINESS, self.ready), Route(METRICS, self.measured)]

    async def health(self, _: Request) -> Response:
        """Liveness: the process answers; with the digest of its knowledge."""
        return JSONResponse({"status": "ok", "knowledge": self._knowledge.digest})

    async def ready(self, _: Request) -> Response:
        """Ready whatever the state of the database and FHIR servers, but not where a safety criterion is silent."""
        safe, clients = self.canaries.safe, self._clients
        body = {
            "status": "ready" if safe else "a danger may go unseen",
            "knowledge": self._knowledge.digest,
            "canaries": self.canaries.state,
            "database": self.memory.state,
            "fhir_servers": len(clients),
            "fhir_servers_resting": clients.resting,
        }
        return JSONResponse(body, 200 if safe else 503)

    async def measured(self, _: Request) -> Response:
        """Counts and times, for Prometheus."""
        return Response(self.metrics.exposition(), media_type=CONTENT_TYPE)
