"""Whatever address is named, in a request or in an answer, nothing is asked but what is listed."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from typing import Any

import httpcore
import pytest
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.settings.settings import Settings
from fhir_plugin.errors import RecordUnavailable
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.gather import FhirAccess, gather
from tests.support.hooks.calls import PATIENT_VIEW, body, knowledge
from tests.support.reading.faults import faulty_server, reply
from tests.support.reading.material import PATIENT, bundle, patient, resource, to_bytes
from tests.support.reading.names import resolve_to
from tests.support.trust.canary import canary, was_reached
from tests.support.trust.signing import BASE, bearer, claims, client, header, service, signed

HERE = (
    "127.0.0.1", "127.1", "127.0.1", "127.0.0.1.", "2130706433", "0x7f000001", "0x7f.0.0.1", "0X7F.1", "0177.0.0.1",
    "017700000001", "00000177.1", "127.000.000.001", "localhost", "LOCALHOST", "localhost.", "a.localhost",
    "127.0.0.1.nip.io", "localtest.me", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[::127.0.0.1]", "[::1%25lo]", "[::1%lo]", "[::]", "0.0.0.0", "0",  # noqa: S104 - what is refused
     "①②⑦.⓪.⓪.①", "127。0。0。1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "xn--localhost-", "127.0.0.1%2f", "127.0.0.1%00", "ehr.example", "ehr.example%00.127.0.0.1", "ehr.example.",
)  # fmt: skip
"""Ways to write this machine; every name leads to it, because the resolver of these tests says so."""

WAYS = (
    "http://{host}:{port}/fhir", "https://{host}:{port}/fhir", "HTTP://{host}:{port}/fhir/", "//{host}:{port}/fhir",
    "http:{host}:{port}/fhir", "http:/{host}:{port}/fhir", "http:\\\\{host}:{port}\\fhir", "\thttp://{host}:{port}/fhir",
    "http://{listed}@{host}:{port}/fhir", "http://{listed}:{port}@{host}:{port}/fhir",
    "http://{listed}\\@{host}:{port}/fhir", "http://{host}:{port}\\@{listed}/fhir", "http://{host}:{port}#@{listed}/fhir",
    "http://{host}:{port}/#http://{listed}/fhir", "http://{host}:{port}?http://{listed}/fhir",
    "http://{listed}%2f@{host}:{port}/fhir", "http://{listed}%2f..%2f@{host}:{port}", "http://{listed}/fhir@{host}:{port}/",
    "http://{listed}/../../{host}:{port}/fhir", "http://{host}:{port}/fhir\r\nHost: {listed}", "http://{host}:{port};/fhir",
    "gopher://{host}:{port}/fhir", "ftp://{host}:{port}/fhir", "{host}:{port}/fhir",
)  # fmt: skip
LISTED = "127.0.0.1:9"
"""Nothing listens there."""


def hostile(port: int, listed: str) -> list[str]:
    """Every way for every other spelling, by turns."""
    every = [way.format(host=host, port=port, listed=listed) for way in WAYS for host in HERE]
    return every[::2]


def test_there_are_enough_of_them() -> None:
    assert len(set(hostile(1, LISTED))) >= 300


@pytest.fixture
def _every_name_leads_here(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "127.0.0.1")


@pytest.mark.usefixtures("_every_name_leads_here")
def test_no_call_makes_the_service_ask_anybody() -> None:
    with canary() as (base_url, listener):
        port = int(base_url.split(":")[2].partition("/")[0])
        listed = (f"http://{LISTED}/fhir", f"https://ehr.example:{port}/fhir", "https://ehr.example/fhir")
        guarded = service(client("a", "ec-1", fhir_servers=listed), deadline_seconds=0.2)
        request = body(PATIENT_VIEW, "doing-well", prefetch={}, fhirAuthorization={"access_token": "secret"})
        for server in hostile(port, LISTED):
            token = signed(header(), claims(iss="https://a.example", aud=BASE + PATIENT_VIEW))
            answer = guarded.post(PATIENT_VIEW, json=request | {"fhirServer": server}, headers=bearer(token))
            assert answer.status_code in (400, 412), server
            assert server not in answer.text
            assert not was_reached(listener), server


@pytest.mark.usefixtures("_every_name_leads_here")
def test_an_open_service_asks_only_whom_it_may() -> None:
    with canary() as (base_url, listener):
        port = int(base_url.split(":")[2].partition("/")[0])
        open_service = service(
            allow_loopback_fhir=False, fhir_servers=("https://ehr.example/fhir",), deadline_seconds=0.2
        )
        request = body(PATIENT_VIEW, "doing-well", prefetch={})
        for server in hostile(port, LISTED):
            answer = open_service.post(PATIENT_VIEW, json=request | {"fhirServer": server})
            assert answer.status_code in (400, 412), server
            assert not was_reached(listener), server


INSIDE = (
    "127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "169.254.169.254", "::ffff:169.254.169.254", "fe80::1",
    "0.0.0.0", "::", "::ffff:0.0.0.0", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1",  # noqa: S104
)  # fmt: skip
"""Addresses that no FHIR server has that is known by a name."""
OUTSIDE = "203.0.113.7"


def test_a_listed_name_that_leads_inside_is_not_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is right, its address is not, or one of its addresses; and it is looked up once for each connection."""
    with canary() as (base_url, listener):
        listed = base_url.replace("http://127.0.0.1", "https://ehr.example")
        guarded = service(client("a", "ec-1", fhir_servers=(listed,)), deadline_seconds=0.2)
        mixed = [*((OUTSIDE, each) for each in INSIDE[::2]), *((each, OUTSIDE) for each in INSIDE[1::2])]
        for addresses in (*((each,) for each in INSIDE), *mixed):
            asked = resolve_to(monkeypatch, *addresses)
            assert read_by_name(guarded, listed) == 412
            assert set(asked) == {"ehr.example"}
            assert not was_reached(listener), addresses


