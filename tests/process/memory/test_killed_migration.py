"""The migration is killed before each of its changes: nothing is left of it, and the next start works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cds_hooks.memory.schema import REVISION
from tests.support.hooks.calls import KETAMINE, ORDER_SIGN, order
from tests.support.memory.postgres import postgres
from tests.support.memory.service import call, overridden, remembering, rows, tell

KILLS = 12
"""Before the table of the revision, three tables, two indices, the revision, three tables, an index, and the commit."""
TABLES = ["alembic_version", "cards", "feedback", "firings", "token_recording", "token_shares", "used_tokens"]
PATIENT = "two-failures"


def killed(database: str) -> tuple[list[str], str]:
    """What was left after each kill, and after the migration that ended."""
    command = [sys.executable, "-m", "tests.support.memory.killed", database]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    *kills, last = (line.partition(";")[2] for line in done.stdout.splitlines())
    return kills, last


def test_of_a_killed_migration_of_a_file_nothing_is_left(tmp_path: Path) -> None:
    file = tmp_path / "memory.sqlite"
    kills, last = killed(f"sqlite:///{file}")
    assert len(kills) == KILLS
    assert set(kills) == {"9;[];None"}
    assert last == f"0;{TABLES};{REVISION}"
    with remembering(file) as service:
        (card,) = call(service, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
        assert tell(service, ORDER_SIGN, overridden(card["uuid"])).status_code == 200
    assert rows(file, "SELECT card FROM feedback") == [(card["uuid"],)]


@pytest.mark.nightly
def test_of_a_killed_migration_of_a_server_nothing_is_left() -> None:
    with postgres() as server:
        kills, last = killed(server.database("killed"))
    assert len(kills) == KILLS
    assert set(kills) == {"9;[];None"}
    assert last.startswith("0;[")
    assert last.endswith(f";{REVISION}")


RACE = """
import os, sys
from sqlalchemy.exc import OperationalError
from tests.support.memory.killed import asyncio, migrate
waits, goes = os.pipe()
children = []
for _ in range(4):
    children.append(os.fork())
    if children[-1] == 0:
        os.close(goes)
        os.read(waits, 1)
        for _ in range(50):
            try:
                asyncio.run(migrate(sys.argv[1], -1))
                os._exit(0)
            except OperationalError:  # locked for longer than the driver waits: the service tries again too
                continue
        os._exit(1)
os.close(goes)
print([os.waitpid(child, 0)[1] for child in children])
"""


def test_processes_that_make_a_fresh_file_together_make_it_once(tmp_path: Path) -> None:
    file = tmp_path / "memory.sqlite"
    command = [sys.executable, "-c", RACE, f"sqlite:///{file}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "[0, 0, 0, 0]\n", done.stderr
    assert rows(file, "SELECT version_num FROM alembic_version") == [(REVISION,)]
