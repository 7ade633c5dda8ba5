"""Tables that a crash, an earlier release or somebody else left: mended where that is certain, else named and left."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import create_engine, event

from cds_hooks.memory.database import open_engine
from cds_hooks.memory.schema import REVISION, REVISIONS, migrations, upgrade
from cds_hooks.settings.database import database_url
from cds_hooks.settings.settings import Settings
from tests.support.commands.command import Done, tandem
from tests.support.hooks.calls import KETAMINE, ORDER_SIGN, order
from tests.support.memory.migrations import migrated
from tests.support.memory.service import call, overridden, remembering, rows, tell, with_tables

PATIENT = "two-failures"
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
CHANGES = ("CREATE", "INSERT")
FIRST = "0001"
"""The revision of the release that committed each statement by itself."""
STEPS = 7
"""The table of the revision, three tables, two indices, the revision: the changes of the first migration."""


class Stopped(Exception):
    """The program ends here."""


def stop_at(engine: Any, change: int) -> None:
    """Raise before a change of the database."""
    made = 0

    @event.listens_for(engine, "before_cursor_execute")
    def count(_: Any, __: Any, statement: str, *___: Any) -> None:
        nonlocal made
        if statement.lstrip().startswith(CHANGES):
            if made == change:
                raise Stopped
            made += 1


def half_made(file: Path, change: int) -> Path:
    """A file as an earlier release left it, which committed each statement by itself."""
    engine = create_engine(f"sqlite:///{file}")
    stop_at(engine, change)
    with suppress(Stopped), engine.begin() as connection:
        command.upgrade(migrations(connection), FIRST)
    engine.dispose()
    return file


def opened(file: Path) -> Any:
    url = database_url(Settings(database=f"sqlite:///{file}"))
    assert url is not None
    return open_engine(url)


def upgraded(file: Path, monkeypatch: pytest.MonkeyPatch) -> Done:
    monkeypatch.setenv("TANDEM_DATABASE", f"sqlite:///{file}")
    return tandem("database", "upgrade")


@pytest.mark.parametrize("change", range(STEPS + 1))
def test_a_half_made_file_is_made_anew(tmp_path: Path, change: int) -> None:
    file = half_made(tmp_path / "memory.sqlite", change)
    assert (len(rows(file, TABLES)) == 0) == (change == 0)
    assert asyncio.run(migrated(opened(file))) == (None if change < STEPS else FIRST, [], REVISION)


def test_a_service_with_a_half_made_file_works(tmp_path: Path) -> None:
    file = half_made(tmp_path / "memory.sqlite", STEPS - 1)
    with remembering(file) as service:
        (card,) = call(service, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
        assert tell(service, ORDER_SIGN, overridden(card["uuid"])).status_code == 200
        assert service.get("/readyz").json()["status"] == "ready"
    assert rows(file, "SELECT card FROM feedback") == [(card["uuid"],)]


@pytest.mark.parametrize("change", range(STEPS))
def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, change: int) -> None:
    engine = opened(tmp_path / "memory.sqlite")
    stop_at(engine.sync_engine, change)

    async def go() -> None:
        with suppress(Stopped):
            await upgrade(engine)
        await engine.dispose()

    asyncio.run(go())
    assert rows(tmp_path / "memory.sqlite", TABLES) == []


def test_all_migrations_are_known() -> None:
    found = sorted(
        path.stem for path in (Path(migrations(None).get_main_option("script_location")) / "versions").glob("[!_]*.py")
    )
    assert len(found) == len(REVISIONS)


def test_down_to_nothing_and_up_again(tmp_path: Path) -> None:
    file = with_tables(tmp_path / "memory.sqlite")
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        command.downgrade(migrations(connection), "base")
    engine.dispose()
    assert rows(file, TABLES) == [("alembic_version",)]
    assert asyncio.run(migrated(opened(file))) == (None, [], REVISION)


ALL = ("feedback", "cards", "firings", "used_tokens", "token_shares", "token_recording")
UNUSABLE = {
    "data without a revision": (
        ["DELETE FROM alembic_version", "INSERT INTO firings VALUES ('2026-01-15', '', 's', 'live', 'r', 'info', 1)"],
        "broken tables",
        "the tables cards, feedback, firings, token_recording, token_shares, used_tokens are there without a revision",
    ),
    "somebody else's table": (
        [*(f"DROP TABLE {name}" for name in ALL), "DELETE FROM alembic_version",
         "CREATE TABLE cards (suit TEXT, rank TEXT)"],
        "broken tables",
        "the table cards is there without a revision",
    ),
    "a table less": (["DROP TABLE feedback"], "broken tables", "the table feedback is missing"),
    "a column less": (["ALTER TABLE feedback DROP COLUMN comment"], "broken tables", "feedback is missing, or without"),
    "a newer version": (
        ["UPDATE alembic_version SET version_num = '9999'"],
        "newer tables",
        "the tables are at revision 9999, which this version does not know",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_cannot_be_mended_is_named_and_left_alone(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes, state, message = UNUSABLE[name]
    file = with_tables(tmp_path / "memory.sqlite")
    with closing(sqlite3.connect(file)) as other, other:
        for change in changes:
            other.execute(change)
    before = rows(file, "SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2")
    with remembering(file, state=state) as service:
        assert call(service, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT)), "cards do not need the database"
        assert tell(service, ORDER_SIGN, overridden("0" * 36)).status_code == 503
        answer = service.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert "tandem_database_up 0.0" in service.get("/metrics").text
    done = upgraded(file, monkeypatch)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tandem: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert rows(file, "SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2") == before


def test_the_command_says_why_a_database_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = with_tables(tmp_path / "memory.sqlite")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = upgraded(file, monkeypatch)
        assert (done.returncode, "another process keeps it locked" in done.stderr) == (3, True), done.stderr
    assert upgraded(file, monkeypatch).returncode == 0
    file.write_bytes(b"this is no database" * 100)
    done = upgraded(file, monkeypatch)
    assert (done.returncode, "damaged or no database" in done.stderr) == (2, True), done.stderr
    file.unlink()
    file.mkdir()
    done = upgraded(file, monkeypatch)
    assert (done.returncode, "cannot be opened" in done.stderr) == (2, True), done.stderr
