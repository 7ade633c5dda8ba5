"""All that is checked before the service listens, with every mistake at once. Creates nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cds_hooks.clients.key_sources import key_set_of_file
from cds_hooks.clients.keys import KeySet
from cds_hooks.clients.knowledge_in_use import KnowledgeInUse, load_common, load_in_use
from cds_hooks.memory.keys import check_site_key
from cds_hooks.protocol.files import state_folder, unusable_folder
from cds_hooks.settings.database import database_url, is_file
from cds_hooks.settings.mistakes import Mistake, WrongSetting, in_one_line, similar
from cds_hooks.settings.reading import Origins
from cds_hooks.settings.settings import Settings, read_settings
from cds_hooks.smart.registrations import Registration, registrations
from cds_hooks.starting.listening import AddressInUse, listen
from fhir_plugin.errors import BadInput
from fhir_plugin.extras import REDIS, TELEMETRY
from mappings.schema.errors import KnowledgeError
from mappings.schema.load import Knowledge, load_knowledge
from mappings.schema.service.servers import GENERIC, ServerProfile

_SQLITE = b"SQLite format 3\0"


@dataclass(slots=True)
class StartCheck:
    """What the checks have found and read."""

    origins: Origins
    settings: Settings | None
    """With something harmless in place of what is wrong; ``None`` where the file cannot be read."""
    knowledge: Knowledge | None = None
    """Of the service."""
    used: KnowledgeInUse | None = None
    """The same, with what clients have of their own."""
    spoilt: frozenset[str] = frozenset()
    """The keys at the top of the file that have a mistake in or below them."""
    mistakes: list[Mistake] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What need not be wrong."""
    keys: dict[str, KeySet] = field(default_factory=dict)
    """The key sets that were read, by client."""
    apps: list[Registration] = field(default_factory=list)

    def ready(self) -> tuple[Settings, KnowledgeInUse]:
        """What the service starts with; :class:`BadInput` with the first mistake if there is any."""
        if self.mistakes or self.settings is None or self.used is None:
            raise BadInput(in_one_line(self.mistakes))
        return self.settings, self.used

    @contextmanager
    def noting(self, key: str = "") -> Iterator[None]:
        """Turn an error into a mistake; it is about ``key`` unless it names another."""
        try:
            yield
        except WrongSetting as fault:
            self.mistakes.append(self.origins.of_key(fault.key, fault.words))
        except (BadInput, KnowledgeError) as fault:
            self.mistakes.append(self.origins.of_key(key, str(fault)))


def check_start(path: Path | None = None, **overrides: Any) -> StartCheck:
    """Check everything that a start needs: the settings, the knowledge with the site's file, keys, folders, address."""
    reading = read_settings(path, **overrides)
    found = StartCheck(reading.origins, reading.settings, spoilt=reading.spoilt, mistakes=list(reading.mistakes))
    if found.settings is None:
        return found
    for check in (_site, _database, _telemetry, _clients, _apps, _folders):
        check(found, found.settings)
    if not reading.spoilt & {"host", "port", "clients", "allow_open"}:
        _address(found, found.settings)
    return found


def _site(found: StartCheck, settings: Settings) -> None:
    with found.noting():
        found.knowledge = load_common(settings)
    if found.knowledge is None:
        found.knowledge = load_knowledge()  # the rest is checked all the same
    else:
        found.used = load_in_use(settings, found.knowledge, found.noting)


def _database(found: StartCheck, settings: Settings) -> None:
    with found.noting("database"):
        check_site_key(settings, database_url(settings))


def _telemetry(found: StartCheck, settings: Settings) -> None:
    if settings.telemetry:
        with found.noting("telemetry"):
            TELEMETRY.require()


def _clients(found: StartCheck, settings: Settings) -> None:
    for client in settings.clients:
        _check_profile(found, f"clients.{client.name}.profile", client.profile)
        if not client.key_set_is_remote:
            with found.noting():
                found.keys[client.name] = key_set_of_file(client)


def _apps(found: StartCheck, settings: Settings) -> None:
    for issuer in settings.smart:
        known = _check_profile(found, f"smart.{issuer.name}.profile", issuer.profile)
        fitting = issuer if known else issuer.model_copy(update={"profile": GENERIC})
        with found.noting():
            found.apps += registrations((fitting,), _profiles(found)).values()


def _check_profile(found: StartCheck, key: str, profile: str) -> bool:
    known = _profiles(found)
    if profile not in known:
        words = f"is none: choose one of {', '.join(known)}"
        found.mistakes.append(found.origins.of_key(key, words, similar(profile, known)))
    return profile in known


def _profiles(found: StartCheck) -> Mapping[str, ServerProfile]:
    return found.knowledge.servers if found.knowledge else {}


def _folders(found: StartCheck, settings: Settings) -> None:
    """Where the service keeps what it cannot start without."""
    if settings.capture is not None and (reason := unusable_folder(settings.capture)):
        found.mistakes.append(found.origins.of_key("capture", reason))
    if not settings.open:
        with found.noting("replay_store"):
            _check_replay_store(settings)


def _check_replay_store(settings: Settings) -> None:
    """:class:`BadInput` if used tokens cannot be recorded where the settings say."""
    match settings.replays:
        case "memory":
            return
        case "database":
            url = database_url(settings)
            if url is None or is_file(url):
                raise WrongSetting("replay_store", "only a database on a PostgreSQL server can be shared")
        case "redis":
            if settings.redis is None:
                raise WrongSetting("replay_store", "redis says where the Redis server is: set it, or name a file")
            REDIS.require()
            from cds_hooks.clients.replays.in_redis import server_at  # its driver is an extra

            server_at(settings.redis)
        case "default":
            _check_file(state_folder() / "replays.sqlite")
        case file:
            _check_file(file, named=True)


def _check_file(file: Path, *, named: bool = False) -> None:
    missing = named and not file.absolute().parent.exists()  # only the default folder is made
    if reason := "its folder does not exist" if missing else _unusable_sqlite(file):
        words = f'{file} cannot be used: {reason}: set a file that can be written, or replay_store = "memory"'
        raise WrongSetting("replay_store", words)


def _unusable_sqlite(file: Path) -> str | None:
    if not file.exists():
        return unusable_folder(file.parent)
    if not file.is_file() or not os.access(file, os.R_OK | os.W_OK):
        return "it is no file that this user may read and write"
    with file.open("rb") as opened:
        begin = opened.read(len(_SQLITE))
    return None if begin in (b"", _SQLITE) else "it is no SQLite database"


def _address(found: StartCheck, settings: Settings) -> None:
    """Whether the service may listen at its address, and can."""
    with found.noting():
        refuse_open_address(settings)
    try:
        listen(settings.host, settings.port).close()
    except AddressInUse as fault:
        found.notes.append(f"{fault.words} (now in use, perhaps by this service itself)")
    except WrongSetting as fault:
        found.mistakes.append(found.origins.of_key(fault.key, fault.words))


def refuse_open_address(settings: Settings) -> None:
    """:class:`WrongSetting` if anyone on another machine could call, unless ``allow_open`` permits it."""
    if settings.open and settings.listens_beyond_loopback and not settings.allow_open:
        raise WrongSetting(
            "host",
            f"refusing to listen on {settings.host}: callers are not authenticated; configure [[clients]], "
            "or put an authenticating proxy in front and start with --allow-open",
        )
