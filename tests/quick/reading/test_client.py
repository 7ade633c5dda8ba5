"""What is sent to a FHIR server, and what is accepted from it."""

from __future__ import annotations

import asyncio
import gzip
import logging
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpcore
import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from cds_hooks.demo.strictness import is_valid_target
from fhir_plugin.reading.client import FhirServer, FhirServers
from fhir_plugin.reading.responses import ByteAllowance, Limits, ServerResponse, _retry_after
from fhir_plugin.reading.urls import encoded
from tests.support.profiles import examples

BASE = "https://ehr.example/fhir"
LIMITS = Limits(pause_seconds=0)
CONTEXT = ssl.create_default_context()


def with_server(work: Callable[[FhirServer], Awaitable[ServerResponse]], limits: Limits = LIMITS) -> ServerResponse:
    """What the work comes to on a server of its own."""

    async def go() -> ServerResponse:
        async with FhirServers(limits, CONTEXT) as clients:
            return await work(clients.server(BASE))

    return asyncio.run(go())


def ask(relative: str, token: str | None = None, limits: Limits = LIMITS, seconds: float = 1.0) -> ServerResponse:
    """One question, one answer."""

    async def work(server: FhirServer) -> ServerResponse:
        deadline = asyncio.get_running_loop().time() + seconds
        return await server.ask(server.url(relative), token, ByteAllowance(limits), deadline)

    return with_server(work, limits)


@respx.mock
def test_a_read_says_what_it_must_and_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    route = respx.get(f"{BASE}/Condition", params={"patient": "p1"}).respond(
        json={}, headers={"Set-Cookie": "session=1"}
    )
    with caplog.at_level(logging.INFO):
        assert ask("Condition?patient=p1", "secret") == ServerResponse("200", b"{}")
    sent = route.calls.last.request
    assert sent.headers["Authorization"] == "Bearer secret"
    assert sent.headers["Accept"] == "application/fhir+json"
    assert sent.headers["Accept-Encoding"] == "gzip"
    assert sent.headers["Cache-Control"] == "no-cache", "HAPI answers a repeated search from a cache"
    assert caplog.text == "", "a URL names the patient: it is in no log"


@respx.mock
def test_nothing_of_one_caller_is_kept_for_the_next() -> None:
    route = respx.get(f"{BASE}/Patient/p1").respond(json={}, headers={"Set-Cookie": "session=1; Path=/"})

    async def twice(server: FhirServer) -> ServerResponse:
        deadline = asyncio.get_running_loop().time() + 1
        await server.ask(server.url("Patient/p1"), "first", ByteAllowance(LIMITS), deadline)
        return await server.ask(server.url("Patient/p1"), None, ByteAllowance(LIMITS), deadline)

    with_server(twice)
    second = route.calls.last.request
    assert "Cookie" not in second.headers
    assert "Authorization" not in second.headers


@respx.mock
def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://proxy.example:1")
    respx.get(f"{BASE}/Patient/p1").respond(json={})
    assert ask("Patient/p1").outcome == "200"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@respx.mock
def test_a_temporary_failure_is_tried_once_more(status: int) -> None:
    route = respx.get(f"{BASE}/Patient/p1")
    route.side_effect = [httpx.Response(status), httpx.Response(200, content=b"1"), httpx.Response(500)]
    assert ask("Patient/p1") == ServerResponse("200", b"1")
    assert route.call_count == 2


@respx.mock
def test_a_temporary_failure_is_not_tried_a_third_time() -> None:
    route = respx.get(f"{BASE}/Patient/p1").mock(side_effect=httpcore.ReadError)
    assert ask("Patient/p1") == ServerResponse("connection failed", temporary=True)
    assert route.call_count == 2


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 410, 501])
@respx.mock
def test_a_lasting_refusal_is_not_tried_again(status: int) -> None:
    route = respx.get(f"{BASE}/Patient/p1").respond(status, headers={"Location": "https://canary.example/"})
    answer = ask("Patient/p1")
    words = f"{status} redirect refused" if status < 400 else str(status)
    assert (answer, route.call_count) == (ServerResponse(words), 1)


