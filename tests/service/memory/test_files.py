"""The file of the database under the running service: deleted, replaced, full, damaged, read-only, without a table."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.memory import writer
from cds_hooks.memory.database import open_engine
from cds_hooks.settings.settings import Settings
from tests.support.hooks.calls import KETAMINE, ORDER_SIGN, knowledge, order
from tests.support.memory.lost import (
    as_found_after_a_kill,
    delete,
    delete_all,
    delete_folder,
    delete_log,
    delete_log_and_index,
    empty,
    rotate,
)
from tests.support.memory.service import PATIENCE_SECONDS, call, overridden, remembering, rows, tell, until, with_tables

PATIENT = "two-failures"


def shown(service: TestClient) -> str:
    (card,) = call(service, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
    return str(card["uuid"])


def replace(file: Path) -> None:
    with_tables(file.with_name("other")).rename(file)


@pytest.mark.parametrize("change", [delete, delete_all, delete_folder, replace, rotate])
def test_a_file_that_is_gone_is_noticed_at_the_next_write_and_made_anew(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    file = tmp_path / "folder" / "memory.sqlite"
    with remembering(file) as service:
        first = shown(service)
        assert tell(service, ORDER_SIGN, overridden(first, None)).status_code == 200
        change(file)
        answer = tell(service, ORDER_SIGN, overridden(first, None, at="2026-01-15T11:00:00Z"))
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        until(service, "open")
        second = shown(service)
        assert tell(service, ORDER_SIGN, overridden(second, None)).status_code == 200
        assert rows(file, "SELECT card FROM feedback") == [(second,)], "what is acknowledged is where it is looked for"
        assert "is not a card" in tell(service, ORDER_SIGN, overridden(first)).text, (
            "what was in the old file is unknown"
        )
        assert file.stat().st_mode & 0o777 == 0o600 or change is replace
    assert rows(file, "PRAGMA integrity_check") == [("ok",)]
    if change is rotate:
        assert rows(file.with_name("rotated"), "SELECT card FROM feedback") == [(first,)]


@pytest.mark.parametrize("change", [delete_log, delete_log_and_index, empty])
def test_a_log_that_is_gone_and_a_file_that_is_emptied_are_noticed_and_nothing_is_lost(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    file, found = tmp_path / "memory.sqlite", tmp_path / "after a kill"
    with remembering(file) as service:
        first = shown(service)
        assert tell(service, ORDER_SIGN, overridden(first, None)).status_code == 200
        change(file)
        assert tell(service, ORDER_SIGN, overridden(shown(service), None)).status_code == 503
        until(service, "open")
        second = shown(service)
        assert tell(service, ORDER_SIGN, overridden(second, None)).status_code == 200
        as_found_after_a_kill(file, found)
    assert rows(found / file.name, "SELECT card FROM feedback ORDER BY id") == [(first,), (second,)]
    assert rows(found / file.name, "PRAGMA integrity_check") == [("ok",)]


def test_behind_a_link_the_log_of_a_replaced_file_is_not_applied_to_the_next(tmp_path: Path) -> None:
    link, file = tmp_path / "memory.sqlite", tmp_path / "elsewhere" / "memory.sqlite"
    link.symlink_to(file)
    with remembering(link) as service:
        assert tell(service, ORDER_SIGN, overridden(shown(service), None)).status_code == 200
        replace(file)
        assert tell(service, ORDER_SIGN, overridden(shown(service), None)).status_code == 503
        until(service, "open")
        card = shown(service)
        assert tell(service, ORDER_SIGN, overridden(card, None)).status_code == 200
    assert rows(file, "SELECT card FROM feedback") == [(card,)]
    assert rows(file, "PRAGMA integrity_check") == [("ok",)]


def test_what_is_deleted_while_it_is_written_is_not_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "memory.sqlite"
    with remembering(file) as service:
        card = shown(service)

        async def keep(store: writer.Store, *given: object) -> object:
            found = await kept(store, *given)
            file.unlink()
            return found

        kept = writer.Store.keep
        monkeypatch.setattr(writer.Store, "keep", keep)
        assert tell(service, ORDER_SIGN, overridden(card)).status_code == 503
        monkeypatch.undo()
        until(service, "open")
        assert tell(service, ORDER_SIGN, overridden(shown(service))).status_code == 200


def test_cards_that_wait_are_written_to_the_new_file(tmp_path: Path) -> None:
    file = tmp_path / "memory.sqlite"
    with remembering(file) as service:
        file.unlink()
        card = shown(service)
        end = time.monotonic() + PATIENCE_SECONDS
        while "tandem_cards_pending 0.0" not in service.get("/metrics").text:
            assert time.monotonic() < end, "it was never written"
        assert tell(service, ORDER_SIGN, overridden(card)).status_code == 200
    assert rows(file, "SELECT card FROM feedback") == [(card,)]


@contextmanager
def hindered(file: Path, pragma: str) -> Iterator[TestClient]:
    """The service on a file of which each transaction is hindered by a pragma."""

    def opened(url: URL) -> AsyncEngine:
        engine = open_engine(url)

        @event.listens_for(engine.sync_engine, "begin")
        def hinder(connection: Connection) -> None:
            connection.exec_driver_sql(f"PRAGMA {pragma}")

        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "open_engine", opened)
        with TestClient(create_app(Settings(database=f"sqlite:///{with_tables(file)}"), knowledge())) as service:
            yield service


def write_to(service: TestClient) -> None:
    """Send feedback until it is refused."""
    for hour in range(10, 20):
        moments = [f"2026-01-15T{hour}:{minute:02}:00Z" for minute in range(20)]
        items = [overridden(shown(service), None, at=moment) for moment in moments]
        if tell(service, ORDER_SIGN, *items).status_code == 503:
            return
    raise AssertionError("it was never refused")


@pytest.mark.parametrize(("pragma", "cause"), [("max_page_count = 1", "full"), ("query_only = ON", "read-only")])
def test_a_file_that_cannot_be_written_stops_no_card(
    tmp_path: Path, pragma: str, cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with hindered(tmp_path / "memory.sqlite", pragma) as service:
        write_to(service)
        assert shown(service)
        until(service, "away")
        answer = service.get("/readyz")
        assert answer.status_code == 200
        assert answer.json() | {"status": "degraded", "database_cause": cause} == answer.json()
    assert f'"cause":"{cause}"' in capsys.readouterr().err


def test_a_table_that_is_dropped_is_noticed_and_found_again(tmp_path: Path) -> None:
    file = tmp_path / "memory.sqlite"
    with remembering(file) as service:
        card = shown(service)
        with closing(sqlite3.connect(file)) as other, other:
            other.execute("ALTER TABLE feedback RENAME TO away")
        assert tell(service, ORDER_SIGN, overridden(card)).status_code == 503
        until(service, "broken tables")
        with closing(sqlite3.connect(file)) as other, other:
            other.execute("ALTER TABLE away RENAME TO feedback")
        until(service, "open")
        assert tell(service, ORDER_SIGN, overridden(card)).status_code == 200


def test_a_damaged_page_loses_no_card_and_is_named(tmp_path: Path) -> None:
    file = with_tables(tmp_path / "memory.sqlite")
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = other.execute("PRAGMA page_size").fetchone()
    content = bytearray(file.read_bytes())
    content[size : 3 * size] = b"\xa5" * (2 * size)
    file.write_bytes(content)
    with remembering(file, state="away") as service:
        assert shown(service)
        assert tell(service, ORDER_SIGN, overridden("0" * 36)).status_code == 503
        assert service.get("/readyz").json()["database_cause"] == "damaged"
