"""A FHIR server that answers when it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_NOTHING = {"resourceType": "Bundle", "type": "searchset", "total": 0, "entry": []}


class Slow:
    """``asked`` is set once somebody has asked; nobody is answered before ``answer``."""

    def __init__(self) -> None:
        self.asked, self.answer = threading.Event(), threading.Event()
        self.url = ""


@contextmanager
def slow_server() -> Iterator[Slow]:
    """A server on which nothing is found."""
    slow = Slow()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            slow.asked.set()
            slow.answer.wait()
            content = json.dumps(_NOTHING).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/fhir+json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        slow.url = f"http://127.0.0.1:{server.server_address[1]}/fhir"
        try:
            yield slow
        finally:
            slow.answer.set()
            server.shutdown()
