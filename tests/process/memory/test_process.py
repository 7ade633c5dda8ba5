"""The service as a process, killed without warning while feedback comes in: what was acknowledged is there."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.support.hooks.calls import KETAMINE, ORDER_SIGN, body, order
from tests.support.memory.postgres import postgres
from tests.support.memory.service import overridden, rows, tandem

PATIENT = "nearly-empty"
CLIENTS, ACKNOWLEDGED, KILLS_OF_THE_SERVER = 3, 25, 4


@contextmanager
def served(database: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """``tandem serve`` with its memory in that database, and its address."""
    command = [sys.executable, "-m", "cds_hooks.cli.main", "serve", "--port", "0"]
    environment = os.environ | {"TANDEM_DATABASE": database, "TANDEM_DATABASE_KEY": "k" * 32}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            yield urlsplit(process.stdout.readline().split()[3]).netloc, process
        finally:
            process.kill()


def post(connection: http.client.HTTPConnection, path: str, content: object) -> tuple[int, bytes]:
    connection.request("POST", path, json.dumps(content), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read()


class Clinician(threading.Thread):
    """Calls, and overrides each card, until the service is gone or the clinician is told to go."""

    def __init__(self, address: str, enough: threading.Event) -> None:
        super().__init__(daemon=True)
        self._address, self._enough = address, enough
        self.may_go = threading.Event()
        self.refused = threading.Event()
        """Some feedback could not be kept."""
        self.acknowledged: list[tuple[str, int]] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=30)
        request = body(ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
        try:
            for number in itertools.count():
                if self.may_go.is_set():
                    return
                _, answer = post(connection, ORDER_SIGN, request)
                card = json.loads(answer)["cards"][0]["uuid"]
                item = overridden(card, at=f"2026-01-15T10:{number // 60 % 60:02}:{number % 60:02}Z")
                status, _ = post(connection, f"{ORDER_SIGN}/feedback", {"feedback": [item]})
                if status == 200:
                    self.acknowledged.append((card, number % 3600))
                else:
                    self.refused.set()
                if len(self.acknowledged) >= ACKNOWLEDGED:
                    self._enough.set()
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()


def at_work(address: str) -> list[Clinician]:
    """Clinicians of whom one has enough acknowledged by now."""
    enough = threading.Event()
    clinicians = [Clinician(address, enough) for _ in range(CLIENTS)]
    for each in clinicians:
        each.start()
    assert enough.wait(60)
    return clinicians


@pytest.mark.parametrize("kills", [2, pytest.param(8, marks=pytest.mark.nightly)])
def test_no_acknowledged_item_is_lost_by_a_kill(tmp_path: Path, kills: int) -> None:
    file, acknowledged = tmp_path / "memory.sqlite", []
    for _ in range(kills):
        with served(f"sqlite:///{file}") as (address, process):
            clinicians = at_work(address)
            process.kill()
            for each in clinicians:
                each.join(30)
                acknowledged += each.acknowledged
    kept = rows(file, "SELECT card, (outcome_at / 1000 - 1768471200) FROM feedback")
    assert len(acknowledged) > kills * ACKNOWLEDGED
    assert set(acknowledged) <= {(card, second) for card, second in kept}
    assert rows(file, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.nightly
def test_no_acknowledged_item_is_lost_by_a_kill_of_the_database_server() -> None:
    with postgres() as server:
        database = server.database("killed")
        tandem(database, "database", "upgrade")
        acknowledged = []
        with served(database) as (address, _):
            for _ in range(KILLS_OF_THE_SERVER):
                clinicians = at_work(address)
                server.kill()
                assert all(each.refused.wait(60) for each in clinicians)
                server.start()
                for each in clinicians:
                    each.may_go.set()
                    each.join(60)
                    acknowledged += each.acknowledged
        kept = asyncio.run(feedback(database))
    assert len(acknowledged) > KILLS_OF_THE_SERVER * ACKNOWLEDGED
    assert set(acknowledged) <= kept


async def feedback(database: str) -> set[tuple[str, int]]:
    """What is kept: the card, and the second of the outcome."""
    connection = await asyncpg.connect(database)
    found = await connection.fetch("SELECT card, outcome_at / 1000 - 1768471200 AS second FROM feedback")
    await connection.close()
    return {(each["card"], each["second"]) for each in found}
