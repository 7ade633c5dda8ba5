"""What the sandbox asks of a FHIR server in place of an EHR."""

from __future__ import annotations

import asyncio

from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.gather import FhirAccess
from fhir_plugin.reading.prefetching import PrefetchResult, prefetch
from fhir_plugin.record.opening import MAX_ENTRIES
from tests.support.reading.faults import Request, faulty_server, reply
from tests.support.reading.material import PATIENT


def test_what_the_sandbox_prefetches_is_bounded_as_what_is_read() -> None:
    """A server that gives more than was asked for costs no more there than in the service."""

    def many(_: Request) -> bytes:
        return reply(b'{"resourceType":"Bundle","entry":[' + b",".join([b"1"] * (MAX_ENTRIES + 1)) + b"]}")

    async def go() -> PrefetchResult:
        async with faulty_server() as faults, FhirServers() as clients:
            faults.answers["own"] = many
            access = FhirAccess(faults.base("own"))
            return await prefetch(access, PATIENT, ("patient", "conditions"), (), clients, 5)

    result = asyncio.run(go())
    assert set(result.values) == {"patient"}
    assert [query.outcome for query in result.queries if query.input == "conditions"] == [
        f"200, more than {MAX_ENTRIES} entries: not read"
    ]
