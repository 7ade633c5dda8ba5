"""Admission: the token of a call identifies its caller, or the call is refused."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from starlette.requests import Request

from cds_hooks.clients.key_sources import KeySource, key_source
from cds_hooks.clients.replays.file import FileReplayStore
from cds_hooks.clients.replays.store import MemoryReplayStore, ReplayStore
from cds_hooks.clients.shares import Share
from cds_hooks.clients.tokens import (
    LONGEST_TOKEN,
    RefusalReason,
    TokenRefused,
    UnverifiedToken,
    check_claims,
    check_recorded,
    client_of,
    read_token,
    verify,
)
from cds_hooks.protocol.files import state_folder
from cds_hooks.settings.clients import LONGEST_LEEWAY, Client, Mode
from cds_hooks.settings.database import database_url, is_file
from cds_hooks.settings.mistakes import WrongSetting
from cds_hooks.settings.readable import ReadableServers
from cds_hooks.settings.settings import Settings
from cds_hooks.telemetry.logs import log
from fhir_plugin.errors import BadInput
from fhir_plugin.extras import REDIS
from fhir_plugin.reading.client import FhirServers as Connections
from mappings.schema.service.servers import ServerProfile


@dataclass(frozen=True, slots=True)
class Caller:
    """The client on whose behalf a call is answered."""

    name: str
    mode: Mode
    readable: ReadableServers
    """The FHIR servers that may be read for it."""


class Admission:
    """Admits calls that a configured client has signed for this address, each token once."""

    def __init__(
        self,
        clients: Sequence[Client],
        connections: Connections,
        replays: ReplayStore,
        profiles: Mapping[str, ServerProfile],
        now: Callable[[], float] = time.time,
    ) -> None:
        """:class:`BadInput` names a client with an unknown profile or an unusable key set."""
        self.refused: Counter[tuple[str, str]] = Counter()
        """Calls whose tokens were refused, by the client that they claim to be from, and reason."""
        self._now = now
        self._replays = replays
        self._by_issuer: dict[str, list[Client]] = {}
        self._callers: dict[str, Caller] = {}
        self._keys: dict[str, KeySource] = {}
        for client in clients:
            self._by_issuer.setdefault(client.issuer, []).append(client)
            self._callers[client.name] = Caller(client.name, client.mode, readable_for(client, profiles))
            self._keys[client.name] = key_source(client, connections)
        self.shares = {client.name: Share(client) for client in clients}
        """By the name of the client."""
        self._least_leeway = min((client.leeway_seconds for client in clients), default=0)
        self._origins = {client.name: frozenset(client.allowed_origins) for client in clients}

    async def admit(self, request: Request) -> Caller:
        """The caller of a request.

        The call counts as one of its client until :meth:`leave`.

        :raises TokenRefused: with the reason for the log.
        :raises ShareExceeded: the client makes more calls than it may; its token stays unused.
        :raises ReplayStoreUnavailable: it cannot be determined whether the token was used before.
        """
        # Read once: a token that expires between two looks at the clock would be valid for one check and forgotten by
        # the other.
        moment = self._now()
        token = read_token(_bearer(request))
        client = client_of(token, self._by_issuer)
        check_claims(token, client, request.scope["path"], moment)
        await verify(token, client, self._keys[client.name].find)
        self._check_origin(client, request.headers.get("origin"))
        # After the signature: nobody else can use up what a client may take.
        share = self.shares[client.name]
        share.take(time.monotonic())
        try:
            await self._use(token, client, moment)
        except BaseException:
            share.undo()
            raise
        return self._callers[client.name]

    async def _use(self, token: UnverifiedToken, client: Client, moment: float) -> None:
        # Not the leeway of the client: a token that was forgotten must not become valid again where that is raised.
        until = token.claims.exp + LONGEST_LEEWAY
        if not await self._replays.first_use(client.name, token.claims.jti, until, moment):
            raise TokenRefused(RefusalReason.REPLAYED, client.name)
        # After the use: with it, the store notices that its file is gone, and that it records only from now on.
        check_recorded(token, client, self._replays.since)

    def leave(self, caller: Caller) -> None:
        """The call has been answered."""
        self.shares[caller.name].give_back()

    def _check_origin(self, client: Client, origin: str | None) -> None:
        if origin is not None and self._origins[client.name].isdisjoint(("*", origin)):
            raise TokenRefused(RefusalReason.ORIGIN, client.name)

    @property
    def replays(self) -> ReplayStore:
        """The record of used tokens."""
        return self._replays

    @property
    def wait_seconds(self) -> float:
        """How long every token is still refused, because its use may not be recorded; 0 once some are accepted."""
        return max(0.0, self._replays.since + self._least_leeway - self._now())

    async def start(self) -> None:
        """Open the replay store, and say that calls are going to be refused, which is else seen only when they are."""
        await self._replays.try_out()
        if self._replays.state != "away" and (wait := self.wait_seconds):
            log.warning("tokens issued so far are refused", reason="before-records", count=ceil(wait))

    async def aclose(self) -> None:
        """Close the replay store."""
        await self._replays.aclose()


def admission_of(
    settings: Settings, connections: Connections, profiles: Mapping[str, ServerProfile]
) -> Admission | None:
    """Admission for the configured clients; ``None`` where the service is open. :class:`BadInput` as above."""
    if settings.open:
        return None
    return Admission(settings.clients, connections, _replay_store(settings), profiles)


def _replay_store(settings: Settings) -> ReplayStore:
    match settings.replays:
        case "memory":
            return MemoryReplayStore()
        case "database":
            return _shared_store(settings)
        case "redis":
            return _redis_store(settings)
        case "default":
            return _default_store()
        case file:
            return FileReplayStore(file)


def _shared_store(settings: Settings) -> ReplayStore:
    url = database_url(settings)
    if url is None or is_file(url):
        raise BadInput(
            "replay_store: only a database on a PostgreSQL server can be shared: set database, or name a file"
        )
    from cds_hooks.clients.replays.shared import SharedReplayStore  # its driver is an extra

    return SharedReplayStore(url)


def _redis_store(settings: Settings) -> ReplayStore:
    if settings.redis is None:
        raise BadInput("replay_store: redis says where the Redis server is: set it, or name a file")
    REDIS.require()
    from cds_hooks.clients.replays.in_redis import RedisReplayStore

    return RedisReplayStore(settings.redis)


def _default_store() -> ReplayStore:
    file = state_folder() / "replays.sqlite"
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return FileReplayStore(file)
    except (BadInput, OSError) as fault:
        raise BadInput(
            f'replay_store: {file} cannot be used: set a file that can be written, or replay_store = "memory"'
        ) from fault


def readable_for(client: Client, profiles: Mapping[str, ServerProfile]) -> ReadableServers:
    """The FHIR servers of a client, and how to query them; :class:`BadInput` for an unknown profile."""
    if client.profile not in profiles:
        raise WrongSetting(f"clients.{client.name}.profile", f"is none: choose one of {', '.join(profiles)}")
    null_is_none = client.null_means == "none"
    return ReadableServers(
        client.fhir_servers,
        habits=profiles[client.profile].habits,
        null_is_none=null_is_none,
        deadline=client.deadline_seconds,
        profile=client.profile,
        client=client.name,
    )


def _bearer(request: Request) -> str:
    """The bearer token; exactly one Authorization header is accepted."""
    headers = request.headers.getlist("authorization")
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token:
        raise TokenRefused(RefusalReason.NO_TOKEN)
    if len(token) > LONGEST_TOKEN:
        raise TokenRefused(RefusalReason.MALFORMED)
    return token.strip()
