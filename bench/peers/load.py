"""A small load generator: keeps a number of connections busy with requests and counts the answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEAD_END = b"\r\n\r\n"


@dataclass
class Round:
    """What one round measured."""

    seconds: float
    milliseconds: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Answers in a second."""
        return len(self.milliseconds) / self.seconds

    def percentile(self, share: float) -> float:
        """The latency, in milliseconds, that this share of the answers did not exceed."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def whole_answer(received: bytearray) -> bytes | None:
    """The header of an answer in lower case, once the whole answer is there."""
    head = received.find(_HEAD_END)
    if head < 0:
        return None
    header = bytes(received[:head]).lower()
    length = int(header.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    return header if len(received) >= head + len(_HEAD_END) + length else None


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the whole answer is there; parses no more of it than its length."""

    def __init__(self, requests: Iterator[bytes], times: list[float], ends: float, done: asyncio.Future[None]) -> None:
        self._requests, self._times, self._ends, self._done = requests, times, ends, done
        self._buffer = bytearray()
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        header = whole_answer(self._buffer)
        if header is None:
            return
        if not header.startswith(b"http/1.1 200"):
            self._done.set_exception(RuntimeError(header.decode("latin-1")))
            return
        now = time.perf_counter()
        self._times.append((now - self._sent) * 1000)
        self._buffer.clear()
        if now < self._ends:
            self._send()
        else:
            self._transport.close()
            self._done.set_result(None)

    def connection_lost(self, fault: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(fault or RuntimeError("the server closed the connection"))

    def _send(self) -> None:
        request = next(self._requests)
        self._sent = time.perf_counter()
        self._transport.write(request)


async def _round(port: int, requests: Iterator[bytes], connections: int, seconds: float) -> Round:
    loop = asyncio.get_running_loop()
    begin = time.perf_counter()
    times: list[float] = []
    done: list[asyncio.Future[None]] = [loop.create_future() for _ in range(connections)]
    for future in done:
        await loop.create_connection(
            lambda future=future: _Connection(requests, times, begin + seconds, future),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
    await asyncio.gather(*done)
    await asyncio.sleep(0)  # connections are closed in the next round of the loop
    return Round(time.perf_counter() - begin, times)


def measure(port: int, path: str, bodies: Iterator[bytes], connections: int, seconds: float) -> Round:
    """Keep ``connections`` busy for about ``seconds``, each call with the next of ``bodies``, which do not end."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
    requests = (f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies)
    return asyncio.run(_round(port, requests, connections, seconds))
