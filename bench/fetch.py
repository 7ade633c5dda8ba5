"""The whole call when nothing was prefetched: every search takes 50 ms at the FHIR server, all run at once."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import statistics
import threading
from collections import Counter
from typing import ClassVar
from urllib.parse import urlsplit

from bench.compare import TANDEM
from bench.peers.load import measure
from bench.peers.servers import CLIENT_CORE, free_port, pin, running
from bench.requests import build

DELAY_SECONDS = 0.05
RESOURCES, ROUNDS, SECONDS = 150, 7, 2.0
_INPUT_OF = {
    "Condition": "conditions",
    "Observation": "observations",
    "QuestionnaireResponse": "questionnaireResponses",
    "MedicationRequest": "medicationRequests",
    "Procedure": "procedures",
}
_EMPTY = b'{"resourceType":"Bundle","type":"searchset","total":0}'
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")


class SlowServer(asyncio.Protocol):
    """Answers each search or read from the prefetch of the benchmark request, 50 ms after all of it has arrived."""

    asked: ClassVar[Counter[str]] = Counter()
    """How often each type was asked for."""

    def __init__(self, prefetch: dict[str, bytes]) -> None:
        self._prefetch = prefetch
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        # A long search is a form, which arrives after its header.
        self._buffer += data
        head, end, form = self._buffer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or len(form) < (int(length[1]) if length else 0):
            return
        self._buffer = b""
        kind = urlsplit(head.split(b" ", 2)[1].decode()).path.split("/")[2]
        SlowServer.asked[kind] += 1
        body = self._prefetch["patient"] if kind == "Patient" else self._prefetch.get(_INPUT_OF.get(kind, ""), _EMPTY)
        answer = f"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: {len(body)}\r\n\r\n"
        asyncio.get_running_loop().call_later(DELAY_SECONDS, self._transport.write, answer.encode() + body)


def serve(prefetch: dict[str, bytes], port: int) -> None:
    """Run the slow server in a thread of this process."""
    ready = threading.Event()

    async def forever() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SlowServer(prefetch), "127.0.0.1", port)
        ready.set()
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(forever()), daemon=True).start()
    ready.wait()


def main() -> None:
    """Measure and print one line."""
    pin(CLIENT_CORE)
    request = json.loads(build(RESOURCES))
    prefetch = {key: json.dumps(value).encode() for key, value in request.pop("prefetch").items()}
    port = free_port()
    serve(prefetch, port)
    body = json.dumps(request | {"fhirServer": f"http://127.0.0.1:{port}/fhir"}).encode()
    with running(TANDEM) as ours:
        bodies = itertools.repeat(body)
        measure(ours, TANDEM.path, bodies, connections=1, seconds=0.5)
        before = SlowServer.asked.total()
        rounds = [
            measure(ours, TANDEM.path, itertools.repeat(body), connections=1, seconds=SECONDS) for _ in range(ROUNDS)
        ]
        calls = sum(len(each.milliseconds) for each in rounds)
        searches = (SlowServer.asked.total() - before) / calls
    p50 = statistics.median(each.percentile(0.5) for each in rounds)
    p99 = statistics.median(each.percentile(0.99) for each in rounds)
    delay = DELAY_SECONDS * 1000
    print(f"nothing prefetched, {searches:.0f} queries of {delay:.0f} ms each at once, {RESOURCES} resources:")
    print(f"p50 {p50:.1f} ms, p99 {p99:.1f} ms for the whole call ({calls} calls)\n")


if __name__ == "__main__":
    main()
