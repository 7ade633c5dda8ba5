"""A Redis server of our own, on a Unix socket, thrown away afterwards."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from pydantic import SecretStr


class RedisServer:
    """It runs, and keeps what it holds in ``folder`` when it is told to."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        self.start()

    @property
    def url(self) -> SecretStr:
        """As the setting names it."""
        return SecretStr(f"unix://{self._folder}/socket")

    @property
    def client(self) -> redis.Redis:
        """For what somebody else does to it."""
        return redis.Redis.from_url(self.url.get_secret_value())

    def start(self) -> None:
        """It answers afterwards."""
        words = ["--port", "0", "--unixsocket", "socket", "--save", "", "--daemonize", "no", "--dir", str(self._folder)]
        self._process = subprocess.Popen(
            [self._program, *words], cwd=self._folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._process.stdout is not None
        said = iter(self._process.stdout.readline, "")
        assert any("accept connections" in line and "socket" in line for line in said), "it does not start"

    def kill(self) -> None:
        """At once, without a word."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As an administrator does it."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        self._process.send_signal(number)
        self._process.communicate()


@contextmanager
def redis_server() -> Iterator[RedisServer | None]:
    """A server that runs; ``None`` where Redis is not installed."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="tandem-redis-") as folder:
        server = RedisServer(program, Path(folder))
        try:
            yield server
        finally:
            server.stop()
