"""A service says that it answers once it does, and not where its application does not start."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from cds_hooks.commands.serve import _serve_as_worker
from cds_hooks.operation.accepting import Outlet
from cds_hooks.operation.server import WebServer
from cds_hooks.operation.workers import WorkerPlace
from cds_hooks.protocol.errors import NotStarted
from cds_hooks.settings.settings import Settings
from fhir_plugin.errors import BadInput

SECONDS = 20


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def test_it_is_said_when_the_application_has_started_and_not_before(listener: socket.socket) -> None:
    starting, may_start, answers = threading.Event(), threading.Event(), threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        starting.set()
        await asyncio.to_thread(may_start.wait)
        assert not answers.is_set()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    server = WebServer(app, Settings(), answers.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    assert starting.wait(SECONDS)
    assert not answers.is_set()
    may_start.set()
    assert answers.wait(SECONDS)
    assert server.started
    server.should_exit = True
    thread.join(SECONDS)
    assert not thread.is_alive()


def test_an_application_that_does_not_start_ends_the_service_with_a_clear_line(listener: socket.socket) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": ""})

    answers = threading.Event()
    with pytest.raises(NotStarted, match="did not start"):
        WebServer(app, Settings(), answers.set).run(sockets=[listener])
    assert not answers.is_set()


def test_a_worker_with_other_knowledge_than_its_service_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_hooks.telemetry.logs.capture_process_logs", lambda: None)
    answers = threading.Event()
    outlet = Outlet([0, 0])
    inlet = outlet.inlet
    with closing(outlet), inlet.channel, pytest.raises(BadInput, match="the knowledge has changed"):
        _serve_as_worker(Settings(), "0" * 64, WorkerPlace(0, 2, Path()), inlet, answers.set)
    assert not answers.is_set()
