"""The database that the settings name."""

from __future__ import annotations

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from cds_hooks.protocol.files import state_folder
from cds_hooks.settings.mistakes import WrongSetting
from cds_hooks.settings.settings import Settings
from fhir_plugin.extras import POSTGRESQL

OFF = "off"
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
_PARAMETERS = frozenset({"host", "port", "user", "password", "database", "passfile", "ssl", "target_session_attrs"})
"""What may stand behind ``?``: the parameters of the driver that are texts."""


def database_url(settings: Settings) -> URL | None:
    """The database of the settings with its driver; ``None`` where memory is switched off.

    :raises MissingExtra: its driver is not installed.
    :raises WrongSetting: what stands behind ``?`` cannot be used.
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
    given = {name for name in url.query if not name.startswith("prepared_statement_")}  # SQLAlchemy takes these
    try:
        url.get_dialect()().create_connect_args(url)
        readable = given <= _PARAMETERS
    except ArgumentError:
        readable = False
    if not readable:
        raise WrongSetting("database", f"behind ? may stand {', '.join(sorted(_PARAMETERS))}; TLS is ssl=require")


def is_file(url: URL) -> bool:
    """Whether the database is a SQLite file, which is created if it is missing."""
    return url.get_backend_name() == "sqlite"
