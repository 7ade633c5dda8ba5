"""The key set of a client, from a file or an address; reloaded at a limited rate when a key is unknown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from cds_hooks.clients.keys import KeySet, PublicKey, read_key_set
from cds_hooks.settings.clients import Client
from cds_hooks.settings.mistakes import WrongSetting
from cds_hooks.telemetry.logs import log
from fhir_plugin.errors import BadInput
from fhir_plugin.reading.client import FhirServers as Connections

REFETCH_SECONDS = 30.0
"""The minimum time between two attempts to read a key set, whatever keys are requested."""
FRESH_SECONDS = 3_600.0
"""The age at which a key set is read again although the key is known, so that withdrawn keys are dropped."""
KEPT_SECONDS = 86_400.0
"""How long cached keys are used while the key set cannot be read."""
MOST_BYTES = 200_000
FETCH_SECONDS = 3.0


class KeySource:
    """The cached key set of one client; belongs to one event loop."""

    def __init__(
        self,
        client: str,
        load: Callable[[], Awaitable[KeySet]],
        first: KeySet | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """``load`` returns the key set or raises BadInput; ``first`` is the key set read at start-up."""
        self._client = client
        self._load = load
        self._now = now
        self._keys = first
        self._read_at = self._tried_at = now() if first else float("-inf")
        self._reading = asyncio.Lock()

    async def find(self, kid: str | None, algorithm: str) -> PublicKey | None:
        """The key for one token; reloads the key set when it is old or lacks the key, one call at a time."""
        key = self._cached_key(kid, algorithm)
        if key is not None and (self._age < FRESH_SECONDS or self._reading.locked()):
            return key
        async with self._reading:
            if self._now() - self._tried_at >= REFETCH_SECONDS:
                await self._read()
        return self._cached_key(kid, algorithm)

    @property
    def _age(self) -> float:
        return self._now() - self._read_at

    def _cached_key(self, kid: str | None, algorithm: str) -> PublicKey | None:
        return self._keys.find(kid, algorithm) if self._keys and self._age < KEPT_SECONDS else None

    async def _read(self) -> None:
        self._tried_at = self._now()
        try:
            self._keys = await self._load()
        except BadInput:
            log.warning("key set cannot be read", tenant=self._client)
            return
        self._read_at = self._now()


def key_source(client: Client, connections: Connections) -> KeySource:
    """The keys of a client. A file is read immediately (BadInput if it is faulty), an address when first needed."""
    if client.key_set_is_remote:
        return KeySource(client.name, lambda: key_set_of_address(client, connections))

    async def again() -> KeySet:
        return key_set_of_file(client)

    return KeySource(client.name, again, key_set_of_file(client))


def key_set_of_file(client: Client) -> KeySet:
    """The key set in the client's file; :class:`BadInput` says what is wrong with it."""
    try:
        return read_key_set(client.key_set_file.read_bytes())
    except OSError as fault:
        raise WrongSetting(f"clients.{client.name}.key_set", f"cannot be read: {fault.strerror}") from fault
    except (BadInput, ValueError) as fault:
        raise WrongSetting(f"clients.{client.name}.key_set", str(fault)) from fault


async def key_set_of_address(client: Client, connections: Connections) -> KeySet:
    """The key set at the client's address; :class:`BadInput` says what is wrong with it."""
    answer = await connections.fetch(client.key_set, MOST_BYTES, FETCH_SECONDS)
    if answer.body is None:
        raise WrongSetting(f"clients.{client.name}.key_set", answer.outcome)
    try:
        return read_key_set(answer.body)
    except BadInput as fault:
        raise WrongSetting(f"clients.{client.name}.key_set", str(fault)) from fault
