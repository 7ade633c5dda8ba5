"""The database: its engine, and why it cannot be used."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from errno import EDQUOT, ENOSPC, EROFS
from pathlib import Path
from typing import Any, Literal, cast

from sqlalchemy import URL, Connection, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from cds_hooks.settings.database import is_file

FAULTS: tuple[type[Exception], ...] = (SQLAlchemyError, OSError, TimeoutError)
"""Exceptions of a database that is unreachable, locked or broken."""

Cause = Literal[
    "locked", "full", "read-only", "damaged", "not-opened", "replaced", "refused", "missing", "unreachable", "failed"
]
"""Why a database cannot be used, as a code for the log and ``/readyz``."""
WORDS: Mapping[Cause, str] = {
    "locked": "another process keeps it locked: try again",
    "full": "its disk is full: make room",
    "read-only": "this user may not write to it: check its owner, its mode and the mode of its folder",
    "damaged": "it is damaged or no database: restore a copy, or move it away and a new one is made",
    "not-opened": "it cannot be opened: check its path, its owner and its mode",
    "replaced": "its file or the log beside it was deleted, replaced or emptied: try again",
    "refused": "the server refuses this user: check user, password and rights",
    "missing": "the server has no database of that name: create it",
    "unreachable": "the server does not answer: check its address, or try again",
    "failed": "it failed: the log of the database says why",
}
LASTING: frozenset[Cause] = frozenset({"read-only", "damaged", "not-opened", "refused", "missing"})
"""Causes that stay until somebody changes something."""

_BUSY_SECONDS, _CONNECT_SECONDS, _COMMAND_SECONDS = 1.0, 2.0, 5.0
_CONNECTIONS = 2
_BEGIN = "tandem_begin"
_SQLITE_CAUSES: Mapping[str, Cause] = {
    "SQLITE_BUSY": "locked", "SQLITE_LOCKED": "locked", "SQLITE_FULL": "full", "SQLITE_READONLY": "read-only",
    "SQLITE_NOTADB": "damaged", "SQLITE_CORRUPT": "damaged", "SQLITE_CANTOPEN": "not-opened",
    "SQLITE_PERM": "not-opened",
}  # fmt: skip
_SERVER_CAUSES: Mapping[str, Cause] = {"28": "refused", "42501": "refused", "3D": "missing", "53100": "full"}
"""By the beginning of the SQLSTATE."""
_SYSTEM_CAUSES: Mapping[int, Cause] = {EROFS: "read-only", ENOSPC: "full", EDQUOT: "full"}
_NOT_OPENED = (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError)


class FileReplaced(OSError):
    """The file of the database is not the one that was opened."""


def open_engine(url: URL) -> AsyncEngine:
    """An engine with short timeouts; not connected yet."""
    if not is_file(url):
        waits = {"timeout": _CONNECT_SECONDS, "command_timeout": _COMMAND_SECONDS}
        return create_async_engine(
            url, pool_size=_CONNECTIONS, max_overflow=0, pool_pre_ping=True, connect_args=waits, hide_parameters=True
        )
    engine = create_async_engine(url, connect_args={"timeout": _BUSY_SECONDS}, hide_parameters=True)

    # By itself the driver begins a transaction before INSERT, UPDATE and DELETE only: each CREATE TABLE would be
    # committed alone, and a crash between two of them would leave half a migration.
    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        # Commits survive a crash of the process or the machine; readers never wait for writers.
        try:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                cursor.execute(f"PRAGMA {pragma}")
        except Exception:
            connection.close()  # else its thread would outlive the event loop
            raise
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))

    return engine


def for_writing(engine: AsyncEngine) -> AsyncEngine:
    """The same engine, whose transactions take the write lock of a SQLite file at once.

    A transaction that first reads could not wait for another writer: what it read would be out of date.
    """
    return engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})


def make_file(url: URL) -> None:
    """Create the file and folder of a SQLite database, accessible to this user only; an existing file is kept.

    :raises OSError: it cannot be created, or not be read and written.
    """
    if file := file_of(url):
        Path(os.path.realpath(file)).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))


def file_of(url: URL) -> Path | None:
    """The SQLite file; ``None`` for a server."""
    return Path(url.database) if is_file(url) and url.database else None


async def let_go(engine: AsyncEngine) -> None:
    """Close all connections to a SQLite file that was moved, with all that was committed in it.

    SQLite itself leaves the write-ahead log of a file that has moved as it is, at the old place.
    """
    with suppress(*FAULTS):
        async with engine.connect() as connection:
            raw = await connection.get_raw_connection()
            await cast("Any", raw.driver_connection).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    await engine.dispose()


def cause_of(fault: BaseException) -> Cause:
    """Why the database cannot be used, from the codes of the driver; its texts are not read."""
    for each in _chain(fault):
        if isinstance(each, FileReplaced):
            return "replaced"
        if name := getattr(each, "sqlite_errorname", None):
            return next((cause for code, cause in _SQLITE_CAUSES.items() if str(name).startswith(code)), "failed")
        if code := getattr(each, "sqlstate", None):
            return next((cause for begin, cause in _SERVER_CAUSES.items() if str(code).startswith(begin)), "failed")
    return _cause_of_system([each for each in _chain(fault) if isinstance(each, OSError)])


def _cause_of_system(faults: Sequence[OSError]) -> Cause:
    """Why the operating system cannot open a file or reach a server; a time-out is one of its faults."""
    numbers = [each.errno for each in faults if each.errno in _SYSTEM_CAUSES]
    if numbers:
        return _SYSTEM_CAUSES[cast("int", numbers[0])]
    if any(isinstance(each, _NOT_OPENED) for each in faults):
        return "not-opened"
    return "unreachable" if faults else "failed"


def _chain(fault: BaseException) -> Iterator[BaseException]:
    """The exception and those that it was raised from."""
    found: BaseException | None = fault
    while found is not None:
        yield found
        found = getattr(found, "orig", None) or found.__cause__
