"""The database: its location, its engine, and the migration of its tables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, column, event, inspect, make_url, select, table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from cds_hooks.settings.settings import Settings
from fhir_plugin.extras import POSTGRESQL

REVISION = "0001"
"""The latest migration; a database at another revision is not used."""
FAULTS: tuple[type[Exception], ...] = (SQLAlchemyError, OSError, TimeoutError)
"""Exceptions of a database that is unreachable, locked or broken."""
OFF = "off"

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_SECONDS, _CONNECT_SECONDS, _COMMAND_SECONDS = 1.0, 2.0, 5.0
_CONNECTIONS = 2
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}


def default_file() -> Path:
    """``memory.sqlite`` in the state directory of the service (systemd), else of the user (XDG)."""
    if directory := os.environ.get("STATE_DIRECTORY"):
        return Path(directory.partition(":")[0]) / "memory.sqlite"
    state = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    return Path(state) / "tandem" / "memory.sqlite"


def database_url(settings: Settings) -> URL | None:
    """The database of the settings with its driver; ``None`` where memory is switched off.

    :raises MissingExtra: its driver is not installed.
    """
    written = settings.database.get_secret_value()
    if written == OFF:
        return None
    url = make_url(written) if written else URL.create("sqlite", database=str(default_file()))
    if not is_file(url):
        POSTGRESQL.require()
    return url.set(drivername=_DRIVERS[url.get_backend_name()])


def is_file(url: URL) -> bool:
    """Whether the database is a SQLite file, which is created if it is missing."""
    return url.get_backend_name() == "sqlite"


def open_engine(url: URL) -> AsyncEngine:
    """An engine with short timeouts; not connected yet."""
    if not is_file(url):
        waits = {"timeout": _CONNECT_SECONDS, "command_timeout": _COMMAND_SECONDS}
        return create_async_engine(
            url, pool_size=_CONNECTIONS, max_overflow=0, pool_pre_ping=True, connect_args=waits, hide_parameters=True
        )
    engine = create_async_engine(url, connect_args={"timeout": _BUSY_SECONDS}, hide_parameters=True)

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        # Commits survive a crash of the process or the machine; readers never wait for writers.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def make_file(url: URL) -> None:
    """Create the file and folder of a SQLite database, accessible to this user only; an existing file is kept.

    :raises OSError: it cannot be created.
    """
    if is_file(url) and url.database:
        file = Path(url.database)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600, exist_ok=True)


async def revision(engine: AsyncEngine) -> str | None:
    """The revision of the tables; ``None`` where there are none."""
    async with engine.connect() as connection:
        return await connection.run_sync(_revision)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = connection.scalar(select(column("version_num")).select_from(table("alembic_version")))
    return None if version is None else str(version)


async def upgrade(engine: AsyncEngine) -> None:
    """Migrate the tables to ``REVISION``; existing data is kept."""
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    from alembic import command

    command.upgrade(migrations(connection), REVISION)


def migrations(connection: Connection) -> Any:
    """The configuration of alembic for the migrations that ship with the product."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
