"""Which FHIR servers may be read on behalf of a caller.

A request names the FHIR server to read, so an attacker could name any address (a cloud metadata service, an internal
database). Only listed servers are read, and servers on loopback where that is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from msgspec import Raw

from fhir_plugin.errors import BadInput
from fhir_plugin.reading.addresses import is_loopback
from fhir_plugin.reading.urls import normal_base_url
from mappings.schema.service.servers import DEFAULT_HABITS, GENERIC, ServerHabits

_NULL = Raw(b"null")


@dataclass(frozen=True, slots=True)
class ReadableServers:
    """The FHIR servers that may be read: base URLs, as ``normal_base_url`` writes them."""

    servers: tuple[str, ...]
    loopback: bool = False
    """Whether servers on this machine may be read as well."""
    habits: ServerHabits = DEFAULT_HABITS
    """How these servers have to be queried."""
    null_is_none: bool = True
    """Whether ``null`` in the prefetch means that there is no data; otherwise it means nothing."""
    deadline: float | None = None
    """Seconds for all queries of a call together, where the client has a limit of its own."""
    profile: str = GENERIC
    """The kind of these servers."""
    client: str = ""
    """The name of the client for which they may be read; empty where the service is open."""

    @property
    def advice(self) -> str:
        """Where another server has to be listed, so that it may be read; never the address itself."""
        return f"it is not listed under fhir_servers{f' of the client {self.client}' if self.client else ''}"

    def supplied(self, prefetch: Mapping[str, Raw]) -> Mapping[str, Raw]:
        """The prefetch without the keys whose ``null`` carries no information: these count as missing."""
        if self.null_is_none:
            return prefetch
        return {key: value for key, value in prefetch.items() if value != _NULL}


def may_read(server: str, readable: ReadableServers) -> bool:
    """Whether the FHIR base URL ``server`` may be read: on the list, or on loopback where that is allowed."""
    try:
        base_url = normal_base_url(server)
    except BadInput:
        return False
    return base_url in readable.servers or (readable.loopback and is_loopback(urlsplit(base_url).hostname or ""))
