"""The Medications that drafts only refer to: from what came with the request, else from the FHIR server."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.gather import FhirSource
from fhir_plugin.reading.searches import QuerySession
from fhir_plugin.record.medication_references import MEDICATION_INPUTS, medications_in
from fhir_plugin.record.resources import Medication
from fhir_plugin.record.subjects import unversioned


async def find_medications(
    references: Collection[str],
    prefetch: Mapping[str, bytes | msgspec.Raw],
    source: FhirSource | None,
    clients: FhirServers,
    deadline: float,
) -> dict[str, Medication]:
    """Those of the Medications that can be had, by reference as written; ``deadline`` is in seconds.

    Only references of a FHIR server's own are followed: relative, or below its base address.
    """
    base = f"{source.base_url}/" if source else ""
    along = {
        f"Medication/{identifier}": medication
        for name in MEDICATION_INPUTS
        if name in prefetch
        for identifier, medication in medications_in(bytes(prefetch[name])).items()
    }
    found = {each: along[key] for each in references if (key := unversioned(each).removeprefix(base)) in along}
    lacking = [each for each in references if each not in found]
    if source is None or source.refusal or not lacking:
        return found
    server = clients.server(source.base_url, source.habits)
    seconds = min(deadline, source.good_for)
    asking = QuerySession(server, source.base_url, source.token, "", clients.limits, seconds, source.scope)
    read = await asking.medications(lacking)
    asking.conclude(in_haste=source.good_for < deadline)
    return found | {each: read[key] for each in lacking if (key := unversioned(each)) in read}
