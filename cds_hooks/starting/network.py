"""The checks that need the network: key sets, the database, FHIR servers. Changes nothing anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec

from cds_hooks.clients.key_sources import key_set_of_address
from cds_hooks.memory.database import FAULTS, WORDS, cause_of, file_of, open_engine
from cds_hooks.memory.schema import REVISION, check
from cds_hooks.protocol.errors import UnusableDatabase
from cds_hooks.settings.clients import Client
from cds_hooks.settings.database import database_url
from cds_hooks.settings.mistakes import WrongSetting
from cds_hooks.settings.reading import is_stand_in
from cds_hooks.settings.settings import Settings
from cds_hooks.starting.checks import StartCheck
from fhir_plugin.errors import BadInput
from fhir_plugin.extras import REDIS
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.record.datatypes import UNDECODABLE

_SECONDS, _MOST_BYTES = 5.0, 20_000_000
_RELEASE = "4."
"""FHIR R4 and R4B."""


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    resource_type: str
    fhir_version: str


def check_network(found: StartCheck) -> None:
    """Fetch the key sets, connect to the database and Redis, ask the FHIR servers what they are; adds to ``found``."""
    if found.settings is not None:
        asyncio.run(_check(found, found.settings))


async def _check(found: StartCheck, settings: Settings) -> None:
    await _check_database(found, settings)
    await _check_redis(found, settings)
    async with FhirServers() as servers:
        remote = [each for each in settings.clients if each.key_set_is_remote and not is_stand_in(each.key_set)]
        places = {key: server for key, server in _servers(settings) if not is_stand_in(server)}
        await asyncio.gather(
            *(_fetch_keys(found, client, servers) for client in remote),
            *(_ask(found, key, server, servers) for key, server in places.items()),
        )


def _servers(settings: Settings) -> Iterator[tuple[str, str]]:
    """Each FHIR server with the key that names it."""
    yield from ((f"fhir_servers.{number}", server) for number, server in enumerate(settings.fhir_servers))
    for client in settings.clients:
        listed = enumerate(client.fhir_servers)
        yield from ((f"clients.{client.name}.fhir_servers.{number}", server) for number, server in listed)
    yield from ((f"smart.{issuer.name}.issuer", issuer.issuer) for issuer in settings.smart)


async def _fetch_keys(found: StartCheck, client: Client, servers: FhirServers) -> None:
    with found.noting():
        found.keys[client.name] = await key_set_of_address(client, servers)


async def _ask(found: StartCheck, key: str, server: str, servers: FhirServers) -> None:
    with found.noting():
        found.notes.append(f"{key}: FHIR {await _release(key, server, servers)}")


async def _release(key: str, server: str, servers: FhirServers) -> str:
    headers = {"Accept": "application/fhir+json"}
    answer = await servers.fetch(f"{server}/metadata", _MOST_BYTES, _SECONDS, headers=headers)
    if answer.body is None:
        raise WrongSetting(key, f"its metadata cannot be read: {answer.outcome}")
    try:
        metadata = msgspec.json.decode(answer.body, type=_Metadata)
    except UNDECODABLE:
        raise WrongSetting(key, "its metadata is no CapabilityStatement") from None
    if metadata.resource_type != "CapabilityStatement" or not metadata.fhir_version.startswith(_RELEASE):
        raise WrongSetting(key, "it is no server of FHIR R4")
    return metadata.fhir_version


async def _check_database(found: StartCheck, settings: Settings) -> None:
    if "database" in found.spoilt:
        return
    try:
        url = database_url(settings)
    except BadInput:
        return  # said before
    file = file_of(url) if url is not None else None
    if url is None or (file is not None and not file.exists()):
        found.notes.append("database: off" if url is None else "database: it is made at the first start")
        return
    engine = open_engine(url)
    try:
        await check(engine)
        found.notes.append(f"database: connected, tables at revision {REVISION}")
    except UnusableDatabase as fault:
        found.mistakes.append(found.origins.of_key("database", str(fault)))
    except FAULTS as fault:
        words = f"it cannot be used: {WORDS[cause_of(fault)]} ({type(fault).__name__})"
        found.mistakes.append(found.origins.of_key("database", words))
    finally:
        await engine.dispose()


async def _check_redis(found: StartCheck, settings: Settings) -> None:
    """Whether the server of the used tokens answers; what it answers is left to the start."""
    if (
        settings.redis is None
        or settings.replays != "redis"
        or settings.open
        or found.spoilt & {"redis", "replay_store"}
    ):
        return
    try:
        REDIS.require()
        from cds_hooks.clients.replays.in_redis import FAULTS, server_at  # its driver is an extra

        async with server_at(settings.redis) as server:
            await server.ping()
    except BadInput:
        return  # said before
    except FAULTS as fault:
        words = f"the server cannot be used ({type(fault).__name__})"
        found.mistakes.append(found.origins.of_key("redis", words))
    else:
        found.notes.append("redis: connected")
