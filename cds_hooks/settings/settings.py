"""The settings of a site: a frozen model, from ``tandem.toml``, environment (``TANDEM_...``) and command line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict
from pydantic_settings import PydanticBaseSettingsSource as Source

from cds_hooks.settings.clients import BaseUrl, Client, Origin, SettingsPath, overlapping
from cds_hooks.settings.collector import CollectorUrl
from cds_hooks.settings.issuers import Issuer
from cds_hooks.settings.mistakes import in_one_line
from cds_hooks.settings.readable import ReadableServers
from cds_hooks.settings.reading import Conflict, Reading, SettingsConflict, read
from cds_hooks.telemetry.logs import LogFormat, LogLevel
from fhir_plugin.errors import BadInput
from fhir_plugin.reading.addresses import is_loopback

Detail: TypeAlias = Literal["brief", "full"]
"""How much of the reasoning stands on the card itself."""
PER_CLIENT_SETTINGS = ("fhir_servers", "allow_loopback_fhir", "allowed_origins")
"""Settings that belong to each client as soon as any client is configured."""


NamedStore: TypeAlias = Literal["memory", "database", "redis", "default"]
"""A replay store that is no file of the site's choice; ``default``: a file in the state directory."""

_STORES: Mapping[Path, NamedStore] = {Path("memory"): "memory", Path("database"): "database", Path("redis"): "redis"}
_DATABASE = re.compile(
    r"(off|sqlite:///[^\0]+|postgresql://(?=.)([^:/@?\0]*(:[^@\0]*)?@)?(\[[^]/?@\0]+]|[^:/@?[\]\0]*)(:[0-9]{1,5})?([/?][^\0]*)?)?"
)


class _Environment(EnvSettingsSource):
    """The environment, in which a value that is no JSON is one mistake among others, and not the end of reading."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """The value, or its text."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


