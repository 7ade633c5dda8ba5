"""What operators ask: ``/healthz``, ``/readyz`` and ``/metrics``. Nothing of anybody."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cds_hooks.memory.memory import Memory
from cds_hooks.metrics import CONTENT_TYPE, Metrics
from fhir_plugin.client import Clients
from mappings.load import Knowledge


def operation_routes(knowledge: Knowledge, memory: Memory, metrics: Metrics, clients: Clients) -> list[Route]:
    """The routes; they need no authorization, so they tell nothing that a neighbour must not know."""

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "knowledge": knowledge.digest})

    async def ready(_: Request) -> Response:
        """Calls can be answered once the knowledge is loaded, whatever became of the database and the FHIR servers."""
        states = {"database": memory.state, "fhir_servers": len(clients), "fhir_servers_resting": clients.resting}
        return JSONResponse({"status": "ready", "knowledge": knowledge.digest, **states})

    async def measured(_: Request) -> Response:
        return Response(metrics.written(), media_type=CONTENT_TYPE)

    return [Route("/healthz", health), Route("/readyz", ready), Route("/metrics", measured)]
