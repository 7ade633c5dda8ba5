"""What goes over the wire: encoded searches, fresh answers, and a total that tells of more than came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from cds_hooks.demo.strictness import is_valid_target
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.gather import FhirAccess, gather
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.record import Input, InputState, Record
from mappings.schema.service.servers import ServerHabits
from tests.support.reading.faults import Faults, Request, faulty_server, good, reply
from tests.support.reading.material import PATIENT, bundle, resource

LISTS = [name for name in INPUTS if name != "patient"]
CODES = ("44261-6", "http://loinc.org|85354-9", "http://loinc.org|8480-6")
Answer = Callable[[Request], bytes]


def read(
    answer: Answer = good, kind: str = "Observation", habits: ServerHabits | None = None, *names: str
) -> tuple[Record, Faults]:
    """The record from the server alone; ``answer`` is what it says for one type."""

    async def go() -> tuple[Record, Faults]:
        async with faulty_server() as faults, FhirServers() as servers:
            faults.answers["own"] = answer
            access = FhirAccess(faults.base("own", kind), habits=habits or ServerHabits())
            return await gather(PATIENT, {}, names or tuple(INPUTS), CODES, access, servers, 2.5), faults

    return asyncio.run(go())


@pytest.mark.parametrize("post_search", ["never", "long"])
def test_searches_are_encoded_and_ask_for_what_is_new(post_search: str) -> None:
    record, faults = read(habits=ServerHabits(post_search=post_search, url_length=60))  # type: ignore[arg-type]
    assert not record.gaps(tuple(INPUTS))
    assert len(faults.requests) > len(INPUTS)
    for request in faults.requests:
        query = request.target.partition("?")[2] or request.body.decode()
        assert is_valid_target(request.target.encode())
        assert not set("|:/,") & set(query)
        assert request.headers["cache-control"] == "no-cache"
    (codes,) = {each.query["code"][0] for each in faults.requests if each.kind == "Observation"}
    assert codes == ",".join(CODES), "a proxy that makes one slash of two finds none to change"


@pytest.mark.parametrize("link", ["{base}/{kind}?code=http://loinc.org|1,2&page=2", "{kind}?of={{x}}&url=http://a/b|c"])
def test_a_link_that_the_server_left_unencoded_is_followed_encoded(link: str) -> None:
    def paged(request: Request) -> bytes:
        further = "of" in request.query or "page" in request.query
        more = None if further else link.format(base=request.base, kind=request.kind)
        return reply(bundle(resource(request.kind, len(request.query)), next_url=more))

    record, faults = read(paged)
    assert record.input("observations").whole
    assert len(record.input("observations").resources) == 2
    last = [each for each in faults.requests if each.kind == "Observation"][-1]
    assert not set("|:/,{}") & set(last.target.partition("?")[2])
    assert last.headers["cache-control"] == "no-cache"


def part(name: str, answer: Answer) -> Input:
    """That input, where its type is answered so."""
    wanted = {name, *(key for key, each in INPUTS.items() if each.required)}
    record, _ = read(answer, INPUTS[name].resource_type, None, *wanted)
    return record.input(name)


@pytest.mark.parametrize("name", LISTS)
def test_a_total_above_what_came_makes_every_input_a_part(name: str) -> None:
    found = part(name, lambda request: reply(bundle(resource(request.kind), total=7)))
    assert (found.state, found.why) == (InputState.PARTIAL, "1 of 7 entries")


@pytest.mark.parametrize("name", LISTS)
def test_a_total_of_the_first_page_is_held_against_all_pages(name: str) -> None:
    def paged(request: Request) -> bytes:
        if "page" in request.query:
            return reply(bundle(resource(request.kind, 2)))
        more = f"{request.base}/{request.kind}?patient={PATIENT}&page=2"
        return reply(bundle(resource(request.kind), total=7, next_url=more))

    found = part(name, paged)
    assert (found.state, found.why, len(found.resources)) == (InputState.PARTIAL, "2 of 7 entries", 2)


@pytest.mark.parametrize(
    ("target", "valid"),
    [
        (b"/fhir/Observation?code=http%3A%2F%2Floinc.org%7C1", True),
        (b"/fhir/Observation?code=http://loinc.org", True),
        (b"/fhir?", True),
        (b"/fhir/Observation?code=http://loinc.org|1", False),
        (b"/fhir/Observation?x={1}", False),
        (b"/fhir/Observation?x=[1]", False),
        (b"/fhir/Observation?x=1^2", False),
        (b"/fhir/Observation?x=100%", False),
        (b"/fhir/Observation?x=\xc3\xa9", False),
        (b"/fhir/a|b", False),
        (b"fhir", False),
    ],
)
def test_the_servers_of_the_tests_know_what_is_valid(target: bytes, valid: bool) -> None:
    assert is_valid_target(target) is valid


def test_the_servers_of_the_tests_refuse_what_is_not() -> None:
    async def go() -> tuple[bytes, bytes]:
        async with faulty_server() as faults:
            base = faults.base().partition("//")[2].partition("/")[2]
            return await _status(faults.port, f"/{base}/Condition?code=a|b"), await _status(
                faults.port, f"/{base}/Condition?code=a%7Cb"
            )

    assert asyncio.run(go()) == (b"400", b"200")


async def _status(port: int, target: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    line = await reader.readline()
    writer.close()
    return line.split(b" ")[1]


def test_null_from_a_server_is_no_empty_list_and_a_byte_order_mark_is_no_fault() -> None:
    assert part("procedures", lambda _: reply(b"null")).state is InputState.UNREADABLE
    assert part("procedures", lambda request: reply(b"\xef\xbb\xbf" + bundle(resource(request.kind)))).whole


def test_far_more_text_than_charts_hold_is_not_read_from_a_server_either() -> None:
    def wordy(request: Request) -> bytes:
        return reply(bundle(*(resource(request.kind, n, code={"text": f"{n} " + "x" * 4_000}) for n in range(70))))

    assert part("procedures", wordy).state is InputState.UNREADABLE
