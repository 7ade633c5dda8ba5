"""``tandem serve`` with a settings file, as an operator starts it, and its processes."""

from __future__ import annotations

import http.client
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

DATABASE = "memory.sqlite"
SECONDS = 60
"""How long is waited for what should come soon."""


@dataclass(frozen=True)
class Service:
    """A running service."""

    process: subprocess.Popen[str]
    port: int
    log: Path

    def connected(self) -> http.client.HTTPConnection:
        """A connection of its own."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)

    def get(self, path: str) -> bytes:
        """An answer over a connection of its own."""
        connection = self.connected()
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            return connection.getresponse().read()
        finally:
            connection.close()

    def measured(self, name: str, **labels: str) -> dict[str, float]:
        """The values of a metric with those labels, by worker."""
        return {
            sample.labels["worker"]: sample.value
            for family in text_string_to_metric_families(self.get("/metrics").decode())
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        }

    def workers(self) -> list[int]:
        """The processes of the workers, as Linux lists them."""
        of = self.process.pid
        children = Path(f"/proc/{of}/task/{of}/children").read_text(encoding="ascii").split()
        return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@contextmanager
def served(folder: Path, settings: str, *options: str) -> Iterator[Service]:
    """The service with these settings; its files and its log lie in the folder."""
    file, log = folder / "tandem.toml", folder / "log"
    file.write_text(f'database = "sqlite:///{folder / DATABASE}"\n{settings}', encoding="utf-8")
    command = [sys.executable, "-m", "cds_hooks.cli.main", "serve", "--config", str(file), "--port", "0", *options]
    environment = {**os.environ, "STATE_DIRECTORY": str(folder)}
    with (
        log.open("wb") as err,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, text=True, env=environment) as process,
    ):
        assert process.stdout is not None
        try:
            port = urlsplit(process.stdout.readline().split()[3]).port
            assert port is not None
            yield Service(process, port, log)
        finally:
            process.kill()


def gone(process: int) -> bool:
    """Whether a process ends in time."""
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], SECONDS)[0])
    finally:
        os.close(descriptor)
