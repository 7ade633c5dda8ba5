"""``tandem check-config``: what is wrong with the settings, or what they set."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from cds_hooks.clients.keys import KeySet
from cds_hooks.clients.knowledge_in_use import KnowledgeInUse
from cds_hooks.settings.clients import Client
from cds_hooks.settings.settings import PER_CLIENT_SETTINGS, Settings, named_file
from cds_hooks.smart.registrations import Registration
from cds_hooks.starting.checks import StartCheck, check_start
from mappings.schema.load import Knowledge

_USER = re.compile(r"(?<=://)[^/@\s]*@")
_MISTAKEN = 2

Value = str | list[str]


class ShownSettings(msgspec.Struct, frozen=True):
    """What is set, without secrets; clients and issuers by name."""

    settings: dict[str, Value] = {}
    clients: dict[str, dict[str, Value]] = {}
    smart: dict[str, dict[str, Value]] = {}


def check_config(
    file: Annotated[
        Path | None, typer.Argument(help="The settings file; by default that of TANDEM_CONFIG, if any.")
    ] = None,
    connect: Annotated[
        bool, typer.Option("--connect", help="Also fetch key sets, connect to the database, ask the FHIR servers.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check settings as the start does, and print what is set, or every mistake; secrets are not shown."""
    found = check_start(file or named_file())
    if connect:
        from cds_hooks.starting.network import check_network

        check_network(found)
    found.mistakes.sort(key=lambda mistake: (mistake.line or 0, mistake.key))
    shown = ShownSettings() if found.mistakes or found.settings is None else _shown(found.settings, found)
    if as_json:
        report = {"mistakes": found.mistakes, "notes": found.notes, **msgspec.to_builtins(shown)}
        typer.echo(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        _print(found, shown)
    if found.mistakes:
        raise typer.Exit(_MISTAKEN)


def _print(found: StartCheck, shown: ShownSettings) -> None:
    for mistake in found.mistakes:
        typer.echo(f"tandem: {mistake.line_of_text}", err=True)
    if not found.mistakes:
        typer.echo("\n".join(_lines(shown)))
    for note in found.notes:
        typer.echo(f"note: {note}")


def _shown(settings: Settings, found: StartCheck) -> ShownSettings:
    unused = set() if settings.open else {*PER_CLIENT_SETTINGS, "allow_open"}
    return ShownSettings(
        _values(settings.model_dump(exclude={"clients", "smart", *unused})) | _deciding(found.used, ""),
        {client.name: _client(client, found) for client in settings.clients},
        {ehr.issuer.name: _app(ehr) for ehr in found.apps},
    )


def _client(client: Client, found: StartCheck) -> dict[str, Value]:
    values = _values(client.model_dump(exclude={"name"}) | {"jku": client.expected_jku})
    return {**values, **_deciding(found.used, client.name), "keys": _key_summary(found.keys.get(client.name))}


def _deciding(used: KnowledgeInUse | None, client: str) -> dict[str, Value]:
    """Which knowledge decides for a client, and which in the shadow."""
    if used is None:
        return {}
    shadow = used.shadows.get(client)
    return {"decides by": _summary(used.of(client)), **({"in its shadow": _summary(shadow)} if shadow else {})}


def _summary(knowledge: Knowledge) -> str:
    return f"{knowledge.short_digest}, protocol {knowledge.protocol}"


def _app(ehr: Registration) -> dict[str, Value]:
    """An EHR that may launch the app; of a secret or a key only that there is one."""
    return {**_values(ehr.issuer.model_dump(exclude={"name", "client_secret"})), "authenticates by": _proof(ehr)}


def _proof(ehr: Registration) -> str:
    if ehr.key is not None:
        key = ehr.key.key
        return f"key {key.kid or key.thumbprint()} ({ehr.key.algorithm})"
    return "secret" if ehr.issuer.client_secret else "nothing (public client)"


def _key_summary(keys: KeySet | None) -> str:
    if keys is None:
        return "fetched with the first token; --connect fetches them now"
    return ", ".join(f"{key.kid or '(no kid)'} ({key.key_type})" for key in keys.keys)


def _values(values: Mapping[str, object]) -> dict[str, Value]:
    return {
        name: [_text(each) for each in value] if isinstance(value, tuple) else _text(value)
        for name, value in values.items()
    }


def _text(value: Any) -> str:
    return _USER.sub("...@", "" if value is None else str(value))


def _lines(shown: ShownSettings) -> Iterator[str]:
    yield from _of(shown.settings)
    if not shown.clients:
        yield "clients: none, so anyone who can reach the service may call it"
    for name, values in shown.clients.items():
        yield f"client {name}:"
        yield from (f"  {line}" for line in _of(values))
    if not shown.smart:
        yield "smart: none, so there is no app"
    for name, values in shown.smart.items():
        yield f"smart {name}:"
        yield from (f"  {line}" for line in _of(values))


def _of(values: Mapping[str, Value]) -> Iterator[str]:
    for name, value in values.items():
        yield f"{name}: {(value if isinstance(value, str) else ', '.join(value)) or '-'}"
