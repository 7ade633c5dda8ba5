"""The CDS services on offer, as data: ids, hooks and descriptions."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mappings.schema.base.entries import Entry, KnowledgeError, Reviewed
from mappings.schema.base.files import KNOWLEDGE, read_yaml

Hook = Literal["order-select", "order-sign", "patient-view", "encounter-start"]


class ServiceDefinition(Entry):
    """One CDS service."""

    id: str
    hook: Hook
    title: str
    speaks: Literal["order", "patient", "session"]
    """What triggers its cards: an order among the drafts, the patient's record, or a session about to start."""
    description: str


class ServicesFile(Reviewed):
    """``services.yaml``."""

    protocol: str
    """The protocol that is applied unless a site chooses another."""
    services: tuple[ServiceDefinition, ...]
    usage_requirements: str


def load_services(folder: Path = KNOWLEDGE) -> ServicesFile:
    """The services; :class:`KnowledgeError` for a duplicate id."""
    content = read_yaml(folder / "services.yaml", ServicesFile)
    ids = [service.id for service in content.services]
    for service_id in ids:
        if ids.count(service_id) > 1:
            raise KnowledgeError(f"services.yaml: services: id {service_id} is listed twice")
    return content
