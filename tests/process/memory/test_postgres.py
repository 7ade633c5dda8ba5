"""The same memory in a real PostgreSQL."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from starlette.testclient import TestClient

from cds_hooks.memory.database import open_engine
from cds_hooks.memory.schema import REVISION
from cds_hooks.memory.store import MOST_ANSWERS
from cds_hooks.protocol.errors import UnusableDatabase
from cds_hooks.settings.database import database_url
from cds_hooks.settings.settings import Settings
from tests.support.commands.command import tandem as command
from tests.support.hooks.calls import KETAMINE, ORDER_SIGN, PATIENT_VIEW, order
from tests.support.memory.migrations import migrated
from tests.support.memory.postgres import USER, Postgres, postgres
from tests.support.memory.service import call, nameless, overridden, remembering, tandem, tell, until

PATIENT = "two-failures"
KEY = "k" * 32


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


def on(database: str, state: str = "open") -> AbstractContextManager[TestClient]:
    return remembering(Path(), state=state, database=database, database_key=KEY)


def test_from_nothing_the_migrations_make_the_model(server: Postgres) -> None:
    url = database_url(Settings(database=server.database("migrated")))
    assert url is not None
    assert asyncio.run(migrated(open_engine(url))) == (None, [], REVISION)


def test_the_check_of_the_settings_connects_and_changes_nothing(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = server.database("checked")
    monkeypatch.setenv("TANDEM_DATABASE", database)
    monkeypatch.setenv("TANDEM_DATABASE_KEY", KEY)
    for _ in range(2):
        done = command("check-config", "--connect")
        assert done.returncode == 2
        assert "environment: TANDEM_DATABASE: the tables are at revision none" in done.stderr
    assert command("database", "upgrade").returncode == 0
    done = command("check-config", "--connect")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"note: database: connected, tables at revision {REVISION}" in done.stdout
    monkeypatch.setenv("TANDEM_DATABASE", database.replace("/checked", "/nowhere"))
    assert "the server has no database of that name: create it" in command("check-config", "--connect").stderr


def test_feedback_is_kept_quiets_and_is_reported(server: Postgres) -> None:
    database = server.database("whole")
    with on(database, state="old tables") as service:
        card = call(service, PATIENT_VIEW, PATIENT)[0]
        assert tell(service, PATIENT_VIEW, overridden(card["uuid"])).status_code == 503
    assert f"revision {REVISION}" in tandem(database, "database", "upgrade")
    with on(database) as one, on(database) as other:
        card, *others = call(one, PATIENT_VIEW, PATIENT)
        for _ in range(3):
            assert tell(one, PATIENT_VIEW, overridden(card["uuid"])).status_code == 200
        for unknown in ("'; DROP TABLE cards; --", "\x00" * 36):
            answer = tell(one, PATIENT_VIEW, overridden(unknown))
            assert (answer.status_code, "is not a card" in answer.text) == (200, True)
        assert len(call(one, PATIENT_VIEW, PATIENT)) == len(others)
        # Another process learns of it with its own next feedback, or a few seconds later.
        (elsewhere,) = call(other, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
        assert tell(other, ORDER_SIGN, overridden(elsewhere["uuid"], "other")).status_code == 200
        assert len(call(other, PATIENT_VIEW, PATIENT)) == len(others)
    report = tandem(database, "feedback", "report")
    assert "considered 1" in report
    assert "criteria:combination" in report
    assert tandem(database, "feedback", "purge", "--days", "0").endswith("rows deleted.\n")
    assert "considered" not in tandem(database, "feedback", "report")


def test_a_server_that_goes_away_stops_no_card_and_is_found_again(server: Postgres) -> None:
    database = server.database("away")
    tandem(database, "database", "upgrade")
    with on(database) as service:
        (before,) = call(service, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
        server.stop()
        try:
            (during,) = call(service, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
            assert tell(service, ORDER_SIGN, overridden(during["uuid"])).status_code == 503
            assert nameless(before) == nameless(during)
        finally:
            server.start()
        until(service, "open")
        assert tell(service, ORDER_SIGN, overridden(during["uuid"])).status_code == 200


def sql(server: Postgres, name: str, statement: str) -> list[tuple[Any, ...]]:
    async def go() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(host=str(server.folder), user=USER, database=name)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    return asyncio.run(go())


def moments() -> Iterator[tuple[int, str]]:
    """Seconds since 1970, and how feedback writes them."""
    for second in range(MOST_ANSWERS):
        yield 1768471200 + second, f"2026-01-15T10:00:{second:02}Z"


@pytest.mark.parametrize("mode", ["immediate", "fast", "killed"])
def test_what_was_acknowledged_outlives_the_end_of_the_server(server: Postgres, mode: str) -> None:
    database, acknowledged, refused = server.database(mode), set(), 0
    tandem(database, "database", "upgrade")
    with on(database) as service:
        ending = threading.Thread(target=server.kill if mode == "killed" else partial(server.stop, mode))
        try:
            while not refused:
                (card,) = call(service, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
                for second, moment in moments():
                    if tell(service, ORDER_SIGN, overridden(card["uuid"], None, at=moment)).status_code == 200:
                        acknowledged.add((card["uuid"], second))
                    else:
                        refused += 1
                if not ending.ident:
                    ending.start()
        finally:
            ending.join()
            server.start()
        until(service, "open")
    assert len(acknowledged) >= MOST_ANSWERS
    assert acknowledged <= set(sql(server, mode, "SELECT card, outcome_at / 1000 FROM feedback"))


@pytest.mark.nightly  # the service waits for a server that hangs: 2.5 s for feedback, 5 s until it gives up
def test_a_server_that_hangs_stops_no_card_and_is_found_again(server: Postgres) -> None:
    database = server.database("hangs")
    tandem(database, "database", "upgrade")
    with on(database) as service:
        (card,) = call(service, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
        with server.frozen():
            assert call(service, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
            assert tell(service, ORDER_SIGN, overridden(card["uuid"])).status_code == 503
            until(service, "away")
        until(service, "open")
        assert tell(service, ORDER_SIGN, overridden(card["uuid"])).status_code == 200


@pytest.mark.parametrize(
    ("change", "state", "message"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "newer tables", "at revision 9999, which this version"),
        ("DELETE FROM alembic_version", "broken tables", "there without a revision"),
        ("DROP TABLE feedback", "broken tables", "the table feedback is missing"),
    ],
)
def test_tables_that_cannot_be_used_are_named_and_left_alone(
    server: Postgres, change: str, state: str, message: str
) -> None:
    name = f"unusable_{len(change)}"
    database = server.database(name)
    tandem(database, "database", "upgrade")
    sql(server, name, change)
    with pytest.raises(UnusableDatabase, match=message):
        tandem(database, "database", "upgrade")
    with on(database, state=state) as service:
        assert call(service, PATIENT_VIEW, PATIENT)
        assert service.get("/readyz").json()["status"] == "degraded"
    assert ("feedback",) in sql(server, name, "SELECT tablename FROM pg_tables") or "DROP" in change


def test_a_wrong_name_or_password_is_away_and_not_an_error(server: Postgres) -> None:
    with on(f"postgresql://nobody:secret@/nothing?host={server.folder}", state="away") as service:
        assert call(service, PATIENT_VIEW, PATIENT)
        assert service.get("/readyz").json()["database_cause"] == "refused"
