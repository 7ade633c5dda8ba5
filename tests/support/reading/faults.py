"""A FHIR server on loopback that answers well, except for one type of resource, for which it fails in a chosen way.

The base URL names the failure and the type: ``http://127.0.0.1:PORT/<fault>/<type>/fhir``. A canary listens on
another port; nothing must ever arrive there. A request line that RFC 3986 does not allow is answered with 400, and the
path and query are read as a proxy passes them on that makes one slash of two.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import parse_qs, urlsplit

from cds_hooks.demo.strictness import is_valid_target
from tests.support.reading.material import OTHER, PATIENT, bundle, outcome, patient, resource, to_bytes


@cache
def bomb() -> bytes:
    """Two hundred megabytes in less than half of one."""
    return gzip.compress(b" " * 200_000_000, compresslevel=9)


@dataclass(frozen=True)
class Request:
    """What was asked: of which type, by which query, with which headers."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    fault: str
    faulty_type: str
    base: str
    kind: str
    identifier: str
    query: dict[str, list[str]]


@dataclass
class Faults:
    """The running server: its port, what it was asked, and what the canary heard."""

    port: int = 0
    canary_port: int = 0
    requests: list[Request] = field(default_factory=list)
    canary: list[str] = field(default_factory=list)
    answers: dict[str, Callable[[Request], bytes]] = field(default_factory=dict)
    """Answers (whole HTTP messages) of faults that a test defines for itself."""

    def base(self, fault: str = "none", kind: str = "Condition") -> str:
        """The base URL at which that type of resource fails in that way."""
        return f"http://127.0.0.1:{self.port}/{fault}/{kind}/fhir"


