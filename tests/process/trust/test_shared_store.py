"""Used tokens in a real PostgreSQL: what holds for every store, and what only several machines can get wrong."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import asyncpg
import pytest
from sqlalchemy import URL

from cds_hooks.clients.replays import shared
from cds_hooks.clients.replays.shared import SharedReplayStore
from cds_hooks.clients.replays.store import ReplayStoreUnavailable
from cds_hooks.settings.database import database_url
from cds_hooks.settings.settings import Settings
from tests.service.trust import test_used_tokens as every_store
from tests.support.memory.postgres import Postgres, postgres
from tests.support.memory.service import PATIENCE_SECONDS, tandem
from tests.support.trust.racing import race
from tests.support.trust.used import first_use, run

TEMPLATE = "with_tables"
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        tandem(running.database(TEMPLATE), "database", "upgrade")
        yield running


class Databases:
    """New databases of one server, and the stores of machines that share them."""

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.made: list[SharedReplayStore] = []

    def new(self) -> str:
        """A database that has its tables."""
        return self.server.database(f"tokens_{next(NUMBERS)}", template=TEMPLATE)

    def store(
        self, database: str, clock: Callable[[], float] = lambda: 0, most: int = 100, seconds: float = PATIENCE_SECONDS
    ) -> SharedReplayStore:
        """As one machine opens it; it is patient, because the machine of the tests may be busy."""
        self.made.append(SharedReplayStore(url(database), clock, most, seconds))
        return self.made[-1]


def url(database: str) -> URL:
    found = database_url(Settings(database=database))
    assert found is not None
    return found


def statement(database: str, *words: str) -> None:
    """What somebody else does to the database."""

    async def go() -> None:
        connection = await asyncpg.connect(database)
        for each in words:
            await connection.execute(each)
        await connection.close()

    run(go())


@pytest.fixture
def databases(server: Postgres) -> Iterator[Databases]:
    made = Databases(server)
    yield made
    for each in made.made:
        run(each.aclose())


@pytest.fixture
def make(databases: Databases) -> every_store.Make:
    """Makes a store, each in a database of its own."""
    return lambda clock=lambda: 0, most=100: databases.store(databases.new(), clock, most)


@pytest.mark.parametrize("holds", every_store.FOR_EVERY_STORE, ids=lambda holds: holds.__name__)
def test_what_holds_for_every_store(make: every_store.Make, holds: Callable[[every_store.Make], None]) -> None:
    holds(make)


def test_a_token_used_at_one_machine_is_used_at_the_other(databases: Databases) -> None:
    database = databases.new()
    one, other = databases.store(database), databases.store(database, lambda: 50)
    assert [first_use(each, jti) for jti in ("1", "2") for each in (one, other)] == [True, False, True, False]
    assert one.since == other.since == 0, "since the first of them began"


def test_what_one_machine_forgot_is_used_at_the_other_whose_clock_is_behind(databases: Databases) -> None:
    database = databases.new()
    ahead, behind = databases.store(database), databases.store(database)
    assert first_use(behind, "1", until=10, now=5)
    assert first_use(ahead, "2", until=100, now=50), "it forgets the first"
    assert not first_use(behind, "1", until=10, now=6)
    assert first_use(behind, "3", until=100, now=6)


RACE = """
import asyncio, sys
from cds_hooks.clients.replays import shared
from cds_hooks.clients.replays.shared import SharedReplayStore
from cds_hooks.settings.database import database_url
from cds_hooks.settings.settings import Settings
async def go():
    replays = SharedReplayStore(database_url(Settings(database=sys.argv[1])))
    assert await replays.first_use("b", sys.argv[2], 10, 0)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    # All at once: several connections of each machine race for the same tokens, and one is forgetting all the while.
    uses = (replays.first_use("a", str(number), 10 + number, number) for number in range(300))
    print("".join(str(int(first)) for first in await asyncio.gather(*uses)))
