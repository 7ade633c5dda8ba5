"""Used tokens in a real Redis: what holds for every store, and what only a server that forgets can get wrong."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from cds_hooks.clients.replays.in_redis import RedisReplayStore
from cds_hooks.clients.replays.store import ReplayStoreUnavailable
from tests.service.trust import test_used_tokens as every_store
from tests.support.trust.redis import RedisServer, redis_server
from tests.support.trust.used import first_use, run


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with redis_server() as found:
        if found is None:
            pytest.skip("Redis is not installed: apt-get install redis-server")
        yield found


class Machines:
    """Stores of machines that share one server, which is empty at first."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.now = 1_000.0
        self.made: list[RedisReplayStore] = []
        self.server.client.flushall()

    def new(self, clock: Callable[[], float] | None = None, most: int = 100) -> RedisReplayStore:
        """As one machine opens it."""
        self.made.append(RedisReplayStore(self.server.url, clock or (lambda: self.now), most))
        return self.made[-1]


@pytest.fixture
def machines(running: RedisServer) -> Iterator[Machines]:
    made = Machines(running)
    yield made
    for each in made.made:
        run(each.aclose())


@pytest.fixture
def make(machines: Machines) -> every_store.Make:
    """Makes a store, each with an empty server."""

    def made(clock: Callable[[], float] = lambda: 0, most: int = 100) -> RedisReplayStore:
        machines.server.client.flushall()
        return machines.new(clock, most)

    return made


@pytest.mark.parametrize("holds", every_store.FOR_EVERY_STORE, ids=lambda holds: holds.__name__)
def test_what_holds_for_every_store(make: every_store.Make, holds: Callable[[every_store.Make], None]) -> None:
    holds(make)


def test_a_token_used_at_one_machine_is_used_at_the_other(machines: Machines) -> None:
    one, other = machines.new(), machines.new(lambda: 1_050)
    assert [first_use(each, jti) for jti in ("1", "2") for each in (one, other)] == [True, False, True, False]
    assert one.since == other.since == 1_000, "since the first of them began"


def test_of_copies_that_many_machines_check_at_once_one_is_first(machines: Machines) -> None:
    stores = [machines.new() for _ in range(4)]

    async def go() -> list[bool]:
        return await asyncio.gather(*(store.first_use("a", "1", 10, 0) for store in stores * 25))

    assert Counter(run(go())) == {True: 1, False: 99}


@pytest.mark.parametrize("loss", ["killed", "flushed", "the tokens of the client evicted", "the recording evicted"])
def test_after_a_loss_tokens_from_before_are_refused_by_their_age(machines: Machines, loss: str) -> None:
    store, client = machines.new(), machines.server.client
    assert first_use(store, "1", until=5_000)
    machines.now = 2_000.0
    match loss:
        case "killed":
            machines.server.kill()
            with pytest.raises(ReplayStoreUnavailable, match="store"):
                first_use(store, "2")
            run(store.try_out())
            assert store.state == "away"
            machines.server.start()
        case "flushed":
            client.flushall()
        case "the tokens of the client evicted":
            assert client.delete("tandem:{used-tokens}:a") == 1
        case "the recording evicted":
            assert client.delete("tandem:{used-tokens}") == 1
    run(store.try_out())
    assert store.state == "open"
    first_use(store, "1", until=5_000)
    assert store.since == 2_000
    machines.now = 3_000.0
    assert not first_use(store, "1", until=5_000)
    assert first_use(store, "2", until=5_000)
    assert store.since == 2_000


@pytest.mark.parametrize("client", ["trial", "a"])
def test_to_try_a_server_out_takes_nothing_from_any_client(machines: Machines, client: str) -> None:
    store = machines.new()
    assert first_use(store, "1", until=5_000, client=client)
    machines.now = 2_000.0
    run(store.try_out())
    assert not first_use(store, "1", until=5_000, client=client)
    assert store.since == 1_000


def test_a_server_without_memory_lets_nobody_in(machines: Machines) -> None:
    store, client = machines.new(), machines.server.client
    assert first_use(store, "1")
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(ReplayStoreUnavailable, match="store"):
            first_use(store, "2")
        run(store.try_out())
        assert store.state == "away"
    finally:
        client.config_set("maxmemory", 0)
    assert [first_use(store, jti) for jti in ("1", "2")] == [False, True]


def test_a_replica_that_may_only_be_read_lets_nobody_in(machines: Machines) -> None:
    store, client = machines.new(), machines.server.client
    assert first_use(store, "1")
    client.replicaof("127.0.0.1", 1)
    try:
        with pytest.raises(ReplayStoreUnavailable, match="store"):
            first_use(store, "2")
    finally:
        client.replicaof("NO", "ONE")
    assert first_use(store, "2")
