"""Databases as earlier versions left them."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from cds_hooks.memory.schema import REVISION, migrations, revision, upgrade
from cds_hooks.memory.tables import METADATA


def differences(connection: Connection) -> list[Any]:
    options = {"compare_type": True}
    return compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)


async def migrated(engine: AsyncEngine) -> tuple[str | None, list[Any], str | None]:
    """The revision before, what differs from the model after, and the newest revision that ships."""
    before = await upgrade(engine)
    await upgrade(engine)
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
        newest = await connection.run_sync(
            lambda given: ScriptDirectory.from_config(migrations(given)).get_current_head()
        )
        assert await connection.run_sync(revision) == REVISION
    await engine.dispose()
    return before, found, newest
