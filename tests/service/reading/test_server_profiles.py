"""Kinds of FHIR server: each is asked as its profile says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.gather import FhirAccess, gather
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.record import InputState, Record
from mappings.schema.base.entries import KnowledgeError
from mappings.schema.base.files import KNOWLEDGE
from mappings.schema.service.servers import DEFAULT_HABITS, ServerHabits, load_server_profiles
from tests.support.reading.faults import Faults, faulty_server
from tests.support.reading.material import PATIENT
from tests.support.shipped import shipped

PROFILES = load_server_profiles()
MANY = tuple(f"http://loinc.org|{number}-0" for number in range(200))


def read(habits: ServerHabits, codes: tuple[str, ...] = ("44261-6",)) -> tuple[Record, Faults]:
    async def go() -> tuple[Record, Faults]:
        async with faulty_server() as faults, FhirServers() as clients:
            source = FhirAccess(faults.base(), habits=habits)
            return await gather(PATIENT, {}, tuple(INPUTS), codes, source, clients, 2.5), faults

    return asyncio.run(go())


def test_the_profiles_are_those_of_the_servers_that_we_know_of() -> None:
    assert set(PROFILES) == {"generic-r4", "epic", "oracle-health", "hapi", "google", "azure"}
    assert shipped().servers == PROFILES
    assert PROFILES["generic-r4"].habits == DEFAULT_HABITS


@pytest.mark.parametrize("name", PROFILES)
def test_a_record_is_read_whole_but_for_what_the_server_does_not_have(name: str) -> None:
    habits = PROFILES[name].habits
    record, faults = read(habits)
    for each in INPUTS.values():
        whole = each.resource_type not in habits.not_offered
        assert record.input(each.name).whole == whole
    assert not habits.not_offered & {asked.kind for asked in faults.requests}


def test_what_a_server_does_not_have_is_not_retrieved_and_the_query_says_why() -> None:
    record, _ = read(PROFILES["epic"].habits)
    assert record.input("medicationStatements").state is InputState.NOT_RETRIEVED
    (query,) = (each for each in record.queries if each.input == "medicationStatements")
    assert query.outcome == "not asked, this kind of server has none"


@pytest.mark.parametrize(("name", "size"), [("generic-r4", "200"), ("google", "1000"), ("azure", "1000")])
def test_pages_are_as_large_as_the_profile_says(name: str, size: str) -> None:
    _, faults = read(PROFILES[name].habits)
    assert {asked.query["_count"][0] for asked in faults.requests if "_count" in asked.query} == {size}


@pytest.mark.parametrize(("name", "method"), [("generic-r4", "POST"), ("google", "GET")])
def test_a_long_search_is_posted_only_where_the_server_takes_forms(name: str, method: str) -> None:
    _, faults = read(PROFILES[name].habits, MANY)
    assert {asked.method for asked in faults.requests if asked.kind == "Observation"} == {method}


@pytest.mark.parametrize(("name", "strict"), [("generic-r4", False), ("azure", True)])
def test_strict_handling_is_preferred_where_parameters_would_be_ignored(name: str, *, strict: bool) -> None:
    _, faults = read(PROFILES[name].habits)
    assert {asked.headers.get("prefer") for asked in faults.requests} == {"handling=strict" if strict else None}


def test_every_way_in_which_a_server_differs_names_its_source() -> None:
    for profile in PROFILES.values():
        assert profile.remarks
        assert all(remark.source.startswith(("https://", "http://")) for remark in profile.remarks)


def test_a_folder_without_the_plain_profile_is_refused(tmp_path: Path) -> None:
    (tmp_path / "epic.yaml").write_text((KNOWLEDGE / "servers" / "epic.yaml").read_text())
    with pytest.raises(KnowledgeError, match="generic-r4"):
        load_server_profiles(tmp_path)


def test_a_misspelt_habit_is_refused(tmp_path: Path) -> None:
    text = (KNOWLEDGE / "servers" / "generic-r4.yaml").read_text()
    (tmp_path / "generic-r4.yaml").write_text(text.replace("habits: {}", "habits: {pagesize: 3}"))
    with pytest.raises(KnowledgeError, match=r"generic-r4.yaml: habits.pagesize"):
        load_server_profiles(tmp_path)
