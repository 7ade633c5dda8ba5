"""The database that the settings name."""

from __future__ import annotations

from inspect import signature

from sqlalchemy import URL, make_url

from cds_hooks.protocol.files import state_folder
from cds_hooks.settings.mistakes import WrongSetting
from cds_hooks.settings.settings import Settings
from fhir_plugin.extras import POSTGRESQL

OFF = "off"
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}


def database_url(settings: Settings) -> URL | None:
    """The database of the settings with its driver; ``None`` where memory is switched off.

    :raises MissingExtra: its driver is not installed.
    :raises WrongSetting: a parameter behind ``?`` is none of its driver.
    """
    written = settings.database.get_secret_value()
    if written == OFF:
        return None
    url = make_url(written) if written else URL.create("sqlite", database=str(state_folder() / "memory.sqlite"))
    if not is_file(url):
        POSTGRESQL.require()
        _check_parameters(url)
    return url.set(drivername=_DRIVERS[url.get_backend_name()])


def _check_parameters(url: URL) -> None:
    """Else each connection would fail, and nobody would be told why: ``sslmode`` is what other drivers know."""
    import asyncpg  # an extra

    given = {name for name in url.query if not name.startswith("prepared_statement_")}  # SQLAlchemy takes these
    if not given <= signature(asyncpg.connect).parameters.keys():
        words = "has a parameter that its driver does not know; TLS is ssl=require or ssl=verify-full"
        raise WrongSetting("database", words)


def is_file(url: URL) -> bool:
    """Whether the database is a SQLite file, which is created if it is missing."""
    return url.get_backend_name() == "sqlite"
