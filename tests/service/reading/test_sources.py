"""Where a record comes from: whatever the source, the same record, and one way to ask for it."""

from __future__ import annotations

import asyncio
from codecs import BOM_UTF8

import pytest

from fhir_plugin.errors import BadInput, PermanentlyUnavailable, TemporarilyUnavailable
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.gather import FhirAccess
from fhir_plugin.reading.needs import DataNeeds
from fhir_plugin.reading.sources import BundleSource, PrefetchSource, RecordSource, ServerSource, read_record
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.record import InputState, Query, Record
from tests.support.reading.faults import faulty_server
from tests.support.reading.material import OTHER, PATIENT, bundle, patient, resource, supplied, to_bytes

NEEDS = DataNeeds(tuple(INPUTS), ("44261-6",))
WHOLE = bundle(patient(), *(resource(kind) for name in INPUTS if (kind := INPUTS[name].resource_type) != "Patient"))


def references(record: Record) -> dict[str, set[str]]:
    """What was read, by input."""
    return {name: {kept.reference for kept in record.input(name).resources} for name in INPUTS}


def test_every_source_gives_the_same_record() -> None:
    async def go() -> list[Record]:
        async with faulty_server() as faults, FhirServers() as servers:
            access = FhirAccess(faults.base())
            sources: list[RecordSource] = [
                BundleSource(WHOLE),
                ServerSource(access, PATIENT, NEEDS),
                ServerSource(access, PATIENT, NEEDS, servers=servers),
                PrefetchSource(PATIENT, supplied(), NEEDS, None, servers),
                PrefetchSource(PATIENT, supplied("conditions", "devices"), NEEDS, access, servers),
            ]
            return [await source.read() for source in sources]

    first, *others = asyncio.run(go())
    assert first.gaps(NEEDS.inputs) == ()
    assert all(len(kept) == 1 for kept in references(first).values())
    for other in others:
        assert references(other) == references(first)
        assert other.gaps(NEEDS.inputs) == ()


def test_what_a_prefetch_leaves_out_is_not_provided_where_no_server_may_be_read() -> None:
    async def go() -> Record:
        async with FhirServers() as servers:
            return await PrefetchSource(PATIENT, supplied("devices"), NEEDS, None, servers).read()

    assert asyncio.run(go()).input("devices").state is InputState.NOT_RETRIEVED


def test_the_queries_are_kept_although_there_is_no_record() -> None:
    queries: list[Query] = []

    async def go() -> None:
        async with faulty_server() as faults, FhirServers() as servers:
            access = FhirAccess(faults.base("401", "Condition"))
            await PrefetchSource(PATIENT, {}, NEEDS, access, servers, queries=queries).read()

    with pytest.raises(PermanentlyUnavailable, match="conditions"):
        asyncio.run(go())
    assert {query.input: query.outcome for query in queries}["conditions"] == "401"


def test_a_caller_without_an_event_loop() -> None:
    assert read_record(BundleSource(BOM_UTF8 + WHOLE)).patient_id == PATIENT
    with pytest.raises(TemporarilyUnavailable, match="patient: not retrieved"):
        read_record(ServerSource(FhirAccess("http://127.0.0.1:9/fhir"), PATIENT, DataNeeds(("patient",))))


def test_a_cell_of_a_notebook_in_which_an_event_loop_runs() -> None:
    async def cell() -> Record:
        return read_record(BundleSource(WHOLE))

    assert asyncio.run(cell()) == read_record(BundleSource(WHOLE))


def test_a_bundle_that_cannot_be_read_is_called_by_its_name() -> None:
    with pytest.raises(PermanentlyUnavailable, match=r"^export/7\.json: this is not a FHIR Bundle in JSON$"):
        read_record(BundleSource(b"[]", name="export/7.json"))
    with pytest.raises(PermanentlyUnavailable, match=r"^bundle: the file is about 2 patients"):
        read_record(BundleSource(bundle(patient(), patient(OTHER))))


def test_a_bundle_about_several_patients_is_read_for_one() -> None:
    both = bundle(patient(), patient(OTHER), resource("Condition"), resource("Condition", 2, f"Patient/{OTHER}"))
    record = read_record(BundleSource(both, OTHER))
    assert references(record)["conditions"] == {"Condition/2"}
    assert record.dropped == 2


def test_a_patient_id_that_is_none_is_refused() -> None:
    async def go() -> Record:
        async with FhirServers() as servers:
            prefetch = {"patient": to_bytes(patient())}
            return await PrefetchSource("../x", prefetch, NEEDS, None, servers).read()

    with pytest.raises(BadInput):
        asyncio.run(go())
