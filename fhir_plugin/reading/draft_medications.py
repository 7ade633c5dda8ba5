"""The Medications that drafts reference: from the prefetch, else from the FHIR server."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.gather import FhirAccess
from fhir_plugin.reading.searches import QuerySession
from fhir_plugin.record.medication_references import MEDICATION_INPUTS, medications_in
from fhir_plugin.record.record import Query
from fhir_plugin.record.resources import Medication
from fhir_plugin.record.subjects import unversioned


async def find_medications(
    references: Collection[str],
    prefetch: Mapping[str, bytes | msgspec.Raw],
    access: FhirAccess | None,
    servers: FhirServers,
    deadline: float,
    noted: list[Query] | None = None,
) -> dict[str, Medication]:
    """The available Medications, by reference as written; ``deadline`` is in seconds, ``noted`` receives every query.

    Only references to the FHIR server itself are resolved: relative, or under its base URL.
    """
    base = f"{access.base_url}/" if access else ""
    supplied = {
        f"Medication/{identifier}": medication
        for name in MEDICATION_INPUTS
        if name in prefetch
        for identifier, medication in medications_in(bytes(prefetch[name])).items()
    }
    found = {
        reference: supplied[key]
        for reference in references
        if (key := unversioned(reference).removeprefix(base)) in supplied
    }
    missing = [reference for reference in references if reference not in found]
    if access is None or access.refusal or not missing:
        return found
    server = servers.server(access.base_url, access.habits)
    seconds = min(deadline, access.good_for)
    session = QuerySession(
        server, access.base_url, access.token, "", servers.limits, seconds, access.scope, access.headers
    )
    fetched = await session.medications(missing)
    if noted is not None:
        noted += session.queries
    session.conclude(shortened=access.good_for < deadline)
    return found | {reference: fetched[key] for reference in missing if (key := unversioned(reference)) in fetched}
