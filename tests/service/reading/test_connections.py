"""Connections to one server: kept between requests, bounded in number, and never used again when they are no good."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpcore
import pytest

from fhir_plugin.reading.connections import Connections

CONTEXT = ssl.create_default_context()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Answers when the test lets it, which is at once at first; knows the connections that it has accepted."""

    def __init__(self) -> None:
        self.accepted: list[asyncio.Transport] = []
        self.asked: asyncio.Queue[asyncio.Transport] = asyncio.Queue()
        self.answers = asyncio.Event()
        self.answers.set()
        self.answer = ANSWER
        self._busy: set[asyncio.Task[None]] = set()

    def asked_by(self, transport: asyncio.Transport) -> None:
        """Answer one request."""
        self.asked.put_nowait(transport)
        task = asyncio.get_running_loop().create_task(self._answered(transport))
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def _answered(self, transport: asyncio.Transport) -> None:
        await self.answers.wait()
        transport.write(self.answer)


class _Connection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.accepted.append(transport)

    def data_received(self, _: bytes) -> None:
        self._server.asked_by(self._transport)


def with_connections(most: int, work: Callable[[Server, Connections, Callable[[], Awaitable[bytes]]], Any]) -> None:
    """Run the work on a server, connections to it, and a function that asks it something."""

    @asynccontextmanager
    async def running() -> Any:
        served = Server()
        listening = await asyncio.get_running_loop().create_server(lambda: _Connection(served), "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        url = httpcore.URL(f"http://127.0.0.1:{port}/")
        connections = Connections(url.origin, CONTEXT, most)

        async def ask() -> bytes:
            async with connections.one() as connection:
                response = await connection.handle_async_request(httpcore.Request("GET", url, headers=[("Host", "x")]))
                try:
                    return await response.aread()
                finally:
                    await response.aclose()

        try:
            yield served, connections, ask
        finally:
            await connections.aclose()
            listening.close()

    async def go() -> None:
        async with running() as (served, connections, ask), asyncio.timeout(10):
            await work(served, connections, ask)

    asyncio.run(go())


def test_connections_are_kept_and_used_again() -> None:
    async def work(server: Server, _: Connections, ask: Callable[[], Awaitable[bytes]]) -> None:
        for _round in range(3):
            assert await asyncio.gather(*(ask() for _ in range(4))) == [b"{}"] * 4
        assert len(server.accepted) == 4
        assert await ask() == b"{}"
        assert len(server.accepted) == 4

    with_connections(8, work)


def test_there_are_no_more_than_allowed_and_the_rest_wait() -> None:
    async def work(server: Server, _: Connections, ask: Callable[[], Awaitable[bytes]]) -> None:
        server.answers.clear()
        asking = [asyncio.ensure_future(ask()) for _ in range(5)]
        assert {await server.asked.get(), await server.asked.get()} == set(server.accepted)
        server.answers.set()
        assert await asyncio.gather(*asking) == [b"{}"] * 5
        assert len(server.accepted) == 2

    with_connections(2, work)


def test_one_that_the_server_has_closed_is_not_used_again() -> None:
    async def work(server: Server, _: Connections, ask: Callable[[], Awaitable[bytes]]) -> None:
        await asyncio.gather(ask(), ask())
        for transport in server.accepted:
            transport.abort()
        await asyncio.sleep(0)
        assert await ask() == b"{}"
        assert len(server.accepted) == 3

    with_connections(2, work)


def test_one_whose_answer_was_not_read_to_its_end_is_not_used_again() -> None:
    async def work(server: Server, _: Connections, ask: Callable[[], Awaitable[bytes]]) -> None:
        server.answer = ANSWER.replace(b": 2", b": 3")
        asking = asyncio.ensure_future(ask())
        await server.asked.get()
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
        server.answer = ANSWER
        assert await ask() == b"{}"
        assert len(server.accepted) == 2

    with_connections(1, work)


def test_a_request_in_progress_ends_when_everything_is_closed() -> None:
    async def work(server: Server, connections: Connections, ask: Callable[[], Awaitable[bytes]]) -> None:
        server.answers.clear()
        asking = asyncio.ensure_future(ask())
        await server.asked.get()
        await connections.aclose()
        with pytest.raises(httpcore.NetworkError):
            await asking

    with_connections(1, work)
