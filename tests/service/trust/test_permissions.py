"""What the access token of a call may be used for: within its scope, while it is good, for nothing else."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest

from fhir_plugin.errors import RecordUnavailable
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.gather import FhirAccess, gather
from fhir_plugin.reading.scopes import EXPIRED, NOT_A_BEARER, OUT_OF_SCOPE, PARTIAL_SCOPE, ScopeCoverage, scope_coverage
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.record import InputState, Record
from tests.support.hooks.calls import PATIENT_VIEW, body
from tests.support.reading.faults import Faults, faulty_server
from tests.support.reading.material import PATIENT, bundle, resource
from tests.support.trust.canary import canary, was_reached
from tests.support.trust.signing import service


@pytest.mark.parametrize(
    ("scope", "read", "search"),
    [
        ("", ScopeCoverage.ALL, ScopeCoverage.ALL),
        ("launch openid fhirUser offline_access", ScopeCoverage.ALL, ScopeCoverage.ALL),
        ("user/*.read", ScopeCoverage.ALL, ScopeCoverage.ALL),
        ("patient/*.*", ScopeCoverage.ALL, ScopeCoverage.ALL),
        ("system/Observation.read", ScopeCoverage.ALL, ScopeCoverage.ALL),
        ("patient/Observation.rs", ScopeCoverage.ALL, ScopeCoverage.ALL),
        ("patient/*.cruds", ScopeCoverage.ALL, ScopeCoverage.ALL),
        ("patient/Observation.r", ScopeCoverage.ALL, ScopeCoverage.NOTHING),
        ("patient/Observation.s", ScopeCoverage.NOTHING, ScopeCoverage.ALL),
        ("patient/Observation.r patient/Observation.s", ScopeCoverage.ALL, ScopeCoverage.ALL),
        ("patient/Condition.rs", ScopeCoverage.NOTHING, ScopeCoverage.NOTHING),
        ("user/Observation.write", ScopeCoverage.NOTHING, ScopeCoverage.NOTHING),
        ("patient/Observation.cud", ScopeCoverage.NOTHING, ScopeCoverage.NOTHING),
        ("patient/Observation.rs?category=laboratory", ScopeCoverage.A_PART, ScopeCoverage.A_PART),
        ("patient/Observation.rs?category=laboratory user/Observation.rs", ScopeCoverage.ALL, ScopeCoverage.ALL),
        ("something/Observation.read", ScopeCoverage.ALL, ScopeCoverage.ALL),
        ("patient/Observation.sr", ScopeCoverage.ALL, ScopeCoverage.ALL),
        ("Observation.read patient/Condition.read", ScopeCoverage.NOTHING, ScopeCoverage.NOTHING),
    ],
)
def test_what_a_scope_covers(scope: str, read: ScopeCoverage, search: ScopeCoverage) -> None:
    assert scope_coverage(scope, "Observation", search=False) is read
    assert scope_coverage(scope, "Observation", search=True) is search


WANTED = ("patient", "conditions", "observations", "medicationRequests")


def read(**members: Any) -> tuple[Record | RecordUnavailable, Faults]:
    """A record read with a source of those members, and what the server saw."""

    async def go() -> tuple[Record | RecordUnavailable, Faults]:
        async with faulty_server() as faults, FhirServers() as clients:
            source = FhirAccess(faults.base(), "secret", **members)
            try:
                return await gather(PATIENT, {}, WANTED, (), source, clients, 1.0), faults
            except RecordUnavailable as fault:
                return fault, faults

    return asyncio.run(go())


def test_what_lies_outside_the_scope_is_not_asked_for_and_the_gap_says_so() -> None:
    record, faults = read(scope="patient/Patient.rs patient/Condition.rs patient/MedicationRequest.rs")
    assert isinstance(record, Record)
    assert record.gaps(WANTED) == (f"observations: not retrieved ({OUT_OF_SCOPE})", "medicationRequests: partial")
    assert {request.kind for request in faults.requests} == {"Patient", "Condition", "MedicationRequest"}
    assert [query.outcome for query in record.queries if query.input == "observations"] == [OUT_OF_SCOPE]


def test_a_part_of_a_type_is_never_taken_for_all_of_it() -> None:
    record, _ = read(scope="patient/*.rs?category=x patient/Patient.rs patient/Condition.rs")
    assert isinstance(record, Record)
    assert record.input("conditions").state is InputState.COMPLETE
    assert record.input("observations").state is InputState.PARTIAL
    assert f"observations: partial ({PARTIAL_SCOPE})" in record.gaps(WANTED)
    assert record.input("observations").resources


def test_what_is_required_and_outside_the_scope_is_said_to_be() -> None:
    fault, faults = read(scope="patient/Patient.rs")
    assert isinstance(fault, RecordUnavailable)
    assert str(fault) == f"conditions: not retrieved ({OUT_OF_SCOPE})"
    assert {request.kind for request in faults.requests} == {"Patient"}


def test_the_rest_of_a_prefetch_is_not_asked_for_outside_the_scope() -> None:
    async def go() -> tuple[Record, Faults]:
        async with faulty_server() as faults, FhirServers() as clients:
            page = bundle(resource("Observation"), next_url=f"{faults.base()}/Observation?page=2")
            source = FhirAccess(faults.base(), "secret", scope="user/Patient.read user/Condition.read")
            return await gather(PATIENT, {"observations": page}, WANTED, (), source, clients, 1.0), faults

    record, faults = asyncio.run(go())
    assert record.input("observations").state is InputState.PARTIAL
    assert {request.kind for request in faults.requests} == {"Patient", "Condition"}


def test_a_server_that_was_not_asked_was_not_silent() -> None:
    async def go() -> None:
        async with faulty_server() as faults, FhirServers() as clients:
            for members in ({"scope": "user/Device.read"}, {"good_for": 0.0001}):
                for _ in range(clients.limits.silent_calls + 1):
                    with pytest.raises(RecordUnavailable):
                        await gather(PATIENT, {}, WANTED, (), FhirAccess(faults.base(), "t", **members), clients, 1.0)
            assert await gather(PATIENT, {}, WANTED, (), FhirAccess(faults.base(), "t"), clients, 1.0)

    asyncio.run(go())


def test_a_token_is_not_used_beyond_its_time() -> None:
    async def go() -> float:
        async with faulty_server() as faults, FhirServers() as clients:
            source = FhirAccess(faults.base("latency", "Observation"), "secret", good_for=0.2)
            started = asyncio.get_running_loop().time()
            record = await gather(PATIENT, {}, WANTED, (), source, clients, 10.0)
            assert record.input("observations").state is InputState.NOT_RETRIEVED
            return asyncio.get_running_loop().time() - started

    assert asyncio.run(go()) < 5


# Whole calls


def asked(base_url: str, **authorization: Any) -> Any:
    request = body(PATIENT_VIEW, "doing-well", prefetch={}, fhirServer=base_url, fhirAuthorization=authorization)
    return service(deadline_seconds=0.2).post(PATIENT_VIEW, json=request)


@pytest.mark.parametrize(
    ("authorization", "said"),
    [
        ({"token_type": "MAC"}, NOT_A_BEARER),
        ({"token_type": "DPoP"}, NOT_A_BEARER),
        ({"expires_in": 0}, EXPIRED),
        ({"expires_in": -1}, EXPIRED),
        ({"expires_in": "0"}, EXPIRED),
        ({"scope": "patient/Immunization.rs"}, OUT_OF_SCOPE),
    ],
)
def test_a_token_that_must_not_be_used_is_not_and_the_answer_says_why(authorization: dict[str, Any], said: str) -> None:
    with canary() as (base_url, listener):
        answer = asked(base_url, access_token="secret", **authorization)
        assert answer.status_code == 412
        assert said in answer.json()["issue"][0]["diagnostics"]
        assert not was_reached(listener)


@pytest.mark.parametrize(
    "authorization",
    [
        {"token_type": "bearer"},
        {"token_type": "BEARER", "expires_in": 300},
        {"token_type": None, "scope": None, "expires_in": None},
        {"expires_in": "300"},
        {"expires_in": "soon"},
        {"expires_in": 1e300},
        {"scope": "launch openid", "subject": 7, "patient": None},
    ],
)
def test_a_token_of_loose_clients_is_used(authorization: dict[str, Any]) -> None:
    with canary() as (base_url, listener):
        assert asked(base_url, access_token="secret", **authorization).status_code == 412
        assert was_reached(listener)


@pytest.mark.parametrize("authorization", [{}, {"access_token": None}, {"access_token": ""}])
def test_an_authorization_without_a_token_is_none(authorization: dict[str, Any]) -> None:
    with canary() as (base_url, listener):
        assert asked(base_url, **authorization).status_code == 412
        assert was_reached(listener)


def test_every_input_has_a_type_that_scopes_can_name() -> None:
    makes: Callable[[str], ScopeCoverage] = lambda kind: scope_coverage(f"user/{kind}.rs", kind, search=True)  # noqa: E731
    assert all(makes(each.resource_type) is ScopeCoverage.ALL for each in INPUTS.values())
    assert FhirAccess("https://ehr.example/fhir").good_for == math.inf
