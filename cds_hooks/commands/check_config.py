"""``tandem check-config``: validate a settings file and print its settings."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from cds_hooks.clients.admission import readable_for
from cds_hooks.clients.key_sources import key_set_of_address, key_set_of_file
from cds_hooks.clients.keys import KeySet
from cds_hooks.commands.serve import refuse_open_address
from cds_hooks.settings.clients import Client
from cds_hooks.settings.settings import PER_CLIENT_SETTINGS, Settings, load_settings
from cds_hooks.smart.registrations import Registration, registrations
from fhir_plugin.extras import TELEMETRY
from fhir_plugin.reading.client import FhirServers as Connections
from mappings.schema.load import load_knowledge

_USER = re.compile(r"(?<=://)[^/@\s]*@")


def check_config(
    file: Annotated[Path, typer.Argument(help="The settings file, such as tandem.toml.")],
    fetch_keys: Annotated[bool, typer.Option("--fetch-keys", help="Also fetch remote key sets.")] = False,
) -> None:
    """Check a settings file as the start does, and print what is set; secrets are not shown."""
    from cds_hooks.memory.keys import check_site_key
    from cds_hooks.settings.database import database_url

    settings = load_settings(file)
    refuse_open_address(settings)
    check_site_key(settings, database_url(settings))
    if settings.telemetry:
        TELEMETRY.require()
    knowledge = load_knowledge(site=settings.site)
    keys = {}
    for client in settings.clients:
        readable_for(client, knowledge.servers)
        keys[client.name] = _key_set(client, fetch=fetch_keys)
    ehrs = registrations(settings.smart, knowledge.servers)
    typer.echo("\n".join((*_lines(settings, keys), *_app_lines(ehrs.values()))))


def _key_set(client: Client, *, fetch: bool) -> KeySet | None:
    if not client.key_set_is_remote:
        return key_set_of_file(client)
    return asyncio.run(_fetched(client)) if fetch else None


async def _fetched(client: Client) -> KeySet:
    async with Connections() as connections:
        return await key_set_of_address(client, connections)


def _lines(settings: Settings, keys: dict[str, KeySet | None]) -> Iterator[str]:
    unused = set() if settings.open else {*PER_CLIENT_SETTINGS, "allow_open"}
    yield from _values(settings.model_dump(exclude={"clients", "smart", *unused}))
    if settings.open:
        yield "clients: none, so anyone who can reach the service may call it"
    for client in settings.clients:
        yield f"client {client.name}:"
        values = client.model_dump(exclude={"name"}) | {"jku": client.expected_jku}
        yield from (f"  {line}" for line in _values(values))
        yield f"  keys: {_key_summary(keys[client.name])}"


def _app_lines(ehrs: Iterable[Registration]) -> Iterator[str]:
    """The EHRs that may launch the app; for a secret or a key only that there is one."""
    if not ehrs:
        yield "smart: none, so there is no app"
    for ehr in ehrs:
        yield f"smart {ehr.issuer.name}:"
        yield from (f"  {line}" for line in _values(ehr.issuer.model_dump(exclude={"name", "client_secret"})))
        yield f"  authenticates by: {_proof(ehr)}"


def _proof(ehr: Registration) -> str:
    if ehr.key is not None:
        key = ehr.key.key
        return f"key {key.kid or key.thumbprint()} ({ehr.key.algorithm})"
    return "secret" if ehr.issuer.client_secret else "nothing (public client)"


def _values(values: dict[str, object]) -> Iterator[str]:
    for name, value in values.items():
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)
        yield f"{name}: {_USER.sub('...@', shown) or '-'}"


def _key_summary(keys: KeySet | None) -> str:
    if keys is None:
        return "fetched with the first token; --fetch-keys fetches them now"
    return ", ".join(f"{key.kid or '(no kid)'} ({key.key_type})" for key in keys.keys)
