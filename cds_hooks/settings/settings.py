"""What a site sets: one frozen model, from ``tandem.toml``, the environment (``TANDEM_...``) and the command line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from cds_hooks.settings.clients import BaseUrl, Client, check_clients_distinct
from cds_hooks.settings.issuers import Issuer
from cds_hooks.settings.readable import ReadableServers
from cds_hooks.telemetry.logs import LogFormat, LogLevel
from fhir_plugin.errors import BadInput
from fhir_plugin.reading.addresses import is_loopback

PER_CLIENT_SETTINGS = ("fhir_servers", "allow_loopback_fhir", "allowed_origins")
"""What is set for each client as soon as there are any."""


def _without_nul(path: Path) -> Path:
    if "\0" in str(path):
        raise ValueError("is no path")
    return path


SettingsPath = Annotated[Path, AfterValidator(_without_nul)]


class Settings(BaseSettings):
    """Settings of one process. Unknown keys are refused, because a misspelt one would be a setting not set."""

    model_config = SettingsConfigDict(env_prefix="TANDEM_", frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    allow_open: bool = False
    """Whether the service may listen beyond loopback although it does not know who calls."""
    fhir_servers: tuple[BaseUrl, ...] = ()
    """FHIR base URLs that may be read besides those on loopback; compared exactly, trailing slash aside."""
    allow_loopback_fhir: bool = True
    """Whether a ``fhirServer`` on this machine may be read, also over http."""
    allowed_origins: tuple[str, ...] = ("*",)
    """Browser origins that may call; credentials are never allowed."""
    site: SettingsPath | None = None
    """The site's own file: its protocol, numbers and roles, checked like ours and shown as local."""
    deadline_seconds: PositiveFloat = 2.5
    """The time that one call may spend on reading from the FHIR server."""
    max_body_bytes: PositiveInt = 5_000_000
    sandbox: bool = False
    """Whether the page for trying calls is offered at ``/sandbox``."""
    capture: Path | None = None
    """A folder in which calls are kept for ``tandem replay``, without whom they were about; none are without one."""
    capture_most: PositiveInt = 200
    """How many are kept at most; the oldest makes room."""
    capture_secret: SecretStr | None = Field(default=None, min_length=32)
    """Keys what stands for identifiers and by how much dates are moved, so that a patient's files belong together."""
    database: SecretStr = SecretStr("")
    """Where cards and feedback are remembered: ``sqlite:////path``, ``postgresql://user:password@host/name``, or
    ``off``. Empty means ``memory.sqlite`` in ``$STATE_DIRECTORY``, else in ``$XDG_STATE_HOME/tandem``, else in
    ``~/.local/state/tandem``."""
    database_key: SecretStr | None = Field(default=None, min_length=32)
    """The secret of the keyed hashes that stand for patients; a SQLite file gets one of its own beside it."""
    feedback_comments: bool = False
    """Whether the words that clinicians add to an override are kept: they may name the patient."""
    feedback_reasons: tuple[str, ...] = ()
    """Override reasons of the EHR itself that are kept by name, as ``system|code``; others count as unlisted."""
    feedback_days: PositiveInt = 365
    """How long feedback is kept; cards that nobody answered are kept for ``unanswered_days``."""
    unanswered_days: PositiveInt = 30
    quiet_days: float | None = Field(default=None, ge=0, le=365)
    """Days for which an overridden card is not shown again, in place of the number in ``mappings/memory.yaml``."""
    log_level: LogLevel = "info"
    log_format: LogFormat = "auto"
    """``json`` lines, or ``console`` for people; ``auto`` chooses by whether stderr is a terminal."""

    clients: tuple[Client, ...] = ()
    """Who may call; with none of them the service is open."""
    replay_store: SettingsPath | None = None
    """A SQLite file in which several processes remember the tokens that were used; one process needs none."""

    public_url: BaseUrl | None = None
    """Where browsers reach this service; needed for the SMART app."""
    smart: tuple[Issuer, ...] = ()
    """The EHRs from which the SMART app may be launched; with none of them there is no app."""

    @model_validator(mode="after")
    def _app(self) -> Self:
        if self.smart and self.public_url is None:
            raise ValueError("public_url: needed where there is a smart issuer")
        for name in ("name", "issuer"):
            if len({getattr(issuer, name) for issuer in self.smart}) < len(self.smart):
                raise ValueError(f"smart: two issuers have the same {name}")
        return self

    @model_validator(mode="after")
    def _clients_decide(self) -> Self:
        check_clients_distinct(self.clients)
        misplaced = [name for name in PER_CLIENT_SETTINGS if self.clients and name in self.model_fields_set]
        if misplaced:
            raise ValueError(f"{misplaced[0]}: belongs into each of the clients, where there are any")
        if self.clients and self.sandbox:
            raise ValueError("sandbox: shows cards to anybody who asks, and so not where there are clients")
        if any(urlsplit(server).scheme != "https" for server in self.fhir_servers):
            raise ValueError("fhir_servers: each must be an https address")
        return self

    @property
    def open(self) -> bool:
        """Whether anybody may call who can reach the service."""
        return not self.clients

    @property
    def readable(self) -> ReadableServers:
        """The FHIR servers that may be read for anybody; what each client has listed is read for that client alone."""
        return ReadableServers(self.fhir_servers, loopback=self.open and self.allow_loopback_fhir)

    @property
    def origins(self) -> tuple[str, ...]:
        """The browser origins that may call on behalf of somebody."""
        if self.open:
            return self.allowed_origins
        return tuple(dict.fromkeys(origin for client in self.clients for origin in client.allowed_origins))

    @field_validator("database", mode="after")
    @classmethod
    def _database(cls, database: SecretStr) -> SecretStr:
        if not re.fullmatch(r"(off|sqlite:///.+|postgresql://.+)?", database.get_secret_value()):
            raise ValueError("must be off, sqlite:///path or postgresql://user:password@host/name")
        return database

    @property
    def listens_beyond_loopback(self) -> bool:
        """Whether another machine could reach the service."""
        return not is_loopback(self.host)


def load_settings(path: Path | None = None, **overrides: Any) -> Settings:
    """Settings from a TOML file (if given), the environment and explicit overrides, the last first.

    :raises BadInput: naming the file and the key.
    """
    where = path.name if path else "settings"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8")) if path else {}
        explicit = {key: value for key, value in overrides.items() if value is not None}
        return Settings(**{**content, **explicit})
    except OSError as fault:
        raise BadInput(f"{where}: cannot be read: {fault.strerror}") from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise BadInput(f"{where}: not TOML: {fault}") from fault
    except ValidationError as fault:
        first = fault.errors(include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise BadInput(f"{where}: {key}: {message}" if key else f"{where}: {message}") from fault