def read_by_name(guarded: TestClient, listed: str) -> int:
    """The status of a call of the client ``a`` whose record has to be read there."""
    token = signed(header(), claims(iss="https://a.example", aud=BASE + PATIENT_VIEW))
    request = body(PATIENT_VIEW, "doing-well", prefetch={}, fhirServer=listed)
    return guarded.post(PATIENT_VIEW, json=request, headers=bearer(token)).status_code


def test_a_name_that_changes_its_address_is_connected_to_where_it_was_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: whoever looks it up a second time is led inside."""
    answers = itertools.cycle((OUTSIDE, "127.0.0.1"))
    looked_up: list[str] = []
    connected: list[str] = []

    async def resolve(self: object, host: str, port: int, **_: Any) -> list[Any]:
        looked_up.append(next(answers))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (looked_up[-1], port))]

    async def connect(self: object, host: str, *_: Any) -> None:
        connected.append(host)
        raise httpcore.ConnectError

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolve)
    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)
    listed = "https://ehr.example/fhir"
    guarded = service(client("a", "ec-1", fhir_servers=(listed,)), deadline_seconds=0.2)
    for _ in range(5):
        assert read_by_name(guarded, listed) == 412
    assert connected == [OUTSIDE] * looked_up.count(OUTSIDE)
    assert len(looked_up) >= 20


async def follow(links: list[str], clients: FhirServers, base_url: str, token: str) -> None:
    """Read records whose conditions go on at each of the links, and whose order refers to a drug there."""
    source = FhirAccess(base_url, token)
    for link in links:
        page = bundle(resource("Condition"), next_url=link)
        drug = {"reference": f"{link.rstrip('/')}/Medication/m1"}
        orders = bundle(resource("MedicationRequest", medicationReference=drug))
        supplied = {"conditions": page, "medicationRequests": orders}
        try:
            await gather(PATIENT, supplied, ("patient", *supplied), (), source, clients, 1.0)
        except RecordUnavailable:
            continue


def test_no_next_link_and_no_reference_leads_away(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> tuple[list[str], list[Any]]:
        async with faulty_server() as faults, FhirServers() as clients:
            base_url = faults.base()
            host = base_url.split("/")[2]
            resolve_to(monkeypatch, "127.0.0.1")
            await follow(hostile(faults.canary_port, host), clients, base_url, "secret")
            return faults.canary, faults.requests

    reached, asked = asyncio.run(go())
    assert reached == []
    assert len(asked) > 300
    assert all(request.target.startswith("/none/Condition/fhir/") for request in asked)


REDIRECTS = (300, 301, 302, 303, 304, 305, 306, 307, 308)


@pytest.mark.parametrize("by", ["a redirect", "a Link header"])
def test_no_answer_leads_away(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> tuple[int, list[str], int]:
        async with faulty_server() as faults, FhirServers() as clients:
            base_url = faults.base("led-away")
            addresses = hostile(faults.canary_port, base_url.split("/")[2])[::3]
            turns = zip(itertools.cycle(REDIRECTS), itertools.cycle(addresses))
            faults.answers["led-away"] = lambda _: led_away(by, *next(turns))
            resolve_to(monkeypatch, "127.0.0.1")
            ended = 0
            for _ in addresses:
                source = FhirAccess(base_url, "secret")
                try:
                    await gather(PATIENT, {"patient": to_bytes(patient())}, WANTED, (), source, clients, 1.0)
                except RecordUnavailable:
                    ended += 1
            return ended, faults.canary, len(faults.requests)

    ended, reached, asked = asyncio.run(go())
    assert reached == []
    assert asked >= 129, "one request each: nothing was followed"
    assert ended == (asked if by == "a redirect" else 0)


WANTED = ("patient", "conditions")


def led_away(by: str, status: int, address: str) -> bytes:
    """A whole answer that says to go on at that address."""
    if by == "a redirect":
        return reply(b"", f"{status} Elsewhere", Location=address, Refresh=f"0; url={address}")
    return reply(bundle(resource("Condition")), Link=f'<{address}>; rel="next"', Content_Location=address)


@pytest.mark.usefixtures("_every_name_leads_here")
def test_no_launch_makes_the_app_ask_anybody() -> None:
    entry = {"name": "test", "title": "Test", "issuer": "https://ehr.example/fhir", "client_id": "tandem"}
    settings = Settings(public_url=BASE, smart=(entry,), database="off")  # type: ignore[arg-type]
    app = TestClient(create_app(settings, knowledge()), base_url=BASE)
    with canary() as (base_url, listener):
        for issuer in hostile(int(base_url.split(":")[2].partition("/")[0]), LISTED)[::3]:
            answer = app.get("/smart/launch", params={"iss": issuer, "launch": "x"}, follow_redirects=False)
            assert (answer.status_code, "not set up for the EHR" in answer.text) == (400, True), issuer
            assert not was_reached(listener), issuer


def test_no_token_names_where_its_key_is() -> None:
    guarded = service(client("a", "ec-1"))
    with canary() as (base_url, listener), socket.socket():
        port = int(base_url.split(":")[2].partition("/")[0])
        for address in hostile(port, LISTED)[::3]:
            head = header(jku=address, x5u=address, kid="nobody")
            token = signed(json.dumps(head).encode(), claims(iss="https://a.example", aud=BASE + PATIENT_VIEW))
            assert guarded.post(PATIENT_VIEW, content=b"{}", headers=bearer(token)).status_code == 401
        assert not was_reached(listener)
