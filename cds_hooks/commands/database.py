"""``tandem database``: the tables that store cards and feedback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cds_hooks.settings.settings import Settings, load_settings, named_file
from fhir_plugin.errors import BadInput, TemporarilyUnavailable

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

Config = Annotated[Path | None, typer.Option(help="Settings file, such as tandem.toml.")]

app = typer.Typer(help="The database of cards and feedback.")


@app.callback()
def database() -> None:
    """The database of cards and feedback."""


@app.command()
def upgrade(config: Config = None) -> None:
    """Create or migrate the tables, all or nothing; for a SQLite file the service does this itself."""
    asyncio.run(_upgrade(settings_from(config)))


def settings_from(config: Path | None) -> Settings:
    """The settings of the given file, or of the file in ``TANDEM_CONFIG``."""
    return load_settings(config or named_file())


async def _upgrade(settings: Settings) -> None:
    from cds_hooks.memory.schema import REVISION, upgrade

    async with connected(settings) as engine:
        before = await upgrade(engine)
    typer.echo(
        f"The tables are at revision {REVISION}" + ("." if before == REVISION else f", before: {before or 'none'}.")
    )


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """The database engine of the settings.

    :raises BadInput: memory is switched off, or the database cannot be used until somebody changes something.
    :raises TemporarilyUnavailable: the database cannot be used now, and a retry may succeed.
    """
    from cds_hooks.memory.database import FAULTS, LASTING, WORDS, cause_of, make_file, open_engine
    from cds_hooks.settings.database import database_url

    url = database_url(settings)
    if url is None:
        raise BadInput("settings: database is off: name a database to work on")
    engine = open_engine(url)
    try:
        make_file(url)
        yield engine
    except FAULTS as fault:
        cause = cause_of(fault)
        kind = BadInput if cause in LASTING else TemporarilyUnavailable
        raise kind(f"the database cannot be used: {WORDS[cause]} ({type(fault).__name__})") from None
    finally:
        await engine.dispose()
