"""A service that remembers, in process, and what an EHR tells it of its cards."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import date
from functools import cache
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.cli.main import app
from cds_hooks.memory.database import open_engine
from cds_hooks.memory.schema import upgrade
from cds_hooks.settings.database import database_url
from cds_hooks.settings.settings import Settings
from tests.support.hooks.calls import DAY, body, check, knowledge

FEEDBACK_AT = "2026-01-15T10:00:00Z"
OURS = "urn:tandem-cds"
PATIENCE_SECONDS = 60
"""After which what is waited for will not happen any more."""


@cache
def _tables() -> bytes:
    with TemporaryDirectory() as folder:
        url = database_url(Settings(database=f"sqlite:///{folder}/memory.sqlite"))
        assert url is not None

        async def make() -> None:
            engine = open_engine(url)
            await upgrade(engine)
            await engine.dispose()

        asyncio.run(make())
        return Path(folder, "memory.sqlite").read_bytes()


def with_tables(file: Path) -> Path:
    """The file as a database with its tables and nothing in them, copied from one that was migrated once."""
    file.write_bytes(_tables())
    return file


@contextmanager
def remembering(file: Path, day: date = DAY, state: str = "open", **settings: Any) -> Iterator[TestClient]:
    """The service with a database in ``file``, once that is ``state``."""
    chosen = Settings(**{"database": f"sqlite:///{file}", **settings})
    with TestClient(create_app(chosen, knowledge(), lambda: day)) as client:
        until(client, state)
        yield client


def until(client: TestClient, state: str) -> None:
    """Ask until the database is in a state."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if client.get("/readyz").json()["database"] == state:
            return
    raise AssertionError(f"the database never was {state}: {client.get('/readyz').json()}")


def call(client: TestClient, url: str, patient: str, *drafts: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:
    """The cards of one call."""
    answer = client.post(url, json=body(url, patient, *drafts, **changes))
    assert answer.status_code == 200, answer.text
    return check(answer.json())


def nameless(card: dict[str, Any]) -> str:
    """All that a card says, its identifiers left out."""
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "", json.dumps(card))


def overridden(card: str, code: str | None = "considered", at: str = FEEDBACK_AT, **more: Any) -> dict[str, Any]:
    """One item of feedback: the card was overridden, for a reason if one is given."""
    item = {"card": card, "outcome": "overridden", "outcomeTimestamp": at}
    return item | ({"overrideReason": {"reason": {"code": code, "system": OURS}}} if code else {}) | more


def accepted(card: str, *suggestions: str, at: str = FEEDBACK_AT) -> dict[str, Any]:
    """One item of feedback: suggestions of the card were taken."""
    taken = [{"id": each} for each in suggestions]
    return {"card": card, "outcome": "accepted", "acceptedSuggestions": taken, "outcomeTimestamp": at}


def tell(client: TestClient, url: str, *items: dict[str, Any]) -> Any:
    """Send feedback to the service behind ``url``."""
    return client.post(f"{url}/feedback", json={"feedback": list(items)})


def tandem(database: str, *words: str) -> str:
    """What the command prints, run in this process on a database."""
    with pytest.MonkeyPatch.context() as environment, redirect_stdout(StringIO()) as said:
        environment.setenv("TANDEM_DATABASE", database)
        environment.setenv("TANDEM_DATABASE_KEY", "k" * 32)
        app(list(words), standalone_mode=False)
    return said.getvalue()


def rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    """What stands in the database."""
    connection = sqlite3.connect(file)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
