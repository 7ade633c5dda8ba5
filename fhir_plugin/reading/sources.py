"""Where the record of one patient comes from: a Bundle, a FHIR server, or the prefetch of a call with its FHIR server.

Reading a Bundle loads no HTTP client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fhir_plugin.errors import BadInput, PermanentlyUnavailable
from fhir_plugin.record.decoding import record_from_bundle
from fhir_plugin.record.record import Query, Record

if TYPE_CHECKING:
    import msgspec

    from fhir_plugin.reading.client import FhirServers
    from fhir_plugin.reading.gather import FhirAccess
    from fhir_plugin.reading.needs import DataNeeds


class RecordSource(Protocol):
    """Anything that has the record of one patient."""

    async def read(self) -> Record:
        """The record, and what of it could not be read.

        :raises RecordUnavailable: a required input cannot be read, or nothing can.
        :raises BadInput: the patient id is not valid.
        """


@dataclass(frozen=True, slots=True)
class BundleSource:
    """One FHIR Bundle in JSON that is the whole record of a patient."""

    bundle: bytes
    patient_id: str | None = None
    """Needed only where the Bundle is about several patients."""
    name: str = "bundle"
    """What messages call it, such as the name of a file."""

    async def read(self) -> Record:
        """The record in the Bundle; a type without resources counts as none, because the Bundle is the whole record."""
        try:
            return record_from_bundle(self.bundle, self.patient_id)
        except BadInput as fault:
            raise PermanentlyUnavailable(f"{self.name}: {fault}") from fault


@dataclass(frozen=True, slots=True)
class ServerSource:
    """A FHIR server that is queried for everything needed."""

    access: FhirAccess
    patient_id: str
    needs: DataNeeds
    deadline: float = 10.0
    """Seconds for all queries together."""
    servers: FhirServers | None = None
    """Shared connections; without them, connections are opened for this record and closed after it."""

    async def read(self) -> Record:
        """The record as the server has it now."""
        from fhir_plugin.reading.client import FhirServers

        if self.servers is not None:
            return await self._read_by(self.servers)
        async with FhirServers() as servers:
            return await self._read_by(servers)

    async def _read_by(self, servers: FhirServers) -> Record:
        return await PrefetchSource(self.patient_id, {}, self.needs, self.access, servers, self.deadline).read()


@dataclass(frozen=True, slots=True)
class PrefetchSource:
    """The prefetch of a call, and the FHIR server of that call for what the prefetch leaves out."""

    patient_id: str
    prefetch: Mapping[str, bytes | msgspec.Raw]
    """JSON by input name; an absent key was not provided."""
    needs: DataNeeds
    access: FhirAccess | None
    """``None`` where no server may be read."""
    servers: FhirServers
    deadline: float = 2.5
    """Seconds for all queries together."""
    queries: list[Query] | None = None
    """Receives every query, even if the record is unavailable."""
    barred: str = ""
    """Why the server that the caller named is not read, if it is not."""

    async def read(self) -> Record:
        """The record: the prefetch first, then the server."""
        from fhir_plugin.reading.gather import gather

        return await gather(
            self.patient_id,
            self.prefetch,
            self.needs.inputs,
            self.needs.codes,
            self.access,
            self.servers,
            self.deadline,
            self.queries,
            self.barred,
        )


def read_record(source: RecordSource) -> Record:
    """The record of a source, for a caller that does not await: a command, a script, a cell of a notebook.

    In a thread whose event loop is running, as in a notebook, it is read in another thread. Errors as
    :meth:`RecordSource.read`.
    """
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(source.read())
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, source.read()).result()
