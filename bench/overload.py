"""What overload does to a served process: calls at 0.7, 2 and 10 times its capacity, and probes beside them.

Arrivals are random (Poisson) and do not wait for answers, as those of many EHRs would not; a caller leaves after
``PATIENCE`` seconds. The loader takes a core of its own; on a busy machine compare the lines, not the numbers.
``python -m bench.overload [SECONDS] [SIZE]``, SIZE one of ``bench/requests.py``.
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bench.peers.load import measure, whole_answer
from bench.peers.servers import ROOT
from bench.requests import SIZES, build

PATH = "/cds-services/combination-therapy-order-sign"
PATIENCE = 10.0
PROBES = ("/healthz", "/readyz")
PROBE_PAUSE = 0.1
LOADS = (0.7, 2.0, 10.0)
NO_ANSWER = 0


@dataclass
class Seen:
    """What happened to the calls of one load: milliseconds by status; 0 is a caller that left or was cut off."""

    calls: dict[int, list[float]] = field(default_factory=dict)
    probes: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)


class _Connection(asyncio.Protocol):
    """One connection: a request at a time, answered with the status and nothing else of the answer."""

    answer: asyncio.Future[int]

    def __init__(self) -> None:
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def ask(self, request: bytes) -> asyncio.Future[int]:
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.answer

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        header = whole_answer(self._buffer)
        if header is not None and not self.answer.done():
            self._buffer.clear()
            self.answer.set_result(int(header.split(b" ", 2)[1]))

    def connection_lost(self, _: Exception | None) -> None:
        if hasattr(self, "answer") and not self.answer.done():
            self.answer.set_result(NO_ANSWER)


class _Callers:
    """Sends requests on connections that are kept while they are good."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[_Connection] = []
        self.seen = Seen()

    async def call(self, request: bytes) -> None:
        begun = time.perf_counter()
        try:
            status = await asyncio.wait_for(self._answered(request), PATIENCE)
        except (TimeoutError, OSError):
            status = NO_ANSWER
        self.seen.calls.setdefault(status, []).append((time.perf_counter() - begun) * 1000)

    async def _answered(self, request: bytes) -> int:
        connection = await self._connection()
        try:
            status = await connection.ask(request)
        except asyncio.CancelledError:
            connection.transport.abort()
            raise
        if not connection.transport.is_closing():
            self._idle.append(connection)
        return status

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.transport.is_closing():
                return connection
        _, made = await asyncio.get_running_loop().create_connection(_Connection, "127.0.0.1", self._port)
        return made

    async def close(self) -> None:
        """Close what is kept."""
        for connection in self._idle:
            connection.transport.abort()
        await asyncio.sleep(0)

    async def probe(self, ends: float) -> None:
        """Ask the probes in turn, each on a connection of its own, as an orchestrator does."""
        number = 0
        while time.perf_counter() < ends:
            path = PROBES[number % len(PROBES)]
            number += 1
            begun = time.perf_counter()
            try:
                status = await asyncio.wait_for(self._probed(path), PATIENCE)
            except (TimeoutError, OSError):
                status = NO_ANSWER
            self.seen.probes.append((time.perf_counter() - begun) * 1000)
            if status != http.client.OK:
                self.seen.failed[f"{path} {status}"] += 1
            await asyncio.sleep(PROBE_PAUSE)

    async def _probed(self, path: str) -> int:
        _, made = await asyncio.get_running_loop().create_connection(_Connection, "127.0.0.1", self._port)
        try:
            return await made.ask(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        finally:
            made.transport.abort()


async def rush(port: int, requests: list[bytes], rate: float, seconds: float, dice: random.Random) -> Seen:
    """Send ``rate`` calls a second on the average, at random moments, and probe meanwhile."""
    drawn = iter(lambda: dice.choice(requests), b"")
    return await send(port, drawn, iter(lambda: dice.expovariate(rate), 0.0), seconds)


async def send(port: int, requests: Iterator[bytes], pauses: Iterator[float], seconds: float) -> Seen:
    """Send calls with these pauses between them for some seconds, wait for all of them, and probe meanwhile."""
    callers = _Callers(port)
    begun = time.perf_counter()
    probing = asyncio.create_task(callers.probe(begun + seconds))
    running: set[asyncio.Task[None]] = set()
    due = begun
    while (due := due + next(pauses)) < begun + seconds:
        pause = due - time.perf_counter()
        await asyncio.sleep(max(0.0, pause))
        task = asyncio.create_task(callers.call(next(requests)))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(probing, *running)
    await callers.close()
    return callers.seen


@contextmanager
def served() -> Iterator[int]:
    """``tandem serve`` as an operator starts it, its log thrown away; gives its port."""
    command = [sys.executable, "-m", "cds_hooks.cli.main", "serve", "--port", "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TANDEM_DATABASE": "off"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            port = urlsplit(process.stdout.readline().split()[3]).port
            assert port is not None
            yield port
        finally:
            process.terminate()


def percentile(times: list[float], share: float) -> float:
    """The time that this share did not exceed; 0 where there is none."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def told(name: str, seen: Seen, seconds: float) -> str:
    """One line."""
    good = seen.calls.get(http.client.OK, [])
    others = ", ".join(
        f"{len(times)} x {status or 'left'}" for status, times in sorted(seen.calls.items()) if status != 200
    )
    shed = seen.calls.get(http.client.SERVICE_UNAVAILABLE, [])
    return (
        f"{name:>5}: {sum(map(len, seen.calls.values()))} calls, {len(good)} answered ({len(good) / seconds:.0f}/s)"
        f" p50 {percentile(good, 0.5):.0f} p99 {percentile(good, 0.99):.0f} ms; {others or 'no other'}"
        f" (p99 of 503 {percentile(shed, 0.99):.0f} ms);"
        f" {len(seen.probes)} probes p50 {percentile(seen.probes, 0.5):.0f} p99 {percentile(seen.probes, 0.99):.0f}"
        f" most {max(seen.probes):.0f} ms{f', failed: {dict(seen.failed)}' if seen.failed else ''}"
    )


def requests_of(bodies: list[bytes]) -> list[bytes]:
    """The bodies with their headers."""
    head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
    return [f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies]


def main(seconds: float = 20.0, size: str = "usual") -> None:
    """Print the capacity, and one line for each load."""
    bodies = [build(SIZES[size], seed) for seed in range(4)]
    requests = requests_of(bodies)
    with served() as port:
        measure(port, PATH, itertools.cycle(bodies), 2, 3.0)
        capacity = measure(port, PATH, itertools.cycle(bodies), 4, 8.0).per_second
        print(f"capacity: {capacity:.0f} calls/s of {len(bodies[0]) // 1000} kB", flush=True)
        for load in LOADS:
            seen = asyncio.run(rush(port, requests, load * capacity, seconds, random.Random(7)))
            print(told(f"{load:g}x", seen, seconds), flush=True)


if __name__ == "__main__":
    main(*(kind(word) for kind, word in zip((float, str), sys.argv[1:], strict=False)))