asyncio.run(go())
"""


def test_machines_that_race_let_each_token_in_once(databases: Databases) -> None:
    said = race(RACE, databases.new())
    assert [len(each) for each in said] == [300] * 3
    assert all(uses.count("1") <= 1 for uses in zip(*said, strict=True))
    assert "".join(said).count("1") > 100, "and most of them are let in"


def test_while_the_server_is_away_nobody_is_let_in_and_then_used_tokens_are_still_used(databases: Databases) -> None:
    store = databases.store(databases.new())
    assert first_use(store, "1")
    databases.server.kill()
    try:
        with pytest.raises(ReplayStoreUnavailable, match="store"):
            first_use(store, "2")
        run(store.try_out())
        assert store.state == "away"
    finally:
        databases.server.start()
    run(store.try_out())
    assert store.state == "open"
    assert [first_use(store, jti) for jti in ("1", "2", "3")] == [False, True, True]
    assert store.since == 0


def test_a_server_that_stands_still_lets_nobody_in(databases: Databases) -> None:
    store = databases.store(databases.new(), seconds=2)
    assert first_use(store, "1")
    with databases.server.frozen(), pytest.raises(ReplayStoreUnavailable, match="store"):
        first_use(store, "2")
    assert not first_use(store, "1")


def test_old_tables_let_nobody_in(databases: Databases) -> None:
    store = databases.store(databases.server.database("without_tables"))
    with pytest.raises(ReplayStoreUnavailable, match="store"):
        first_use(store, "1")
    assert store.state == "away"


def test_in_a_database_that_was_restored_from_a_copy_tokens_from_before_are_refused(databases: Databases) -> None:
    now = [1_000.0]
    database = databases.new()
    store = databases.store(database, lambda: now[0])
    name, copy = database.partition("?")[0].rpartition("/")[2], databases.server.folder / "copy"
    assert first_use(store, "1", until=5_000)
    databases.server.run("pg_dump", "-h", str(databases.server.folder), "-U", "tandem", "-Fc", "-f", str(copy), name)
    assert first_use(store, "2", until=5_000)
    run(store.aclose())
    arguments = ("-h", str(databases.server.folder), "-U", "tandem", "--clean", "-d", name, str(copy))
    databases.server.run("pg_restore", *arguments)
    now[0] = 2_000.0
    later = databases.store(database, lambda: now[0])
    assert first_use(later, "2", until=5_000), "the copy knows nothing of it,"
    assert later.since == 2_000, "so that it is refused by its age"
    assert not first_use(later, "1", until=5_000)


def test_tables_that_are_restored_under_an_open_connection_are_found_by_the_next_use(databases: Databases) -> None:
    now = [1_000.0]
    database = databases.new()
    store = databases.store(database, lambda: now[0])
    assert first_use(store, "1", until=5_000)
    name, copy = database.partition("?")[0].rpartition("/")[2], databases.server.folder / f"copy_{next(NUMBERS)}"
    databases.server.run("pg_dump", "-h", str(databases.server.folder), "-U", "tandem", "-Fc", "-f", str(copy), name)
    assert first_use(store, "2", until=5_000)
    databases.server.run(
        "pg_restore", "-h", str(databases.server.folder), "-U", "tandem", "--clean", "-d", name, str(copy)
    )
    now[0] = 2_000.0
    with pytest.raises(ReplayStoreUnavailable, match="store"):
        first_use(store, "2", until=5_000)
    assert first_use(store, "3", until=5_000)
    assert store.since == 2_000


def test_where_a_standby_takes_over_tokens_from_before_are_refused_at_once(databases: Databases) -> None:
    database = databases.new()
    store = databases.store(database)
    assert first_use(store, "1", until=5_000)
    with databases.server.standby() as standby:
        database = database.replace(str(databases.server.folder), str(standby.folder))
        waiting = databases.store(database, lambda: 1_000.0)
        with pytest.raises(ReplayStoreUnavailable, match="store"):
            first_use(waiting, "2", until=5_000)
        with standby.promoted():
            later = databases.store(database, lambda: 2_000.0)
            assert first_use(later, "2", until=5_000)
            assert later.since == 2_000
        run(waiting.aclose())
        run(later.aclose())


def test_emptied_tables_are_found_by_the_next_use(databases: Databases) -> None:
    now = [1_000.0]
    database = databases.new()
    store = databases.store(database, lambda: now[0])
    assert first_use(store, "1", until=5_000)
    statement(database, "TRUNCATE used_tokens, token_shares, token_recording")
    now[0] = 2_000.0
    with pytest.raises(ReplayStoreUnavailable, match="store"):
        first_use(store, "1", until=5_000)
    assert first_use(store, "2", until=5_000)
    assert store.since == 2_000
    assert not first_use(store, "2", until=5_000)


def test_expired_tokens_are_forgotten_in_pieces(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "MOST_AT_ONCE", 2)
    store = databases.store(databases.new(), most=5)
    assert all(first_use(store, str(each), until=10 + each) for each in range(5))
    assert first_use(store, "5", until=100, now=50), "those that are left do not count against the client,"
    assert not any(first_use(store, str(each), until=10 + each, now=5) for each in range(5)), "and are not let in"
