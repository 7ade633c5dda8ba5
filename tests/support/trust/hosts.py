"""Hosts: processes of the service with state directories of their own; two of them share a name and a database."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cds_hooks.clients.replays.file import FileReplayStore
from cds_hooks.clients.replays.shared import SharedReplayStore
from cds_hooks.settings.database import database_url
from cds_hooks.settings.settings import Settings
from tests.support.memory.service import tandem
from tests.support.trust.signing import BASE, ISSUER, JKU, bearer, key_set
from tests.support.trust.used import run

_SHARED = """
host = "127.0.0.1"
port = 0
database = "{database}"
database_key = "{key}"
"""
_CLIENT = """
[[clients]]
name = "{name}"
issuer = "{issuer}"
key_set = "{keys}"
jku = "{jku}"
audience_base = "{base}"
mode = "{mode}"
{more}
"""


class Host:
    """One of them."""

    def __init__(self, folder: Path, config: Path) -> None:
        folder.mkdir()
        self.log = folder / "log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TANDEM_")}
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cds_hooks.cli.main", "serve", "--config", str(config)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment | {"STATE_DIRECTORY": str(folder)},
            )

    @cached_property
    def address(self) -> str:
        """Host and port, once it says that it answers."""
        assert self._process.stdout is not None
        return urlsplit(self._process.stdout.readline().split()[3]).netloc

    def post(self, path: str, content: object, token: str) -> tuple[int, Any]:
        """The status and the content of an answer."""
        headers: Mapping[str, str] = {"Content-Type": "application/json", **bearer(token)}
        with closing(http.client.HTTPConnection(self.address, timeout=30)) as connection:
            connection.request("POST", path, json.dumps(content), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")

    def kill(self) -> None:
        """Without warning."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


class Hosts:
    """Two hosts that run, and the folder of all."""

    def __init__(self, folder: Path, config: Path) -> None:
        self._folder, self._config = folder, config
        self.both = Host(folder / "north", config), Host(folder / "south", config)

    @contextmanager
    def another(self) -> Iterator[Host]:
        """A host more, which has never run before."""
        host = Host(self._folder / "another", self._config)
        try:
            yield host
        finally:
            host.kill()


@contextmanager
def two_hosts(database: str, folder: Path) -> Iterator[Hosts]:
    """They run; tokens of any age are good, as if the database had been there for long."""
    tandem(database, "database", "upgrade")
    url = database_url(Settings(database=database))
    assert url is not None
    store = SharedReplayStore(url, lambda: 0)
    run(store.try_out())
    run(store.aclose())
    assert store.since == 0
    hosts = Hosts(folder, _configured(database, folder))
    try:
        yield hosts
    finally:
        for each in hosts.both:
            each.kill()


@contextmanager
def with_clients(folder: Path, clients: Mapping[str, str], silent: Collection[str] = ()) -> Iterator[Host]:
    """One host without a database, for clients of these names with further settings of each."""
    store = folder / "replays.sqlite"
    FileReplayStore(store, lambda: 0).close()
    config = _written(folder, f'port = 0\ndatabase = "off"\nreplay_store = "{store}"\n', clients, silent)
    host = Host(folder / "host", config)
    try:
        yield host
    finally:
        host.kill()


def _configured(database: str, folder: Path) -> Path:
    """The settings file of all hosts; used tokens are in the database, because that is a server."""
    return _written(folder, _SHARED.format(database=database, key="k" * 32), {"general": ""}, ())


def _written(folder: Path, shared: str, clients: Mapping[str, str], silent: Collection[str]) -> Path:
    file, keys = folder / "tandem.toml", key_set("ec-1")
    listed = (
        _CLIENT.format(
            name=name,
            issuer=ISSUER if name == "general" else f"https://{name}.example",
            keys=keys,
            jku=JKU,
            base=BASE,
            mode="silent" if name in silent else "live",
            more=more,
        )
        for name, more in clients.items()
    )
    file.write_text(shared + "".join(listed))
    return file