@pytest.mark.parametrize(
    ("retry_after", "calls"),
    [
        ("0", 2),
        ("3600", 1),
        (format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True), 1),
        (format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True), 2),
        ("soon", 2),
        ("-5", 2),
    ],
    ids=["at once", "in an hour", "at an instant in an hour", "at an instant an hour ago", "in words", "before now"],
)
@respx.mock
def test_retry_after_is_kept_when_it_fits_the_deadline(retry_after: str, calls: int) -> None:
    route = respx.get(f"{BASE}/Patient/p1").respond(429, headers={"Retry-After": retry_after})
    assert ask("Patient/p1").outcome == "429"
    assert route.call_count == calls


DATES = r"[A-Z][a-z]{2}, \d{1,9} [A-Z][a-z]{2} \d{1,9} \d\d:\d\d:\d\d [A-Z+]{1,3}\d*"


@given(st.text(max_size=12) | st.from_regex(DATES))
def test_any_retry_after_is_read_as_seconds_or_not_at_all(text: str) -> None:
    wait = _retry_after(text)
    assert wait is None or wait >= 0


LONG = "Observation?patient=p1&code=" + "%2C".join(f"http%3A%2F%2Floinc.org%7C{number}" for number in range(100))


@respx.mock
def test_a_long_search_is_posted() -> None:
    posted = respx.post(f"{BASE}/Observation/_search").respond(json={})
    assert ask(LONG, "secret").outcome == "200"
    sent = posted.calls.last.request
    assert sent.content.decode() == LONG.partition("?")[2]
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert sent.headers["Cache-Control"] == "no-cache"
    assert sent.headers["Authorization"] == "Bearer secret"


SEARCHES = (
    ("Observation?code=http://loinc.org|8480-6,8462-4", b"Observation?code=http%3A%2F%2Floinc.org%7C8480-6%2C8462-4"),
    ("Observation?code=http%3A%2F%2Floinc.org%7C8480-6", b"Observation?code=http%3A%2F%2Floinc.org%7C8480-6"),
    ("Observation?code:in=x&_has:Group=a b", b"Observation?code%3Ain=x&_has%3AGroup=a%20b"),
    ('Observation?x={}[]^`\\"<>%|', b"Observation?x=%7B%7D%5B%5D%5E%60%5C%22%3C%3E%25%7C"),
    ("Observation?_cursor=a+b==&\u00e9=1", b"Observation?_cursor=a+b==&%C3%A9=1"),
    ("Patient/p1", b"Patient/p1"),
    ("Patient/p|1", b"Patient/p%7C1"),
)


@pytest.mark.parametrize(("relative", "sent"), SEARCHES, ids=[relative for relative, _ in SEARCHES])
@respx.mock
def test_a_url_is_encoded_as_the_strictest_server_needs_it(relative: str, sent: bytes) -> None:
    route = respx.get(url__startswith=f"{BASE}/").respond(json={})
    assert ask(relative).outcome == "200"
    target = route.calls.last.request.url.raw_path
    assert target == b"/fhir/" + sent
    assert is_valid_target(target)


@given(st.text(max_size=30), st.sampled_from(["", "https://ehr.example/fhir/", "http://h:80"]))
def test_what_is_encoded_is_valid_and_stays_as_it_is(text: str, root: str) -> None:
    url = encoded(f"{root}/{text}".encode("utf-8", "ignore").decode())
    assert is_valid_target(url.removeprefix(root).encode("ascii"))
    assert encoded(url) == url