class Settings(BaseSettings):
    """Settings of one process. Unknown keys are rejected, because a misspelt key would silently have no effect."""

    model_config = SettingsConfigDict(env_prefix="TANDEM_", frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    """The address to listen on. TLS ends in a proxy in front of it."""
    port: int = Field(default=8000, ge=0, le=65535)
    """The port to listen on; 0 picks a free one."""
    workers: PositiveInt = 1
    """The number of processes that answer on this port. Limits on calls and connections are of each of them. Not more
    than one with ``[[smart]]``, nor with ``[[clients]]`` and ``replay_store = "memory"``."""
    stop_seconds: PositiveInt = 20
    """How long calls that were let in may take after SIGTERM; then they are given up, and the process ends."""
    allow_open: bool = False
    """Whether the service may listen beyond loopback without authenticating its callers."""
    fhir_servers: tuple[BaseUrl, ...] = ()
    """FHIR base URLs that may be read in addition to loopback; compared exactly, ignoring a trailing slash."""
    allow_loopback_fhir: bool = True
    """Whether every ``fhirServer`` on this machine may be read, over http as well; otherwise only a listed one."""
    allowed_origins: tuple[Origin, ...] = ()
    """Origins whose web pages may call an open service and read its answers; ``*`` lets every web page do so."""
    site: SettingsPath | None = None
    """The site's own file (protocol, numbers, roles), validated like the built-in knowledge and shown as local. A
    client may have one of its own."""
    knowledge: SettingsPath | None = None
    """The folder with the knowledge, in the place of the built-in one. A client may have one of its own."""
    shadow_site: SettingsPath | None = None
    """The site file that decides calls in the shadow: after the answer, and only to count the differences. It stands in
    for ``site``, also for clients without a site file of their own."""
    shadow_knowledge: SettingsPath | None = None
    """The folder with the knowledge that decides calls in the shadow. It stands in for ``knowledge``, also for clients
    without a folder of their own."""
    deadline_seconds: PositiveFloat = 2.5
    """How long one call may spend reading from the FHIR server; a client may have a deadline of its own."""
    detail: Detail = "brief"
    """How much a card shows: what is read in ten seconds, or the whole reasoning (``full``)."""
    max_body_bytes: PositiveInt = 5_000_000
    """The largest request body that is read, in bytes."""
    body_seconds: PositiveFloat = 10
    """How long a request body may take to arrive; then the answer is 408, and the connection is closed."""
    header_seconds: PositiveFloat = 10
    """How long a connection may stay open without a whole request line and headers."""
    connections: PositiveInt = 500
    """The maximum number of open connections of one process; beyond it, the one that has sent no request for longest
    is closed."""
    calls_in_flight: PositiveInt = 64
    """The maximum number of calls that one process has let in and not answered yet, those that wait for a FHIR server
    included; more are answered with 503 and ``Retry-After``."""
    calls_waiting: PositiveInt = 20
    """The maximum number of calls that wait for the processor; more are answered with 503 and ``Retry-After``."""
    sandbox: bool = False
    """Whether the page for trying out calls is served at ``/sandbox``."""
    capture: SettingsPath | None = None
    """A folder in which de-identified calls are stored for ``tandem replay``; unset, no call is stored."""
    capture_most: PositiveInt = 200
    """The maximum number of stored calls; the oldest is deleted first."""
    capture_secret: SecretStr | None = Field(default=None, min_length=32)
    """The key for pseudonyms and date shifts, so that the files of one patient can be linked."""
    database: SecretStr = SecretStr("")
    """Where cards and feedback are stored: ``sqlite:////path``, ``postgresql://user:password@host/name``, or
    ``off``. Empty means ``memory.sqlite`` in ``$STATE_DIRECTORY``, else in ``$XDG_STATE_HOME/tandem``, else in
    ``~/.local/state/tandem``."""
    database_key: SecretStr | None = Field(default=None, min_length=32)
    """The secret of the keyed hashes that replace patient ids; for SQLite a key file is created beside the database."""
    database_key_before: SecretStr | None = Field(default=None, min_length=32)
    """The secret that ``database_key`` has replaced, for as long as overridden cards may still be quiet under it."""
    feedback_comments: bool = False
    """Whether free-text override comments are stored: they may name the patient."""
    feedback_reasons: tuple[str, ...] = ()
    """The EHR's own override reasons to store by name, as ``system|code``; all others count as unlisted."""
    feedback_days: PositiveInt = 365
    """How long feedback is kept; cards without feedback are kept for ``unanswered_days``."""
    unanswered_days: PositiveInt = 30
    """How long cards without feedback are kept."""
    quiet_days: float | None = Field(default=None, ge=0, le=365)
    """Days for which an overridden card is hidden from that person; replaces the number in ``mappings/memory.yaml``."""
    log_level: LogLevel = "info"
    """The lowest level that is logged."""
    log_format: LogFormat = "auto"
    """``json`` lines, or ``console`` for people; ``auto`` means ``console`` if stderr is a terminal."""

    telemetry: CollectorUrl | None = None
    """The collector that calls are sent to as spans, by its OTLP/HTTP address without the path, such as
    ``http://127.0.0.1:4318``; unset, there are no spans. Needs the extra ``telemetry``."""
    telemetry_ratio: float = Field(default=1, ge=0, le=1)
    """The share of calls that are sent as spans; a caller that sends ``traceparent`` decides for its own calls."""

    clients: tuple[Client, ...] = ()
    """The clients that may call; without any, the service is open."""
    replay_store: SettingsPath | None = None
    """Where used tokens are recorded, across restarts: ``database``, in a PostgreSQL ``database`` that several machines
    share, ``redis``, or a SQLite file for all processes on one machine. Unset means the database if it is
    PostgreSQL, else ``replays.sqlite`` in the folder in which ``memory.sqlite`` lies by default. In a new place, tokens
    are refused that were issued before or within ``leeway_seconds`` after it was made: they may have been used before.
    ``memory`` is for one process where nothing can be written: it refuses tokens in the same way after each start."""
    redis: SecretStr | None = None
    """The Redis server of ``replay_store = "redis"``, such as ``rediss://user:password@host:6379/0``."""

    public_url: BaseUrl | None = None
    """The URL at which browsers reach this service; required for the SMART app."""
    smart: tuple[Issuer, ...] = ()
    """The EHRs from which the SMART app may be launched; without any, there is no app."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: Source, *_: Source, **__: Source
    ) -> tuple[Source, ...]:
        """What is given explicitly, then the environment."""
        return init_settings, _Environment(settings_cls)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if found := tuple(self._conflicts()):
            raise SettingsConflict(self, found)
        return self

    def _conflicts(self) -> Iterator[Conflict]:
        if self.smart and self.public_url is None:
            yield "public_url", "needed where there is a smart issuer"
        for name in ("name", "issuer"):
            if len({getattr(issuer, name) for issuer in self.smart}) < len(self.smart):
                yield "smart", f"two issuers have the same {name}"
        yield from overlapping(self.clients)
        for name in PER_CLIENT_SETTINGS:
            if self.clients and name in self.model_fields_set:
                yield name, "belongs in the [[clients]] entries when clients are configured"
        if self.clients and self.sandbox:
            yield "sandbox", "shows cards to anybody who asks, and so not where there are clients"
        if self.workers > 1:
            yield from self._conflicts_of_workers()

    def _conflicts_of_workers(self) -> Iterator[Conflict]:
        if self.smart:
            yield "workers", "must be 1 where there is a smart issuer: a session of the app lives in one process"
        if self.clients and self.replays == "memory":
            yield "workers", 'must be 1 with replay_store = "memory": a token would be accepted by each of them'

    @property
    def open(self) -> bool:
        """Whether anyone who can reach the service may call it."""
        return not self.clients

    @property
    def replays(self) -> Path | NamedStore:
        """Where used tokens are recorded: in a file, or as named."""
        if self.replay_store is None:
            return "database" if self.database_is_shared else "default"
        return _STORES.get(self.replay_store, self.replay_store)

    @property
    def database_is_shared(self) -> bool:
        """Whether the database is on a server, where several machines reach it."""
        return self.database.get_secret_value().startswith("postgresql:")

    @property
    def readable(self) -> ReadableServers:
        """The FHIR servers that may be read for any caller; the servers of a client are read for that client only."""
        return ReadableServers(self.fhir_servers, loopback=self.open and self.allow_loopback_fhir)

    @property
    def origins(self) -> tuple[str, ...]:
        """The browser origins that may call, across all clients."""
        if self.open:
            return self.allowed_origins
        return tuple(dict.fromkeys(origin for client in self.clients for origin in client.allowed_origins))

    @field_validator("database", mode="after")
    @classmethod
    def _database(cls, database: SecretStr) -> SecretStr:
        if not _DATABASE.fullmatch(database.get_secret_value()):
            raise ValueError(
                "must be off, sqlite:///path or postgresql://user:password@host/name, where a password has @ : / "
                "percent-encoded"
            )
        return database

    @field_validator("redis", mode="after")
    @classmethod
    def _redis(cls, redis: SecretStr | None) -> SecretStr | None:
        if redis and not re.fullmatch(r"(rediss?|unix)://.+", redis.get_secret_value()):
            raise ValueError("must be rediss://user:password@host:port/number, redis:// without TLS, or unix://path")
        return redis

    @property
    def listens_beyond_loopback(self) -> bool:
        """Whether another machine could reach the service."""
        return not is_loopback(self.host)


def read_settings(path: Path | None = None, **overrides: Any) -> Reading[Settings]:
    """Settings from a TOML file (if given), the environment and explicit overrides, with everything that is wrong.

    What the file says takes precedence over the environment, and an override over both; one of ``None`` says nothing.
    """
    return read(Settings, path, {key: value for key, value in overrides.items() if value is not None})


def load_settings(path: Path | None = None, **overrides: Any) -> Settings:
    """As :func:`read_settings`; :class:`BadInput` names the file, the line and the key of the first mistake."""
    reading = read_settings(path, **overrides)
    if reading.settings is None or reading.mistakes:
        raise BadInput(in_one_line(reading.mistakes))
    return reading.settings


def named_file() -> Path | None:
    """The settings file of the environment, for commands that are given none."""
    named = os.environ.get("TANDEM_CONFIG")
    return Path(named) if named else None
