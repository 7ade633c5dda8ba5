"""Calls answered in one process without a socket: the whole application, from a body to the bytes of the answer.

Run as a file, with the checkout to measure as ``PYTHONPATH``. Each line of the input names a folder of bodies, and how
many times each is to be sent; each line of the output is the CPU time of each call, in milliseconds, as JSON. With
``forked``, each folder is answered in a process of its own that has everything loaded; the output is its number.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from cds_hooks.application.app import create_app
from cds_hooks.settings.settings import Settings
from mappings.schema.load import load_knowledge

PATH = "/cds-services/combination-therapy-order-sign"
AS_OF = date(2026, 1, 15)
_OF_THIS_RUN = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|Knowledge [0-9a-f]{12}")
"""The identifier of a card, and the version of the knowledge that another release need not share."""
_Message = MutableMapping[str, Any]
_Application = Callable[
    [Any, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]], Awaitable[None]
]


def _scope(body: bytes) -> dict[str, Any]:
    headers = ((b"host", b"127.0.0.1"), (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)))
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


async def answered(app: _Application, body: bytes) -> bytes:
    """The body of the answer; raises ``RuntimeError`` where it is no success."""
    asked = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[_Message] = []
    left: asyncio.Future[_Message] = asyncio.get_running_loop().create_future()

    async def receive() -> _Message:
        return asked.pop() if asked else await left

    async def send(message: _Message) -> None:
        sent.append(message)

    await app(_scope(body), receive, send)
    left.cancel()
    content = b"".join(message.get("body", b"") for message in sent)
    if sent[0]["status"] != 200:
        raise RuntimeError(f"answered {sent[0]['status']}: {content[:300]!r}")
    return content


async def _started(app: _Application) -> asyncio.Task[None]:
    begun = asyncio.Event()
    never: asyncio.Future[_Message] = asyncio.get_running_loop().create_future()
    first = [{"type": "lifespan.startup"}]

    async def receive() -> _Message:
        return first.pop() if first else await never

    async def send(_: _Message) -> None:
        begun.set()

    async def living() -> None:
        await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)

    task = asyncio.create_task(living())
    await begun.wait()
    return task


async def measured(app: _Application, bodies: list[bytes], times: int) -> dict[str, Any]:
    """The CPU milliseconds of each call, and a digest of all answers."""
    found, digest = [], hashlib.sha256()
    for _ in range(times):
        for body in bodies:
            begun = time.process_time_ns()
            answer = await answered(app, body)
            found.append((time.process_time_ns() - begun) / 1e6)
            digest.update(_OF_THIS_RUN.sub(b"", answer))
    return {"times": found, "digest": digest.hexdigest()}


def _bodies(folder: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(Path(folder).iterdir())]


def _application() -> _Application:
    return create_app(Settings(database=SecretStr("off")), load_knowledge(), today=lambda: AS_OF)


def _fork() -> None:
    app = _application()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            asyncio.run(_answer_each(app, line.split()[0]))
            os._exit(0)
        os.waitpid(child, 0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


async def _answer_each(app: _Application, folder: str) -> None:
    living = await _started(app)
    for body in _bodies(folder):
        await answered(app, body)
    living.cancel()


async def _serve() -> None:
    app = _application()
    living = await _started(app)
    gc.collect()
    gc.freeze()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        folder, times = line.split()
        sys.stdout.write(json.dumps(await measured(app, _bodies(folder), int(times))) + "\n")
        sys.stdout.flush()
    living.cancel()


if __name__ == "__main__":
    if sys.argv[1:] == ["forked"]:
        _fork()
    else:
        asyncio.run(_serve())
