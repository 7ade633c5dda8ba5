"""Builds the prefetch of a call from a FHIR server, as an EHR does before it calls a service."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.gather import FhirAccess
from fhir_plugin.reading.responses import ByteAllowance
from fhir_plugin.record.datatypes import UNDECODABLE
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.opening import too_many
from fhir_plugin.record.record import Query
from fhir_plugin.record.subjects import patient_id_from


@dataclass(frozen=True, slots=True)
class PrefetchResult:
    """The prefetch values that can be sent, and the queries with their outcomes."""

    values: Mapping[str, msgspec.Raw]
    """By input; an unavailable one is absent, as CDS Hooks requires."""
    queries: tuple[Query, ...]


class _EntryList(msgspec.Struct):
    entry: tuple[msgspec.Raw, ...] | None = None


async def prefetch(
    access: FhirAccess,
    patient_id: str,
    names: Sequence[str],
    codes: Sequence[str],
    servers: FhirServers,
    deadline: float,
) -> PrefetchResult:
    """The first page of every input in ``names``; ``deadline`` is in seconds. BadInput for an invalid patient id."""
    patient = patient_id_from(patient_id)
    server = servers.server(access.base_url)
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline
    allowance = ByteAllowance(servers.limits)

    async def ask(name: str) -> tuple[str, msgspec.Raw | None, Query]:
        start = loop.time()
        outcome, body = "timeout", None
        try:
            async with asyncio.timeout_at(end):
                relative = INPUTS[name].template(patient, codes)
                response = await server.ask(server.url(relative), access.token, allowance, end)
                outcome, body = response.outcome, response.body
        except TimeoutError:
            pass
        if body is not None and (why := too_many(body)):
            outcome, body = f"{outcome}, {why}", None
        count = _count(body)
        if body is not None and count is None:
            outcome, body = f"{outcome} not JSON", None
        query = Query(name, outcome, count or 0, (loop.time() - start) * 1000)
        return name, msgspec.Raw(body) if body is not None else None, query

    results = await asyncio.gather(*map(ask, names))
    values = {name: value for name, value, _ in results if value is not None}
    return PrefetchResult(values, tuple(query for _, _, query in results))


def _count(body: bytes | None) -> int | None:
    """Number of resources in a body: the entries of a Bundle, else one; ``None`` if it is not a JSON object."""
    if body is None:
        return None
    try:
        members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        entries = msgspec.json.decode(body, type=_EntryList).entry
    except UNDECODABLE:
        return None
    if bytes(members.get("resourceType", b"")).strip() != b'"Bundle"':
        return 1
    return len(entries or ())
