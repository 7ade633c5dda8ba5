"""Where a command reads a record from: a file, or a FHIR server with a token, or with a key that earns one.

Reading a file loads no HTTP client, and no knowledge of its own.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cds_hooks.protocol.clock import today
from fhir_plugin.errors import BadInput, PermanentlyUnavailable
from fhir_plugin.reading.sources import BundleSource, RecordSource, ServerSource
from fhir_plugin.record.inputs import INPUTS
from mappings.schema.service.servers import GENERIC

if TYPE_CHECKING:
    from fhir_plugin.reading.gather import FhirAccess
    from mappings.schema.load import Knowledge

Fhir = Annotated[str | None, typer.Option(help="Base URL of a FHIR R4 server.")]
PatientId = Annotated[str | None, typer.Option(help="Patient id on that server, or in the Bundle.")]
Token = Annotated[str | None, typer.Option(help="Access token.", envvar="TANDEM_TOKEN")]
ClientId = Annotated[str | None, typer.Option(help="Client id of SMART Backend Services, with --key.")]
KeyFile = Annotated[Path | None, typer.Option(help="Private key of that client: EC P-384 or RSA, PEM or JWK.")]
Profile = Annotated[str, typer.Option(help="The kind of FHIR server.")]
BundleFile = Annotated[Path | None, typer.Option(help="A Bundle of one patient's resources; - for stdin.")]
AsOf = Annotated[str | None, typer.Option(help="The day of the assessment, YYYY-MM-DD; today if not given.")]
Deadline = Annotated[float, typer.Option(help="Seconds for reading from the server.")]


@dataclass(frozen=True, slots=True)
class RecordLocation:
    """The location of a record, from the options of a command."""

    fhir: str | None = None
    patient: str | None = None
    token: str | None = None
    bundle: Path | None = None
    deadline: float = 10.0
    profile: str = GENERIC
    client_id: str | None = None
    key: Path | None = None


def record_source(location: RecordLocation, knowledge: Knowledge | None = None) -> RecordSource:
    """The source at the location; a FHIR server is asked for what the knowledge needs, by default the built-in one.

    :raises BadInput: the options name no source, or two.
    :raises PermanentlyUnavailable: a file cannot be read, or no token can be obtained.
    """
    if (location.fhir is None) == (location.bundle is None):
        raise BadInput("give either --fhir with --patient, or --bundle")
    if location.bundle is not None:
        return BundleSource(read_file(location.bundle), location.patient, str(location.bundle))
    if location.patient is None:
        raise BadInput("--fhir needs --patient")
    from fhir_plugin.reading.needs import data_needs
    from mappings.schema.load import load_knowledge

    knowledge = knowledge or load_knowledge()
    access = fhir_access(knowledge, location)
    return ServerSource(access, location.patient, data_needs(knowledge), location.deadline)


def fhir_access(knowledge: Knowledge, location: RecordLocation) -> FhirAccess:
    """The FHIR server that the options name, with a token: the given one, or one obtained with the key."""
    profile = knowledge.servers.get(location.profile)
    if profile is None:
        raise BadInput(f"--profile: no profile {location.profile}: choose one of {', '.join(knowledge.servers)}")
    from fhir_plugin.reading.gather import FhirAccess

    access = FhirAccess(location.fhir or "", location.token, profile.habits)
    if location.client_id is None and location.key is None:
        return access
    if location.client_id is None or location.key is None or location.token is not None:
        raise BadInput("give either --client-id with --key, or --token, not both")
    from fhir_plugin.reading.backend_services import fetch_token, read_key

    key = read_key(location.client_id, location.key)
    types = {INPUTS[name].resource_type for name in knowledge.inputs} | {"Medication"}
    return FhirAccess(access.base_url, fetch_token(access.base_url, key, types, location.deadline), access.habits)


def read_file(path: Path) -> bytes:
    """The bytes of a file, or of stdin for ``-``; :class:`PermanentlyUnavailable` if it cannot be read."""
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as fault:
        raise PermanentlyUnavailable(f"{path}: cannot be read: {fault.strerror}") from fault


def day_from(text: str | None) -> date:
    """The day given by an option; today without one. :class:`BadInput` for an invalid day."""
    if text is None:
        return today()
    try:
        return date.fromisoformat(text)
    except ValueError as fault:
        raise BadInput(f"--as-of: {text!r} is not a day: write YYYY-MM-DD") from fault
