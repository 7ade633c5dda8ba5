"""The database is locked, slow, broken or away: cards are as ever, feedback says to come back, and then it is kept."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from errno import EDQUOT, ENOSPC, EROFS
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.memory import writer
from cds_hooks.memory.database import cause_of
from cds_hooks.memory.keys import site_key
from cds_hooks.memory.store import Store
from cds_hooks.settings.settings import Settings
from fhir_plugin.errors import BadInput
from tests.support.commands.command import tandem
from tests.support.hooks.calls import DAY, KETAMINE, ORDER_SIGN, knowledge, order
from tests.support.memory.service import call, nameless, overridden, remembering, rows, tell, until

PATIENT = "two-failures"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def shown(service: TestClient) -> dict[str, Any]:
    (card,) = call(service, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
    return card


def refused(service: TestClient, card: str = UNKNOWN) -> None:
    answer = tell(service, ORDER_SIGN, overridden(card))
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert answer.json()["issue"][0]["code"] == "transient"


def test_a_locked_database_stops_no_card(tmp_path: Path) -> None:
    file = tmp_path / "memory.sqlite"
    with remembering(file) as service:
        before = shown(service)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            during = shown(service)
            refused(service, during["uuid"])
            other.execute("ROLLBACK")
        assert nameless(before) == nameless(during)
        until(service, "open")
        assert tell(service, ORDER_SIGN, overridden(during["uuid"])).status_code == 200
    assert rows(file, "SELECT card FROM feedback") == [(during["uuid"],)]
    assert len(rows(file, "SELECT uuid FROM cards")) == 2


def test_a_slow_database_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> list[str]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(writer, "KEEP_SECONDS", 0.05)
    monkeypatch.setattr(writer, "_STOP_SECONDS", 0.05)
    with remembering(tmp_path / "memory.sqlite") as service:
        monkeypatch.setattr(Store, "keep", never)
        for _ in range(writer.MOST_WAITING + 3):
            refused(service)
        assert shown(service)


@pytest.mark.parametrize("broken", ["no folder", "garbage", "a folder"])
def test_a_database_that_cannot_be_opened_stops_no_card(tmp_path: Path, broken: str) -> None:
    file, state = tmp_path / "memory.sqlite", "closed"
    if broken == "no folder":
        file.write_text("a file where a folder should be")
        file = file / "memory.sqlite"
    elif broken == "garbage":
        file.write_bytes(b"this is no database" * 100)
        state = "away"
    else:
        file.mkdir()
        state = "away"
    with remembering(file, state=state) as service:
        assert shown(service)
        refused(service)
        assert "tandem_database_up 0.0" in service.get("/metrics").text


def test_tables_of_a_later_version_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "memory.sqlite"
    with remembering(file):
        pass
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
    with remembering(file, state="newer tables") as service:
        assert shown(service)
        refused(service)


def test_cards_wait_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MOST_PENDING", 3)
    (tmp_path / "memory.sqlite").mkdir()
    with remembering(tmp_path / "memory.sqlite", state="away") as service:
        for _ in range(5):
            shown(service)
        counted = service.get("/metrics").text
    assert "tandem_cards_pending 3.0" in counted
    assert "tandem_cards_given_up_total 2.0" in counted


def test_before_the_start_feedback_is_told_to_wait(tmp_path: Path) -> None:
    settings = Settings(database=f"sqlite:///{tmp_path}/memory.sqlite")
    refused(TestClient(create_app(settings, knowledge(), lambda: DAY)))


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "memory.sqlite"
    with remembering(file):
        pass
    key = file.with_name("memory.sqlite.key")
    made = key.read_text()
    assert [each.stat().st_mode & 0o777 for each in (file.parent, file, key)] == [0o700, 0o600, 0o600]
    with remembering(file):
        pass
    assert key.read_text() == made
    assert [each.name for each in file.parent.iterdir() if "tmp" in each.name] == []


@pytest.mark.parametrize("damaged", ["", "zz", "00ff"])
def test_a_damaged_key_is_named(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "memory.sqlite.key").write_text(damaged)
    with (
        pytest.raises(BadInput, match=r"memory\.sqlite\.key"),
        remembering(tmp_path / "memory.sqlite"),
    ):
        raise AssertionError("a service with a damaged key must not start")


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["check-config", "settings.toml"]])
def test_a_damaged_key_ends_the_start_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    (tmp_path / "memory.sqlite.key").write_text("zz")
    (tmp_path / "settings.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TANDEM_DATABASE", f"sqlite:///{tmp_path}/memory.sqlite")
    done = tandem(*command)
    message = (
        "environment: TANDEM_DATABASE: memory.sqlite.key: not a key: put back the file that belongs to this database"
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"tandem: {message}\n")


def test_a_database_server_needs_a_key_that_all_processes_share() -> None:
    from cds_hooks.settings.database import database_url

    settings = Settings(database="postgresql://tandem@localhost/tandem")
    url = database_url(settings)
    assert url is not None
    with pytest.raises(BadInput, match="database_key"):
        site_key(settings, url)


@pytest.mark.parametrize(("number", "cause"), [(EROFS, "read-only"), (ENOSPC, "full"), (EDQUOT, "full")])
def test_a_fault_of_the_file_system_is_no_server_that_does_not_answer(number: int, cause: str) -> None:
    assert cause_of(OSError(number, "so says the system")) == cause
