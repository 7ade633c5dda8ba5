"""One request is never read out of the body of another, and no way to write one ends in a fault or in a hang."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

import pytest

from cds_hooks.operation.connections import MOST_HEADER_BYTES
from tests.support.hooks.calls import PATIENT_VIEW, body
from tests.support.trust.sockets import connected, exchange, serving, statuses, until_closed

HOST = b"Host: 127.0.0.1\r\n"
CLOSE = b"Connection: close\r\n"
TE = b"Transfer-Encoding: "
HIDDEN = b"GET /about HTTP/1.1\r\n" + HOST + b"\r\n"
"""A request that stands in the body of another: its answer would be 200."""
CHUNKS = b"2\r\n{}\r\n0\r\n\r\n"
CODINGS = (
    b"chunked, identity", b"identity", b"chunked, chunked", b"xchunked", b"chunked\x0b", b"\x0bchunked", b"chunked;q=1",
    b"gzip", b"chunked\r\nTransfer-Encoding: identity", b"\r\n chunked", b"chunked,", b"chun\x00ked", b'"chunked"',
    b"chunked", b" chunked", b"\tchunked", b"chunked ", b"Chunked", b"identity, chunked", b"gzip, chunked", b",chunked",
    b"identity\r\nTransfer-Encoding: chunked",
)  # fmt: skip
ENDED = CODINGS[-9:]
"""Codings whose last is chunked: the body ends with its last chunk."""
LENGTHS = (
    b"2\r\nContent-Length: %d", b"%d\r\nContent-Length: 2", b"2, %d", b"+2", b"-2", b"0x2", b"2 %d", b"", b"2.0",
    b"99999999999999999999999", b"2\x0b", b"2\r\n 2",
)  # fmt: skip


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(header_seconds=0.4, body_seconds=0.4) as port:
        yield port


def posted(headers: bytes, sent: bytes) -> bytes:
    return b"POST " + PATIENT_VIEW.encode() + b" HTTP/1.1\r\n" + HOST + headers + b"\r\n" + sent


def with_length(coding: bytes) -> bytes:
    return posted(b"Content-Length: %d\r\n%s%s\r\n" % (len(CHUNKS + HIDDEN), TE, coding), CHUNKS + HIDDEN)


@pytest.mark.parametrize("coding", CODINGS, ids=repr)
def test_a_length_and_a_coding_are_refused(port: int, coding: bytes) -> None:
    assert statuses(exchange(port, with_length(coding))) == [400]
    assert statuses(exchange(port, posted(TE + coding + b"\r\nContent-Length: 4\r\n", CHUNKS + HIDDEN))) == [400]


@pytest.mark.parametrize("coding", [each for each in CODINGS if each not in ENDED], ids=repr)
def test_a_body_of_another_coding_is_not_read(port: int, coding: bytes) -> None:
    assert statuses(exchange(port, posted(TE + coding + b"\r\n", CHUNKS + HIDDEN))) == [400]


@pytest.mark.parametrize("coding", ENDED, ids=repr)
def test_behind_the_last_chunk_stands_the_next_request(port: int, coding: bytes) -> None:
    inside = b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
    assert statuses(exchange(port, posted(TE + coding + b"\r\n", inside))) == [400]
    assert statuses(exchange(port, posted(TE + coding + b"\r\n", inside + HIDDEN))) == [400, 200]


@pytest.mark.parametrize("length", LENGTHS, ids=repr)
def test_a_length_that_is_said_twice_or_is_none_is_refused(port: int, length: bytes) -> None:
    said = length % (2 + len(HIDDEN)) if b"%d" in length else length
    assert statuses(exchange(port, posted(b"Content-Length: " + said + b"\r\n", b"{}" + HIDDEN))) == [400]


@pytest.mark.parametrize("header", [
    b"Content-Length : 2\r\n", b"Transfer-Encoding : chunked\r\n", b"X: y\nTransfer-Encoding: chunked\r\n",
    b"X: y\rTransfer-Encoding: chunked\r\n", b"Content-Length: 2\n",
], ids=repr)  # fmt: skip
def test_a_header_that_is_read_in_two_ways_is_refused(port: int, header: bytes) -> None:
    assert statuses(exchange(port, posted(header, CHUNKS + HIDDEN)))[:1] == [400]
    assert len(statuses(exchange(port, posted(header, CHUNKS + HIDDEN)))) == 1


@pytest.mark.parametrize("line", [
    b"GET /healthz", b"HEAD /healthz", b"POST /nowhere", b"PUT " + PATIENT_VIEW.encode(), b"CONNECT 127.0.0.1:80",
    b"OPTIONS *", b"POST " + PATIENT_VIEW.encode(),
], ids=repr)  # fmt: skip
@pytest.mark.parametrize("more", [b"", b"Connection: Upgrade\r\nUpgrade: h2c\r\n"], ids=["plain", "upgrade"])
def test_a_body_that_nobody_reads_is_no_request(port: int, line: bytes, more: bytes) -> None:
    length = b"Content-Length: %d\r\n\r\n" % len(HIDDEN)
    answer = exchange(port, line + b" HTTP/1.1\r\n" + HOST + more + length + HIDDEN)
    assert len(statuses(answer)) == 1
    assert statuses(answer)[0] < 500


@pytest.mark.parametrize("chunk", [
    b"f" * 17 + b"\r\n", b"-1\r\n", b"0x2\r\n", b"2 \r\n", b"+2\r\n", b"\r\n", b"2\n", b"g\r\n",
], ids=repr)  # fmt: skip
def test_a_chunk_without_a_plain_length_is_refused(port: int, chunk: bytes) -> None:
    answer = exchange(port, posted(TE + b"chunked\r\n", chunk + b"{}\r\n0\r\n\r\n" + HIDDEN))
    assert statuses(answer) == [400]


@pytest.mark.parametrize("sent", [
    b"GET http://127.0.0.1/about HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
    b"GET 127.0.0.1:80 HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
    b"GET /about HTTP/1.1\r\n" + HOST + HOST + CLOSE + b"\r\n",
    b"GET /\xc3\xa4\xff HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
    b"GET /%ff%fe%00%zz HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
    b"GET /about HTTP/1.1\r\n" + HOST + CLOSE + b"Accept: \xff\r\nAccept-Language: \xff\r\nCookie: \xff=\xff\r\n\r\n",
    b"GET /about HTTP/1.1\r\n" + HOST + CLOSE + b"Origin: \xff\r\n\r\n",
    b"GET /about HTTP/1.1\r\n" + HOST + CLOSE + b"X: a\x00b\r\n\r\n",
    b"GET /healthz HTTP/2.0\r\n" + HOST + CLOSE + b"\r\n", b"GET /healthz HTTP/1.9\r\n" + HOST + CLOSE + b"\r\n",
    b"GET /healthz\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x00\xa5\x01" + b"\0" * 160,
    b"POST " + PATIENT_VIEW.encode() + b" HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    b"GET /healthz HTTP/1.1\nHost: 127.0.0.1\n\n", b"GET /about HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
], ids=lambda sent: repr(sent[:40]))  # fmt: skip
def test_however_a_request_is_written_nothing_fails(port: int, sent: bytes) -> None:
    assert all(status < 500 for status in statuses(exchange(port, sent)))


@pytest.mark.parametrize("line", [b"GET /healthz", b"CONNECT 127.0.0.1:80", b"POST /nowhere"], ids=repr)
def test_a_connection_whose_upgrade_is_not_made_ends(port: int, line: bytes) -> None:
    asked = line + b" HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    answer = exchange(port, asked + HIDDEN)
    assert len(statuses(answer)) == 1
    assert b"\r\nconnection: close\r\n" in answer


def test_what_follows_an_upgrade_that_is_not_made_is_not_read(port: int) -> None:
    with connected(port, b"GET /healthz HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n") as asked:
        with suppress(ConnectionError):
            for _ in range(100):
                asked.sendall(HIDDEN * 1000)
        assert statuses(until_closed(asked)) in ([], [200])


def test_long_extensions_of_chunks_have_an_end(port: int) -> None:
    with connected(port, posted(TE + b"chunked\r\n", b"2;")) as endless:
        with suppress(ConnectionError):
            for _ in range(100):
                endless.sendall(b"x" * 16 * MOST_HEADER_BYTES)
        assert statuses(until_closed(endless)) in ([], [408])


def test_a_body_in_chunks_of_one_byte_is_read() -> None:
    record = json.dumps(body(PATIENT_VIEW, "two-failures")).encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in record) + b"0\r\n\r\n"
    with serving() as port:
        assert statuses(exchange(port, posted(TE + b"chunked\r\n" + CLOSE, chunks))) == [200]


def test_a_body_beyond_the_bound_is_refused_before_it_has_come(port: int) -> None:
    said = b"Content-Length: %d\r\n" % (50_000_000)
    assert statuses(exchange(port, posted(said, HIDDEN * 100))) == [413]


def test_who_waits_to_be_told_to_go_on_is_told() -> None:
    record = json.dumps(body(PATIENT_VIEW, "two-failures")).encode()
    said = b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(record)
    with serving() as port, connected(port, posted(said + CLOSE, b"")) as waiting:
        assert statuses(waiting.recv(65_536)) == [100]
        waiting.sendall(record)
        assert statuses(until_closed(waiting)) == [200]
