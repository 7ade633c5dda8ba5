"""The same memory in a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cds_hooks.memory.database import database_url, open_engine
from cds_hooks.memory.schema import REVISION
from cds_hooks.settings.settings import Settings
from tests.support.hooks.calls import KETAMINE, ORDER_SIGN, PATIENT_VIEW, order
from tests.support.memory.migrations import migrated
from tests.support.memory.postgres import Postgres, postgres, programs
from tests.support.memory.service import call, nameless, overridden, remembering, tandem, tell, until

PATIENT = "two-failures"
KEY = "k" * 32


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres(found) as running:
        yield running


def on(database: str, state: str = "open") -> AbstractContextManager[TestClient]:
    return remembering(Path(), state=state, database=database, database_key=KEY)


def test_from_nothing_the_migrations_make_the_model(server: Postgres) -> None:
    url = database_url(Settings(database=server.database("migrated")))
    assert url is not None
    assert asyncio.run(migrated(open_engine(url))) == (None, [], REVISION)


def test_feedback_is_kept_quiets_and_is_reported(server: Postgres) -> None:
    database = server.database("whole")
    with on(database, state="old tables") as service:
        card = call(service, PATIENT_VIEW, PATIENT)[0]
        assert tell(service, PATIENT_VIEW, overridden(card["uuid"])).status_code == 503
    assert f"revision {REVISION}" in tandem(database, "database", "upgrade")
    with on(database) as one, on(database) as other:
        card, *others = call(one, PATIENT_VIEW, PATIENT)
        for _ in range(3):
            assert tell(one, PATIENT_VIEW, overridden(card["uuid"])).status_code == 200
        assert tell(one, PATIENT_VIEW, overridden("'; DROP TABLE cards; --")).status_code == 404
        assert tell(one, PATIENT_VIEW, overridden("\x00" * 36)).status_code == 404
        assert len(call(one, PATIENT_VIEW, PATIENT)) == len(others)
        # Another process learns of it with its own next feedback, or a few seconds later.
        (elsewhere,) = call(other, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
        assert tell(other, ORDER_SIGN, overridden(elsewhere["uuid"], "other")).status_code == 200
        assert len(call(other, PATIENT_VIEW, PATIENT)) == len(others)
    report = tandem(database, "feedback", "report")
    assert "considered 1" in report
    assert "criteria:combination" in report
    assert tandem(database, "feedback", "purge", "--days", "0").endswith("rows deleted.\n")
    assert "considered" not in tandem(database, "feedback", "report")


def test_a_server_that_goes_away_stops_no_card_and_is_found_again(server: Postgres) -> None:
    database = server.database("away")
    tandem(database, "database", "upgrade")
    with on(database) as service:
        (before,) = call(service, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
        server.stop()
        try:
            (during,) = call(service, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
            assert tell(service, ORDER_SIGN, overridden(during["uuid"])).status_code == 503
            assert nameless(before) == nameless(during)
        finally:
            server.start()
        until(service, "open")
        assert tell(service, ORDER_SIGN, overridden(during["uuid"])).status_code == 200


def test_a_wrong_name_or_password_is_away_and_not_an_error(server: Postgres) -> None:
    with on(f"postgresql://nobody:secret@/nothing?host={server.folder}", state="away") as service:
        assert call(service, PATIENT_VIEW, PATIENT)
