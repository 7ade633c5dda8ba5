"""No name leads where no FHIR server is."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest

from fhir_plugin.reading.addresses import is_allowed, is_confidential
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.responses import ByteAllowance, Limits, ServerResponse
from tests.support.reading.faults import faulty_server
from tests.support.reading.names import resolve_to


@pytest.mark.parametrize(
    ("address", "host", "allowed"),
    [
        ("203.0.113.7", "ehr.example", True),
        ("10.1.2.3", "ehr.example", True),
        ("192.168.1.2", "ehr.example", True),
        ("2001:db8::1", "ehr.example", True),
        ("fd00::1", "ehr.example", True),
        ("::ffff:10.1.2.3", "ehr.example", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "localhost", True),
        ("::1", "[::1]", True),
        ("127.0.0.1", "ehr.example", False),
        ("::1", "ehr.example", False),
        ("::ffff:127.0.0.1", "ehr.example", False),
        ("127.8.8.8", "localhost.ehr.example", False),
        ("169.254.169.254", "ehr.example", False),
        ("169.254.169.254", "169.254.169.254", False),
        ("::ffff:169.254.169.254", "[::ffff:169.254.169.254]", False),
        ("fe80::1", "ehr.example", False),
        ("0.0.0.0", "0.0.0.0", False),  # noqa: S104 - refused, not bound
        ("::", "[::]", False),
        ("224.0.0.1", "ehr.example", False),
        ("255.255.255.255", "ehr.example", False),
        ("240.0.0.1", "ehr.example", False),
    ],
)
def test_where_a_server_may_live(address: str, host: str, *, allowed: bool) -> None:
    assert is_allowed(ip_address(address), host) == allowed


@pytest.mark.parametrize(
    ("url", "confidential"),
    [
        ("https://ehr.example/token", True),
        ("https://10.1.2.3/token", True),
        ("http://127.0.0.1:8080/token", True),
        ("http://[::1]/token", True),
        ("http://localhost/token", True),
        ("http://ehr.example/token", False),
        ("http://10.1.2.3/token", False),
        ("http://203.0.113.7/token", False),
        ("http://[2001:db8::1]/token", False),
        ("http://localhost.ehr.example/token", False),
        ("http://127.0.0.1@ehr.example/token", False),
        ("https://user@ehr.example/token", False),
        ("https://ehr.example\\@evil.example/token", False),
        ("https://ehr.example/token#part", False),
        ("https://ehr.example:port/token", False),
        ("https:///token", False),
        ("ftp://127.0.0.1/token", False),
    ],
)
def test_a_secret_is_sent_only_where_nobody_can_listen(url: str, *, confidential: bool) -> None:
    assert is_confidential(url) == confidential


async def ask(clients: FhirServers, base_url: str) -> ServerResponse:
    server = clients.server(base_url)
    deadline = asyncio.get_running_loop().time() + 1
    return await server.ask(server.url("Patient/p1"), "secret", ByteAllowance(clients.limits), deadline)


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["203.0.113.7", "127.0.0.1"], ["169.254.169.254"]])
def test_a_name_that_leads_inside_is_not_connected_to(addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, *addresses)

    async def go() -> ServerResponse:
        async with faulty_server() as faults, FhirServers() as clients:
            answer = await ask(clients, f"http://ehr.example:{faults.port}/none/x/fhir")
            assert faults.requests == []
            return answer

    assert asyncio.run(go()) == ServerResponse("address refused")


def test_the_name_is_resolved_once_for_each_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolve_to(monkeypatch, "127.0.0.1")

    async def go() -> None:
        async with faulty_server() as faults, FhirServers() as clients:
            for _ in range(3):
                assert (await ask(clients, f"http://localhost:{faults.port}/none/x/fhir")).outcome == "200"

    asyncio.run(go())
    assert asked == ["localhost"]


def test_a_name_without_an_address_is_a_failed_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch)

    async def go() -> ServerResponse:
        async with FhirServers() as clients:
            return await ask(clients, "http://ehr.example/fhir")

    assert asyncio.run(go()) == ServerResponse("connection failed", temporary=True)


def test_pools_are_bounded_and_those_in_use_stay() -> None:
    async def go() -> None:
        async with faulty_server() as faults, FhirServers(Limits(servers=2)) as clients:
            first = clients.server(faults.base("latency", "Patient"))
            busy = asyncio.create_task(ask(clients, faults.base("latency", "Patient")))
            while not first.in_flight:  # noqa: ASYNC110 - the request is under way after a turn or two
                await asyncio.sleep(0)
            second = clients.server(faults.base("a"))
            assert clients.server(faults.base("b")) is not second
            assert clients.server(faults.base("latency", "Patient")) is first
            assert clients.server(faults.base("a")) is not second
            busy.cancel()
            await asyncio.gather(busy, return_exceptions=True)
            assert not first.in_flight

    asyncio.run(go())
