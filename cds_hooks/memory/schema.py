"""The tables of the database: their revision, their migration in one transaction, and what cannot be migrated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, column, func, inspect, select, table, text
from sqlalchemy.ext.asyncio import AsyncEngine

from cds_hooks.memory.database import for_writing
from cds_hooks.memory.tables import METADATA
from cds_hooks.protocol.errors import UnusableDatabase

REVISIONS = ("0001", "0002")
"""All migrations, in their order."""
REVISION = REVISIONS[-1]
"""The latest migration; a database at another revision is not used."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7_263_361
"""The advisory lock of a migration on a database server; any number that other programs do not use."""
_RESTORE = "restore a copy of the database, or move it away and a new one is made"


async def check(engine: AsyncEngine) -> None:
    """Check that the tables are those of ``REVISION``; changes nothing.

    :raises UnusableDatabase: they are not.
    """
    async with engine.connect() as connection:
        await connection.run_sync(_check)


async def upgrade(engine: AsyncEngine) -> str | None:
    """Migrate the tables to ``REVISION``, all or nothing; existing data is kept. Returns the revision before.

    :raises UnusableDatabase: they cannot be migrated: nothing is changed.
    """
    async with for_writing(engine).begin() as connection:
        return await connection.run_sync(_upgrade)


def revision(connection: Connection) -> str | None:
    """The revision of the tables; ``None`` where there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = connection.scalar(select(column("version_num")).select_from(table("alembic_version")))
    return None if version is None else str(version)


def _check(connection: Connection) -> None:
    found = _known_revision(connection)
    if found is None and _strange(connection):
        raise _unversioned(connection)
    if found != REVISION:
        raise UnusableDatabase(
            "old tables",
            f"the tables are at revision {found or 'none'}, and {REVISION} is needed: run tandem database upgrade",
        )
    if incomplete := [each.name for each in METADATA.sorted_tables if not _is_as_made(connection, each)]:
        raise UnusableDatabase(
            "broken tables", f"{_named(incomplete)} missing, or without all columns of revision {REVISION}: {_RESTORE}"
        )


def _upgrade(connection: Connection) -> str | None:
    if connection.dialect.name == "postgresql":
        # Two commands at once: the second waits, and finds nothing left to do.
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    before = _known_revision(connection)
    if before is None:
        _clear_half_made(connection)
    if before != REVISION:
        from alembic import command

        command.upgrade(migrations(connection), REVISION)
    _check(connection)
    return before


def _known_revision(connection: Connection) -> str | None:
    found = revision(connection)
    if found not in (None, *REVISIONS):
        raise UnusableDatabase(
            "newer tables",
            f"the tables are at revision {found}, which this version does not know: install the version that made "
            "them, or restore a copy from before",
        )
    return found


def _clear_half_made(connection: Connection) -> None:
    """Drop the tables that a first start of an earlier version left when it was killed.

    Nothing was ever written to tables without a revision, so only empty ones, with exactly our columns, in a SQLite
    file are taken for that; anything else is left alone.
    """
    if _strange(connection):
        raise _unversioned(connection)
    for each in reversed(_ours(connection)):
        each.drop(connection)


def _ours(connection: Connection) -> list[Table]:
    """The tables with names of ours that are there."""
    return [each for each in METADATA.sorted_tables if inspect(connection).has_table(each.name)]


def _strange(connection: Connection) -> bool:
    """Whether tables without a revision are not just what a first start has left."""
    found = _ours(connection)
    if connection.dialect.name != "sqlite":  # there each migration has always been one transaction
        return bool(found)
    return any(not _is_as_made(connection, each) or _count(connection, each) for each in found)


def _unversioned(connection: Connection) -> UnusableDatabase:
    names = sorted(each.name for each in _ours(connection))
    return UnusableDatabase(
        "broken tables",
        f"{_named(names)} there without a revision, and not just left by a first start that was killed: {_RESTORE}",
    )


def _is_as_made(connection: Connection, wanted: Table) -> bool:
    """Whether the table is there with the columns that it should have."""
    inspector = inspect(connection)
    if not inspector.has_table(wanted.name):
        return False
    return {each["name"] for each in inspector.get_columns(wanted.name)} == set(wanted.columns.keys())


def _count(connection: Connection, wanted: Table) -> int:
    return connection.scalar(select(func.count()).select_from(wanted)) or 0


def _named(names: Sequence[str]) -> str:
    return f"the table {names[0]} is" if len(names) == 1 else f"the tables {', '.join(names)} are"


def migrations(connection: Connection) -> Any:
    """The configuration of alembic for the migrations that ship with the product."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
