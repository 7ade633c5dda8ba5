"""The web server as ``tandem serve`` runs it, in a thread, and what comes back over a plain socket."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import SecretStr

from cds_hooks.application.app import create_app
from cds_hooks.operation.server import WebServer
from cds_hooks.settings.settings import Settings
from cds_hooks.starting.listening import listen
from tests.support.hooks.calls import DAY, knowledge

SECONDS = 20
"""How long is waited for what should come at once."""


@contextmanager
def serving(**settings: Any) -> Iterator[int]:
    """The service with these settings; gives its port."""
    made = Settings(**{"database": SecretStr("off"), "log_level": "critical", **settings})
    with listen("127.0.0.1", 0) as listener:
        server = WebServer(create_app(made, knowledge(), today=lambda: DAY), made)
        listener.listen()
        # Signals belong to the main thread; this server ends when it is told to.
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def connected(port: int, sent: bytes = b"") -> socket.socket:
    """A connection on which these bytes were sent."""
    connection = socket.create_connection(("127.0.0.1", port), SECONDS)
    connection.sendall(sent)
    return connection


def until_closed(connection: socket.socket) -> bytes:
    """All that comes until the other side ends the connection; TimeoutError if it does not."""
    received = bytearray()
    try:
        while piece := connection.recv(65_536):
            received += piece
    except ConnectionResetError:
        pass
    return bytes(received)


def exchange(port: int, sent: bytes) -> bytes:
    """The whole answer to a request after which the connection is closed."""
    with connected(port, sent) as connection:
        return until_closed(connection)


def statuses(answers: bytes) -> list[int]:
    """The status of each answer that came over a connection."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]