def reply(body: bytes, status: str = "200 OK", kind: str = "application/fhir+json", **headers: str) -> bytes:
    """An HTTP message."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}"]
    if "Content_Length" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def good(request: Request) -> bytes:
    """What the server says when nothing is wrong: one page, one resource of the patient."""
    return reply(good_body(request))


def good_body(request: Request) -> bytes:
    """The patient, a Medication, or a Bundle of one resource; orders refer to a Medication."""
    if request.kind == "Patient":
        return to_bytes(patient())
    if request.kind == "Medication":
        asked = [request.identifier] if request.identifier else request.query["_id"][0].split(",")
        drugs = [{"resourceType": "Medication", "id": each, "code": {"text": "sertraline"}} for each in asked]
        return to_bytes(drugs[0]) if request.identifier else bundle(*drugs)
    if request.kind == "MedicationRequest":
        return bundle(resource(request.kind, medicationReference={"reference": "Medication/m1"}))
    return bundle(resource(request.kind))


def _bad_patient(request: Request) -> bytes:
    if request.kind == "Patient":
        return to_bytes(patient(OTHER))
    return bundle(resource(request.kind, about=f"Patient/{OTHER}"))


def _endless(request: Request) -> bytes:
    number = int(request.query.get("page", ["1"])[0]) + 1
    made = resource(request.kind, number)
    return bundle(made, next_url=f"{request.base}/{request.kind}?patient={PATIENT}&page={number}")


def _paged_to(address: Callable[[Request, Faults], str]) -> Callable[[Request, Faults], bytes]:
    return lambda request, faults: reply(bundle(resource(request.kind), next_url=address(request, faults)))


_STATUS = ("204 No Content", "400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found", "410 Gone",
           "429 Too Many Requests", "500 Internal Server Error", "502 Bad Gateway",
           "503 Service Unavailable")  # fmt: skip

REPLIES: dict[str, Callable[[Request, Faults], bytes]] = {
    "truncated": lambda r, f: reply(good_body(r)[:40], Content_Length="4000"),
    "cut-json": lambda r, f: reply(good_body(r)[:40]),
    "garbage": lambda r, f: b"\x00\xffnot http at all\r\n\r\n" * 3,
    "garbage-json": lambda r, f: reply(b"\xff\xfe{]"),
    "short-length": lambda r, f: reply(good_body(r), Content_Length="17"),
    "bomb": lambda r, f: reply(bomb(), Content_Encoding="gzip"),
    "damaged-gzip": lambda r, f: reply(gzip.compress(good_body(r))[:-12] + b"0" * 12, Content_Encoding="gzip"),
    "cut-gzip": lambda r, f: reply(gzip.compress(good_body(r))[:-9], Content_Encoding="gzip"),
    "gzip-twice": lambda r, f: reply(gzip.compress(gzip.compress(good_body(r))), Content_Encoding="gzip, gzip"),
    "huge-header": lambda r, f: reply(good_body(r), X_Long="x" * 1_000_000),
    "absurd-retry": lambda r, f: reply(b"", "503 Service Unavailable", Retry_After="9" * 400),
    "other-encoding": lambda r, f: reply(good_body(r), Content_Encoding="br"),
    "redirect": lambda r, f: reply(b"", "302 Found", Location=f"http://127.0.0.1:{f.canary_port}/fhir/{r.kind}"),
    "retry-later": lambda r, f: reply(b"", "429 Too Many Requests", Retry_After="3600"),
    "endless": lambda r, f: reply(_endless(r)),
    "loop": _paged_to(lambda r, f: f"{r.base}/{r.kind}?page=again"),
    "endless-longer": _paged_to(lambda r, f: f"{r.base}/{r.kind}?{'x' * len(f.requests)}"),
    "next-elsewhere": _paged_to(lambda r, f: f"http://127.0.0.1:{f.canary_port}/none/x/fhir/{r.kind}?page=2"),
    "next-above": _paged_to(lambda r, f: f"http://127.0.0.1:{f.port}/admin?page=2"),
    "next-userinfo": _paged_to(lambda r, f: f"{r.base}/x".replace("//", "//u:p@")),
    "wrong-patient": lambda r, f: reply(_bad_patient(r)),
    "wrong-type": lambda r, f: reply(bundle({"resourceType": "Practitioner", "id": "1"})),
    "other-resource": lambda r, f: reply(to_bytes({"resourceType": "Questionnaire", "id": "1"})),
    "outcome": lambda r, f: reply(to_bytes(outcome())),
    "outcome-inside": lambda r, f: reply(bundle(outcome())),
    "html": lambda r, f: reply(b"<html><body>Please log in</body></html>", kind="text/html"),
    "empty": lambda r, f: reply(b""),
} | {status[:3]: (lambda r, f, status=status: reply(b"{}", status)) for status in _STATUS}

Stream = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Request], Awaitable[None]]


async def _latency(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> None:
    await reader.read()


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> None:
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _half_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> None:
    writer.write(reply(good_body(request), Content_Length="4000"))
    writer.write_eof()
    await reader.read()


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> None:
    writer.write(reply(b"", Content_Length="100000"))
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _endless_chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"40000\r\n" + b" " * 0x40000 + b"\r\n")
        await writer.drain()


STREAMS: dict[str, Stream] = {
    "latency": _latency, "reset": _reset, "half-close": _half_close, "drip": _drip, "endless-chunks": _endless_chunks,
}  # fmt: skip
KINDS = (*REPLIES, *STREAMS)
LIKE_OTHERS = frozenset({"gzip-twice", "huge-header", "absurd-retry", "endless-longer", "endless-chunks"})
"""Each takes the way of another through the reader, which every query is tried with."""


@asynccontextmanager
async def faulty_server() -> AsyncIterator[Faults]:
    """Run the server and the canary."""
    faults = Faults()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _serve_one(faults, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        faults.canary.append("connection")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    canary = await asyncio.start_server(listen, "127.0.0.1", 0)
    faults.port = server.sockets[0].getsockname()[1]
    faults.canary_port = canary.sockets[0].getsockname()[1]
    try:
        yield faults
    finally:
        server.close()
        canary.close()
        still = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.wait(still, timeout=1) if still else None


async def _serve_one(faults: Faults, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    head = await reader.readuntil(b"\r\n\r\n")
    request = await _read_request(head.decode(), reader)
    faults.requests.append(request)
    if not is_valid_target(request.target.encode("latin-1")):
        writer.write(reply(b"", "400 Bad Request"))
    elif request.kind != request.faulty_type:
        writer.write(good(request))
    elif request.fault in STREAMS:
        await STREAMS[request.fault](reader, writer, request)
        return False
    elif request.fault in faults.answers:
        writer.write(faults.answers[request.fault](request))
    else:
        writer.write(REPLIES.get(request.fault, lambda r, f: good(r))(request, faults))
    await writer.drain()
    return request.fault not in ("garbage", "truncated")


async def _read_request(head: str, reader: asyncio.StreamReader) -> Request:
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target.replace("//", "/"))
    _, fault, faulty_type, *rest = parts.path.split("/")
    kind, identifier = [*rest[1:], "", ""][:2]
    query = parse_qs(parts.query or body.decode())
    base = f"http://{headers['host']}/{fault}/{faulty_type}/fhir"
    return Request(method, target, headers, body, fault, faulty_type, base, kind, identifier, query)
