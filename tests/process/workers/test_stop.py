"""A service that is asked to stop answers the calls that it has, keeps what it showed, and takes nothing new."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tests.support.hooks.calls import KETAMINE, ORDER_SIGN, body, order, prefetch
from tests.support.memory.service import rows
from tests.support.workers.served import DATABASE, SECONDS, Service, served
from tests.support.workers.slow import Slow, slow_server

PATIENT = "uncontrolled-hypertension"
IDLE = 6


class Call(threading.Thread):
    """A call that reads from a FHIR server; what came back, or nothing where the connection ended."""

    def __init__(self, service: Service, slow: Slow) -> None:
        super().__init__(daemon=True)
        self._service, self._slow = service, slow
        self.status, self.content = 0, b""
        self.headers: dict[str, str] = {}
        self.start()

    def run(self) -> None:
        known = {name: found for name, found in prefetch(PATIENT).items() if name != "conditions"}
        request = body(ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT), prefetch=known, fhirServer=self._slow.url)
        connection = self._service.connected()
        try:
            connection.request("POST", ORDER_SIGN, json.dumps(request), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            self.status, self.headers, self.content = answer.status, dict(answer.getheaders()), answer.read()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()


@contextmanager
def in_flight(folder: Path, workers: int, **settings: object) -> Iterator[tuple[Service, Slow, Call]]:
    """A service with a call that waits for its FHIR server."""
    written = "".join(f"{name} = {value}\n" for name, value in {"deadline_seconds": 1000, **settings}.items())
    with slow_server() as slow, served(folder, written, "--workers", str(workers)) as service:
        call = Call(service, slow)
        assert slow.asked.wait(SECONDS)
        yield service, slow, call


@contextmanager
def idle(service: Service) -> Iterator[list[socket.socket]]:
    """Connections on which a call was answered and which the client keeps."""
    with ExitStack() as stack:
        kept = [stack.enter_context(closing(service.connected())) for _ in range(IDLE)]
        for connection in kept:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        yield [connection.sock for connection in kept]


def until_refused(port: int) -> None:
    """Connect until nobody listens any more."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), SECONDS).close()
        except ConnectionRefusedError:
            return
    raise AssertionError("there is still somebody who listens")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_call_in_flight_is_answered_and_kept_and_nobody_else_gets_in(workers: int, tmp_path: Path) -> None:
    with in_flight(tmp_path, workers) as (service, slow, call), idle(service) as kept:
        service.process.send_signal(signal.SIGTERM)
        assert [connection.recv(1) for connection in kept] == [b""] * IDLE
        until_refused(service.port)
        assert service.process.poll() is None
        assert call.is_alive()
        slow.answer.set()
        call.join(SECONDS)
        assert (call.status, call.headers.get("connection")) == (200, "close")
        assert service.process.wait(SECONDS) == -signal.SIGTERM
    shown = {card["uuid"] for card in json.loads(call.content)["cards"]}
    assert shown
    assert {uuid for (uuid,) in rows(tmp_path / DATABASE, "SELECT uuid FROM cards")} == shown


@pytest.mark.parametrize("workers", [1, 2])
def test_a_call_that_takes_too_long_does_not_hold_the_stop_up(workers: int, tmp_path: Path) -> None:
    with in_flight(tmp_path, workers, stop_seconds=1) as (service, _, call):
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(SECONDS) == -signal.SIGTERM
        call.join(SECONDS)
        assert call.status != 200
        assert "is killed" not in service.log.read_text()
