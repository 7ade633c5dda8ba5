"""The migrations make the tables that the code works with, and what is old is forgotten."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy import URL

from cds_hooks.memory.database import open_engine
from cds_hooks.memory.quiet import DAY_MS
from cds_hooks.memory.schema import REVISION, upgrade
from cds_hooks.memory.store import AnswerRow, CardRow, Store
from cds_hooks.settings.database import database_url
from cds_hooks.settings.settings import Settings
from tests.support.memory.migrations import migrated
from tests.support.memory.service import rows

SERVICE, TENANT = "service", "site"


def sqlite_url(file: Path) -> URL:
    url = database_url(Settings(database=f"sqlite:///{file}"))
    assert url is not None
    return url


def card(number: int, shown_at: int) -> CardRow:
    return CardRow(
        uuid=f"{number:036x}", shown_at=shown_at, tenant=TENANT, service=SERVICE, rule="r", role="Practitioner",
        indicator="info", mode="live", knowledge="0" * 12, patient="p", fingerprint="f", suggestions="[]",
    )  # fmt: skip


def answer(number: int, received_at: int) -> AnswerRow:
    return AnswerRow(f"{number:036x}", f"d{received_at}", "overridden", received_at, received_at, "other", "", ())


def test_from_nothing_the_migrations_make_the_model(tmp_path: Path) -> None:
    engine = open_engine(sqlite_url(tmp_path / "100% new.sqlite"))
    assert asyncio.run(migrated(engine)) == (None, [], REVISION)


def test_what_is_old_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "memory.sqlite"

    async def scenario() -> int:
        engine = open_engine(sqlite_url(file))
        await upgrade(engine)
        store = Store(engine)
        await store.write([card(number, number * DAY_MS) for number in range(10)], {})
        answers = [answer(1, 2 * DAY_MS), answer(2, 100 * DAY_MS)]
        assert await store.keep([], answers, TENANT, SERVICE) == ["kept", "kept"]
        gone = await store.purge(answered_before=50 * DAY_MS, unanswered_before=5 * DAY_MS)
        await engine.dispose()
        return gone

    # One answer is old; of the cards 0 to 4 only the one whose answer is recent stays.
    assert asyncio.run(scenario()) == 1 + 4
    assert rows(file, "SELECT shown_at / 86400000 FROM cards ORDER BY 1") == [(2,), *((day,) for day in range(5, 10))]
    assert rows(file, "SELECT count(*) FROM feedback") == [(1,)]
