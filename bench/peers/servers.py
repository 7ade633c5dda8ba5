"""Servers under measurement: started on one core, asked from another."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVER_CORE, CLIENT_CORE = 0, 1
_START_SECONDS = 60


@dataclass(frozen=True)
class Peer:
    """One application and the address that answers the request."""

    name: str
    app: str
    path: str = "/cds-services/bench"
    python: str = sys.executable


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(peer: Peer) -> Iterator[int]:
    """The peer served by uvicorn, one worker; gives its port."""
    port = free_port()
    command = [peer.python, "-m", "uvicorn", peer.app, "--port", str(port), "--log-level", "error", "--no-access-log"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    pin(SERVER_CORE, process.pid)
    try:
        _wait(port, process)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=10)


def pin(core: int, process: int = 0) -> None:
    """Keep a process (this one, by default) on one core, where there are several."""
    os.sched_setaffinity(process, {core % (os.cpu_count() or 1)})


def post(port: int, path: str, body: bytes) -> bytes:
    """One request, for checking; raises when the answer is no success."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        if response.status != http.client.OK:
            raise RuntimeError(f"{path} answered {response.status}: {content[:300]!r}")
        return content
    finally:
        connection.close()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the server stopped with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the server did not start")
