"""``python -m tests.support.memory.killed DATABASE``: migrate, killed before each change in turn, until it ends.

The last kill is before the commit. After each, the tables that are left and their revision are printed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import aiosqlite
import alembic.command
import alembic.config
import asyncpg
from sqlalchemy import event, inspect

from cds_hooks.memory.database import make_file, open_engine
from cds_hooks.memory.schema import revision, upgrade
from cds_hooks.settings.database import database_url
from cds_hooks.settings.settings import Settings

IMPORTED = (aiosqlite, alembic.command, alembic.config, asyncpg)
"""Once, and not in each process."""
CHANGES = ("CREATE", "INSERT")


async def migrate(database: str, change: int) -> None:
    """Migrate; the process is killed before that change."""
    url = database_url(Settings(database=database))
    assert url is not None
    make_file(url)
    engine = open_engine(url)
    made = 0

    def count() -> None:
        nonlocal made
        if made == change:
            os.kill(os.getpid(), signal.SIGKILL)
        made += 1

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def changes(_: object, __: object, statement: str, *___: object) -> None:
        if statement.lstrip().startswith(CHANGES):
            count()

    @event.listens_for(engine.sync_engine, "commit")
    def commits(_: object) -> None:
        count()

    await upgrade(engine)
    await engine.dispose()


async def left(database: str) -> tuple[list[str], str | None]:
    """The tables, and their revision."""
    url = database_url(Settings(database=database))
    assert url is not None
    engine = open_engine(url)
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda given: inspect(given).get_table_names())
        found = await connection.run_sync(revision)
    await engine.dispose()
    return names, found


def main(database: str) -> None:
    """One process for each kill."""
    change, status = 0, signal.SIGKILL.value
    while status == signal.SIGKILL:
        child = os.fork()
        if child == 0:
            asyncio.run(migrate(database, change))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(change, status, *asyncio.run(left(database)), sep=";")
        change += 1


if __name__ == "__main__":
    main(sys.argv[1])
