"""``tandem check-server``: which of the required queries a FHIR server supports."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import typer

from cds_hooks.cli import records
from fhir_plugin.errors import PermanentlyUnavailable
from fhir_plugin.reading.needs import observation_tokens
from fhir_plugin.reading.server_check import InputCheck, check_server
from mappings.schema.load import load_knowledge
from mappings.schema.service.servers import GENERIC


def check(
    url: Annotated[str, typer.Argument(help="Base URL of a FHIR R4 server.")],
    patient: Annotated[str, typer.Option(help="Patient id on that server.")],
    token: records.Token = None,
    client_id: records.ClientId = None,
    key: records.KeyFile = None,
    profile: records.Profile = GENERIC,
    deadline: Annotated[float, typer.Option(help="Seconds for all queries together.")] = 10.0,
    slow: Annotated[float, typer.Option(help="Seconds after which a response counts as slow.")] = 1.0,
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="A table to read, or JSON.")] = "text",
) -> None:
    """Try each query on one patient and report the result: ok, empty, refused, ignored parameter, slow."""
    knowledge = load_knowledge()
    access = records.fhir_access(
        knowledge, records.RecordLocation(url, patient, token, None, deadline, profile, client_id, key)
    )
    checks = check_server(access, patient, knowledge.inputs, observation_tokens(knowledge), deadline, slow)
    typer.echo(msgspec.json.encode(checks).decode() if output == "json" else _table(checks))
    unusable = [result.input for result in checks if result.required and not result.offer.usable]
    if unusable:
        raise PermanentlyUnavailable(f"the server does not provide what every assessment needs: {', '.join(unusable)}")


def _table(checks: tuple[InputCheck, ...]) -> str:
    rows = [("query", "result", "count", "ms", "")]
    rows += [
        (result.query, str(result.offer), str(result.count), f"{result.milliseconds:.0f}", result.detail)
        for result in checks
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)).rstrip() for row in rows
    )
