"""Connections as an attacker makes them, over real sockets: half open, slow, endless, too many, another protocol."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from cds_hooks.operation.connections import MOST_HEADER_BYTES
from tests.support.hooks.calls import ORDER_SIGN, PATIENT_VIEW, body
from tests.support.trust.signing import clients, recorded
from tests.support.trust.sockets import SECONDS, connected, exchange, serving, until_closed

HEAD = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.fixture(scope="module")
def hasty() -> Iterator[int]:
    """A service that does not wait long for a request."""
    with serving(header_seconds=0.4) as port:
        yield port


@pytest.fixture(scope="module")
def patient() -> Iterator[int]:
    """A service that waits for a request, but not long for its body."""
    with serving(body_seconds=0.2) as port:
        yield port


@pytest.mark.parametrize("sent", [
    b"", b"P", b"POST /cds-services", b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"\r\n", b"GET /healthz HTTP/1.1\r\n",
])  # fmt: skip
def test_a_connection_without_a_request_is_ended(hasty: int, sent: bytes) -> None:
    assert exchange(hasty, sent) == b""


def test_so_is_one_whose_second_request_does_not_come(hasty: int) -> None:
    first = HEALTH.replace(b"Connection: close\r\n", b"")
    answer = exchange(hasty, first + b"GET /hea")
    assert (status(answer), answer.count(b"HTTP/1.1 ")) == (200, 1)


@pytest.mark.parametrize("url", [ORDER_SIGN, "/fhir/QuestionnaireResponse/$extract"])
def test_a_body_that_does_not_come_is_not_waited_for(patient: int, url: str) -> None:
    assert status(exchange(patient, HEAD % (url.encode(), 1000) + b"\r\n{")) == 408


def test_an_answer_before_the_body_does_not_keep_the_connection(hasty: int) -> None:
    assert status(exchange(hasty, HEAD % (b"/nowhere", 1000) + b"\r\n{")) == 404


def test_headers_have_an_end(patient: int) -> None:
    for endless in (b"X: " + b"x" * 2 * MOST_HEADER_BYTES, b"X: y\r\n" * (MOST_HEADER_BYTES // 3)):
        with connected(patient, b"GET /healthz HTTP/1.1\r\n") as connection:
            connection.sendall(endless)
            assert status(until_closed(connection)) == 431


CHUNKED = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED %= PATIENT_VIEW.encode()


@pytest.mark.parametrize("line", [b"X: " + b"x" * 64, b"X: y\r\n"], ids=["one line", "many lines"])
def test_so_has_what_comes_behind_a_body(line: bytes) -> None:
    with serving() as port, connected(port, CHUNKED + b"2\r\n{}\r\n0\r\n") as connection:
        with suppress(ConnectionError):
            connection.sendall(line * (32 * MOST_HEADER_BYTES // len(line)))
        assert until_closed(connection) == b""


def test_a_long_chunk_is_not_taken_for_that(patient: int) -> None:
    size = 16 * MOST_HEADER_BYTES
    with connected(patient, CHUNKED + b"%x\r\n" % size) as connection:
        connection.sendall(b" " * size + b"\r\n0\r\n\r\n")
        assert status(until_closed(connection)) == 400


def test_who_is_in_time_is_answered_twice_on_one_connection() -> None:
    record = json.dumps(body(PATIENT_VIEW, "two-failures")).encode()
    whole = HEAD % (PATIENT_VIEW.encode(), len(record)) + b"\r\n" + record
    with serving() as port:
        answer = exchange(port, whole + whole + HEALTH)
    assert answer.count(b"HTTP/1.1 200 OK") == 3


def test_beyond_the_limit_the_oldest_connection_without_a_request_gives_way() -> None:
    with serving(connections=5) as port:
        held = [connected(port, b"POST /") for _ in range(20)]
        for _ in range(3):
            assert status(exchange(port, HEALTH)) == 200
        for connection in held[:15]:
            assert until_closed(connection) == b""
        for connection in held:
            connection.close()


def test_a_call_in_progress_does_not_give_way() -> None:
    record = json.dumps(body(PATIENT_VIEW, "two-failures")).encode()
    with (
        serving(connections=3) as port,
        connected(port, HEAD % (PATIENT_VIEW.encode(), len(record)) + b"Connection: close\r\n\r\n") as call,
    ):
        for _ in range(5):
            assert status(exchange(port, HEALTH)) == 200
        held = [connected(port) for _ in range(10)]
        assert status(exchange(port, HEALTH)) == 200
        call.sendall(record)
        assert status(until_closed(call)) == 200
        for connection in held:
            connection.close()


@pytest.mark.parametrize("count", [500, pytest.param(2000, marks=pytest.mark.nightly)])
def test_hundreds_of_half_open_connections_harm_nobody_and_are_ended(count: int) -> None:
    record = json.dumps(body(PATIENT_VIEW, "two-failures")).encode()
    call = HEAD % (PATIENT_VIEW.encode(), len(record)) + b"Connection: close\r\n\r\n" + record
    with serving(header_seconds=1.0) as port:
        held = [connected(port, b"POST / HTTP/1.1\r\nHost:") for _ in range(count)]
        begun = time.monotonic()
        assert status(exchange(port, call)) == 200
        assert time.monotonic() - begun < SECONDS / 4
        for connection in held:
            assert until_closed(connection) == b""
            connection.close()


UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n\r\n"
LINES = (
    b"POST //%s", b"POST /.%s", b"POST /x/..%s", b"POST /smart/..%s", b"POST /smart/%%2e%%2e%s", b"POST %s/",
    b"POST %s?x=1", b"POST http://evil.example%s", b"POST http://127.0.0.1%s", b"PUT %s", b"DELETE %s", b"TRACE %s",
    b"PATCH %s", b"CONNECT %s", b"get %s", b"post %s", b"POST \\%s", b"POST %%2f%s", b"POST %s%%00", b"POST %s#",
    b"POST *", b"OPTIONS *", b"POST %s;x",
)  # fmt: skip


@pytest.fixture(scope="module")
def guarded() -> Iterator[int]:
    """A service that wants tokens."""
    with serving(clients=clients(), replay_store=recorded()) as port:
        yield port


@pytest.mark.parametrize("line", LINES, ids=repr)
def test_no_way_to_write_an_address_or_a_method_needs_no_token(guarded: int, line: bytes) -> None:
    encoded = ORDER_SIGN.replace("services", "%73ervices").encode()
    for url in (ORDER_SIGN.encode(), encoded):
        first = line % url if b"%s" in line else line
        request = first + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
        answer = exchange(guarded, request)
        assert status(answer) in (400, 401, 404, 405), answer[:200]
        assert b"cards" not in answer


@pytest.mark.parametrize("path", [b"/", ORDER_SIGN.encode(), b"/cds-services", b"/healthz"])
def test_a_web_socket_is_refused_and_nothing_fails(guarded: int, patient: int, path: bytes) -> None:
    for port in (guarded, patient):
        with connected(port, b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + UPGRADE) as connection:
            assert status(connection.recv(65_536)) == 403
        assert status(exchange(port, HEALTH)) == 200
