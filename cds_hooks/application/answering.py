"""What answers the calls of each client, and what is done once they are answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from starlette.background import BackgroundTask, BackgroundTasks

from cds_hooks.clients.knowledge_in_use import KnowledgeInUse
from cds_hooks.hooks.service import HookAnswer, HookService
from cds_hooks.operation.endpoints import Operation
from cds_hooks.protocol.requests import HookCall
from cds_hooks.replay.capture import Capture
from cds_hooks.replay.shadow import Shadow
from cds_hooks.settings.settings import Settings
from fhir_plugin.reading.client import FhirServers
from mappings.schema.service.services import ServiceDefinition


@dataclass(frozen=True, slots=True)
class Answering:
    """What answers the calls of a client."""

    hooks: HookService
    services: Mapping[str, ServiceDefinition]
    digest: str
    """The short digest of the knowledge."""
    capture: Capture
    shadow: Shadow | None

    def afterwards(
        self, call: HookCall, service: ServiceDefinition, answer: HookAnswer, as_of: date
    ) -> BackgroundTask | None:
        """What is done when the answer has been sent; ``None``: nothing."""
        kept = self.capture.task(call, answer, as_of)
        if self.shadow is None:
            return kept
        shadowed = self.shadow.task(call, service, answer, as_of)
        return BackgroundTasks((shadowed, kept)) if kept else shadowed


def answering_of(
    settings: Settings, knowledge: KnowledgeInUse, servers: FhirServers, operation: Operation
) -> dict[str, Answering]:
    """By the name of the client, where it differs from the others; the empty name is that of all others."""
    return {
        name: _answering(name, settings, knowledge, servers, operation)
        for name in ("", *{**knowledge.own, **knowledge.shadows})
    }


def _answering(
    name: str, settings: Settings, used: KnowledgeInUse, servers: FhirServers, operation: Operation
) -> Answering:
    knowledge, shadow = used.of(name), used.shadows.get(name)
    if name in used.own:
        settings = _apart(settings, name)
    return Answering(
        HookService(knowledge, settings, servers, observe=operation.metrics.reading),
        {service.id: service for service in knowledge.services.services},
        knowledge.short_digest,
        Capture(settings, knowledge),
        Shadow(operation.shadows, name, HookService(shadow, settings, servers), shadow.short_digest)
        if shadow
        else None,
    )


def _apart(settings: Settings, name: str) -> Settings:
    """The settings for a client with knowledge of its own.

    Its calls are kept in a folder of their own, because they are compared with other cards. Its cards do not lead to
    the app, which decides by the knowledge of the service and might say something else.
    """
    folder = settings.capture / name if settings.capture else None
    return settings.model_copy(update={"capture": folder, "smart": ()})