@pytest.mark.parametrize("status", [404, 405, 415, 501])
@respx.mock
def test_a_server_that_refuses_the_post_gets_the_url(status: int) -> None:
    respx.post(f"{BASE}/Observation/_search").respond(status)
    got = respx.get(url__startswith=f"{BASE}/Observation?").respond(json={})
    assert ask(LONG).outcome == "200"
    assert got.call_count == 1


@respx.mock
def test_a_refused_token_is_not_offered_again_by_url() -> None:
    respx.post(f"{BASE}/Observation/_search").respond(403)
    assert ask(LONG).outcome == "403"


@pytest.mark.parametrize("token", ["t\u00f6ken", "\ud800", "a\nb"])
def test_a_token_that_no_header_can_hold_is_an_answer_and_not_a_fault(token: str) -> None:
    """Sent to no server: the transport, or the header before it, refuses."""
    assert ask("Patient/1", token).outcome in {"the access token cannot be sent", "connection failed"}


class Stream(httpx.AsyncByteStream):
    """A body that comes in chunks."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


def body_of(chunks: list[bytes], encoding: str, limits: Limits = LIMITS) -> ServerResponse:
    """What is read of a body that comes in those chunks."""

    with respx.mock:
        headers = {"Content-Encoding": encoding} if encoding else {}
        respx.get(f"{BASE}/x").mock(return_value=httpx.Response(200, headers=headers, stream=Stream(chunks)))
        return ask("x", limits=limits)


@examples(0.4)
@given(st.binary(max_size=3000), st.integers(1, 400), st.integers(1, 200), st.integers(1, 3))
def test_compressed_bodies_come_out_whole(data: bytes, repeat: int, size: int, members: int) -> None:
    whole = data * repeat
    packed = gzip.compress(whole) * members
    step = max(size, len(packed) // 50)
    chunks = [packed[at : at + step] for at in range(0, len(packed), step)]
    assert body_of(chunks, "gzip").body == whole * members


@pytest.mark.parametrize(
    ("chunks", "encoding", "outcome"),
    [
        ([b"12345"], "", "200"),
        ([b"12345", b"67890"], "", "200"),
        ([b"12345", b"678901"], "", "too large"),
        ([gzip.compress(b"1" * 10)], "gzip", "200"),
        ([gzip.compress(b"1" * 11)], "gzip", "too large"),
        ([gzip.compress(b"1" * 6), gzip.compress(b"1" * 5)], "gzip", "too large"),
        ([gzip.compress(b"1" * 9_000_000)], "x-gzip", "too large"),
        ([gzip.compress(b"1")[:-1]], "gzip", "unknown or damaged compression"),
        ([b""], "gzip", "unknown or damaged compression"),
        ([b"plain"], "gzip", "unknown or damaged compression"),
        ([zlib.compress(b"1")], "deflate", "unknown or damaged compression"),
        ([gzip.compress(gzip.compress(b"1"))], "gzip, gzip", "unknown or damaged compression"),
    ],
)
def test_bodies_are_bounded_while_they_are_unpacked(chunks: list[bytes], encoding: str, outcome: str) -> None:
    assert body_of(chunks, encoding, Limits(bytes_per_answer=10)).outcome == outcome


def test_what_is_too_large_leaves_the_allowance_to_others() -> None:
    async def go(server: FhirServer) -> ServerResponse:
        allowance = ByteAllowance(Limits(bytes_per_record=10, bytes_per_answer=8))
        deadline = asyncio.get_running_loop().time() + 1
        answers = [await server.ask(server.url(path), None, allowance, deadline) for path in ("a", "b", "c")]
        assert [answer.outcome for answer in answers] == ["too large", "200", "too large"]
        return answers[0]

    with respx.mock:
        for path, chunks in (("a", [b"1" * 5, b"1" * 5]), ("b", [b"1" * 8]), ("c", [b"1" * 3])):
            respx.get(f"{BASE}/{path}").mock(return_value=httpx.Response(200, stream=Stream(chunks)))
        with_server(go)
