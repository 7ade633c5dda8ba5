"""Background services of the application, and the endpoints ``/healthz``, ``/readyz`` and ``/metrics``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cds_hooks.clients.admission import Admission
from cds_hooks.clients.knowledge_in_use import KnowledgeInUse
from cds_hooks.memory.memory import Memory
from cds_hooks.operation.canaries import Canaries
from cds_hooks.operation.load import Load
from cds_hooks.operation.metrics import CONTENT_TYPE, CurrentState, Metrics
from cds_hooks.operation.peers import Peers
from cds_hooks.operation.probes import HEALTH, METRICS, READINESS
from cds_hooks.operation.tracing import CallTracing
from cds_hooks.operation.workers import WorkerPlace
from cds_hooks.replay.shadow import ShadowQueue
from cds_hooks.settings.database import OFF
from cds_hooks.settings.settings import Settings
from cds_hooks.telemetry.logs import add_log_fields
from fhir_plugin.reading.client import FhirServers

_TRY_SECONDS = 0.05
"""How long a probe waits to hear whether the replay store works; after that it reports what was last known."""
_CLOSED = ("away", "new")
"""States of the replay store in which no caller can be let in."""


class Operation:
    """The memory of cards, the canaries, the load, the shadows and the metrics of one application."""

    def __init__(
        self,
        settings: Settings,
        knowledge: KnowledgeInUse,
        clients: FhirServers,
        today: Callable[[], date],
        admission: Admission | None = None,
        place: WorkerPlace | None = None,
    ) -> None:
        """``admission`` is there where callers are authenticated, ``place`` where there are several workers."""
        replays = admission.replays if admission else None
        self.memory = Memory(settings, knowledge.common, knowledge.others)
        self.canaries = Canaries(knowledge.distinct, today)
        self.load = Load(settings)
        self.shadows = ShadowQueue(self.load.turns)
        names = [client.name for client in settings.clients]
        state = CurrentState(knowledge, self.memory, clients, self.canaries, self.load, admission, self.shadows, names)
        self.metrics = Metrics(state, today)
        self._peers = Peers(place, self.metrics.families) if place else None
        self.tracing = None
        if settings.telemetry:
            self.tracing = CallTracing(settings.telemetry, settings.telemetry_ratio, knowledge.common)
        self._knowledge, self._clients, self._admission, self._replays = knowledge, clients, admission, replays
        self._trial: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the background services, before the first call.

        :raises BadInput: the key of the database is missing or damaged.
        """
        if self.tracing:
            self.tracing.start()
        await self.memory.start()
        await self.canaries.start()
        if self._peers:
            await self._peers.start()

    async def aclose(self) -> None:
        """Stop the background services, after the last call."""
        if self._peers:
            await self._peers.aclose()
        await self.shadows.aclose()
        await self.canaries.aclose()
        await self.memory.aclose()
        if self.tracing:
            await self.tracing.aclose()

    @property
    def routes(self) -> list[Route]:
        """The routes; they need no authorization, so they reveal nothing confidential."""
        return [Route(HEALTH, self.health), Route(READINESS, self.ready), Route(METRICS, self.measured)]

    async def health(self, _: Request) -> Response:
        """Liveness: the process answers; with the digest of its knowledge."""
        return JSONResponse({"status": "ok", **self._digests})

    @property
    def _digests(self) -> dict[str, object]:
        """What decides; by client where some have knowledge of their own."""
        own = {"knowledge_of_clients": self._knowledge.digests} if self._knowledge.own else {}
        return {"knowledge": self._knowledge.common.digest, **own}

    async def ready(self, _: Request) -> Response:
        """Whether calls can be answered safely: 503 where a safety criterion is silent, or no caller can be let in.

        The database decides the word, ``ready`` or ``degraded``, and never the status: cards do not need it, and
        withholding them because feedback cannot be kept would do more harm.
        """
        safe, clients, replays = self.canaries.safe, self._clients, await self._replay_state()
        admits, whole = replays not in _CLOSED, self.memory.state in ("open", "starting", OFF) and replays != "full"
        body = {
            "status": _status(safe=safe, admits=admits, whole=whole),
            **self._digests,
            "canaries": self.canaries.state,
            "database": self.memory.state,
            "database_cause": self.memory.cause,
            "replay_store": replays,
            "fhir_servers": len(clients),
            "fhir_servers_resting": clients.resting,
        }
        if safe and admits:
            return JSONResponse(body)
        add_log_fields(reason=f"replays.{replays}" if safe else "canaries.silent")
        return JSONResponse(body, 503)

    async def _replay_state(self) -> str:
        """The state of the replay store, tried out now: where no call is sent here any more, none would find it mended.

        At most one trial runs at a time, and it is not waited for.
        """
        if self._admission is None or self._replays is None:
            return OFF
        if self._trial is None or self._trial.done():
            self._trial = asyncio.create_task(self._replays.try_out())
        await asyncio.wait({self._trial}, timeout=_TRY_SECONDS)
        state = self._replays.state
        return "new" if state == "open" and self._admission.wait_seconds else state

    async def measured(self, _: Request) -> Response:
        """Counts and times, for Prometheus: those of all workers."""
        counted = await self._peers.exposition() if self._peers else self.metrics.exposition()
        return Response(counted, media_type=CONTENT_TYPE)


def _status(*, safe: bool, admits: bool, whole: bool) -> str:
    if not safe:
        return "a danger may go unseen"
    if not admits:
        return "no caller can be let in"
    return "ready" if whole else "degraded"
