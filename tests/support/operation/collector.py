"""A collector on loopback that decodes what it receives over OTLP/HTTP."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass
class Receipt:
    """One request."""

    path: str
    headers: dict[str, str]
    message: ExportTraceServiceRequest


@dataclass
class Collector:
    """The running collector; what it received is taken out in order."""

    url: str
    receipts: queue.Queue[Receipt] = field(default_factory=queue.Queue)

    def next(self) -> Receipt:
        """The next request, which is waited for."""
        return self.receipts.get(timeout=30)


@contextmanager
def collector() -> Iterator[Collector]:
    """Receive until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            running.receipts.put(Receipt(self.path, headers, ExportTraceServiceRequest.FromString(content)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        running = Collector(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield running
        finally:
            server.shutdown()
            thread.join()
