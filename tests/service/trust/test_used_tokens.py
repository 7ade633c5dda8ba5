"""A used token is refused for as long as it could pass: at its expiry, when the clock jumps, after a restart."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from cds_hooks.clients.replays.file import FileReplayStore
from cds_hooks.clients.replays.store import MemoryReplayStore, ReplayStore, ReplayStoreUnavailable
from cds_hooks.telemetry import logs
from fhir_plugin.errors import BadInput
from tests.support.hooks.calls import ORDER_SIGN
from tests.support.trust.admitted import LEEWAY, admission, admits, by_rsa
from tests.support.trust.signing import bearer, clients, recorded, service, signed
from tests.support.trust.used import Clock, file_store, first_use, run

Make = Callable[..., ReplayStore]


@pytest.fixture(params=["memory", "file"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes a store, as one process has it or as several share it."""
    made: list[ReplayStore] = []

    def store(clock: Callable[[], float] = lambda: 0, most: int = 100) -> ReplayStore:
        kept = tmp_path / f"{len(made)}.sqlite"
        memory = request.param == "memory"
        made.append(MemoryReplayStore(clock, most) if memory else FileReplayStore(kept, clock, most))
        return made[-1]

    yield store
    for each in made:
        run(each.aclose())


def test_each_token_of_each_client_is_used_once(make: Make) -> None:
    replays = make()
    uses = [("a", "1"), ("a", "1"), ("b", "1"), ("a", "2"), ("b", "1"), ("a", "\ud800")]
    found = [first_use(replays, jti, client=client) for client, jti in uses]
    assert found == [True, False, True, True, False, True]


def test_of_many_at_once_one_is_first(make: Make) -> None:
    replays = make()

    async def go() -> list[bool]:
        return await asyncio.gather(*(replays.first_use("a", "1", 10, 0) for _ in range(50)))

    assert Counter(run(go())) == {True: 1, False: 49}


def test_the_bound_of_a_client_holds_at_every_use_and_ends_with_its_tokens(make: Make) -> None:
    replays = make(most=3)
    assert [first_use(replays, str(each), until=10) for each in range(3)] == [True] * 3
    for _ in range(2):
        with pytest.raises(ReplayStoreUnavailable, match="full"):
            first_use(replays, "3", until=11)
    assert replays.state == "full"
    assert not first_use(replays, "2"), "a used token is told from a new one"
    assert first_use(replays, "1", client="b"), "one client does not fill the share of another"
    assert [first_use(replays, f"{each}, later", until=20, now=11) for each in range(3)] == [True] * 3
    with pytest.raises(ReplayStoreUnavailable, match="full"):
        first_use(replays, "4, later", until=20, now=11)
    assert first_use(replays, "1, at last", until=40, now=21)
    assert replays.state == "open"


def test_what_was_forgotten_counts_as_used_whatever_the_clock_says(make: Make) -> None:
    replays = make()
    assert first_use(replays, "1", until=10, now=5)
    assert first_use(replays, "2", until=100, now=11), "the first is forgotten now"
    assert not first_use(replays, "1", until=10, now=9.9), "a copy that was checked before, and overtaken"
    assert not first_use(replays, "1", until=10, now=5), "the clock was set back"
    assert first_use(replays, "3", until=100, now=5), "what expires later can be told"
    assert first_use(replays, "1", until=10, now=5, client="b"), "and each client has its own"


def test_a_burst_at_the_expiry_of_a_used_token_lets_none_in(make: Make) -> None:
    async def burst(number: int) -> Counter[str]:
        issued = 1_000.0 * number
        clock = Clock(issued)
        replays = make()
        gate = admission(replays, clock)
        token = by_rsa(iat=issued, exp=issued + 30)
        assert await admits(gate, token) == "admitted"
        # Each look at the clock takes a while; the token ceases to be valid amid the burst.
        clock.time, clock.step = issued + 30 + LEEWAY - 0.0151, 0.001 * (1 + number % 3)
        others = [by_rsa(iat=issued + 10 + each, exp=issued + 300) for each in range(4)]
        found = Counter(await asyncio.gather(*(admits(gate, each) for each in [token] * 12 + others + [token] * 24)))
        assert found.pop("admitted") == len(others), "only what is new"
        return found

    rounds = [run(burst(number)) for number in range(1, 21)]
    assert all(found["replayed"] and found["expired"] for found in rounds), "before the end and after it"


def test_a_clock_that_jumps_ahead_and_back_makes_no_used_token_good(make: Make) -> None:
    async def go() -> list[str]:
        clock = Clock(10_000)
        gate = admission(make(), clock)
        token = by_rsa(iat=10_000, exp=10_300)
        found = [await admits(gate, token)]
        clock.time += 3 * 3_600
        found.append(await admits(gate, by_rsa(iat=clock.time, exp=clock.time + 300)))
        clock.time = 10_001
        found += [await admits(gate, token), await admits(gate, by_rsa(iat=10_001, exp=10_302))]
        return found

    assert run(go()) == ["admitted", "admitted", "replayed", "admitted"]


def test_a_token_that_may_have_been_used_before_the_start_is_refused(make: Make) -> None:
    async def go(issued: float) -> str:
        return await admits(admission(make(lambda: 10_000), Clock(10_030)), by_rsa(iat=issued, exp=10_300))

    found = [run(go(issued)) for issued in (9_900, 10_000, 9_999 + LEEWAY, 10_000 + LEEWAY)]
    assert found == ["before-records"] * 3 + ["admitted"]


def test_the_log_says_that_a_token_is_from_before_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    guarded = service(*clients(), replay_store="memory")
    logs.configure("info", "json")
    answer = guarded.post(ORDER_SIGN, content=b"{}", headers=bearer(signed()))
    assert answer.status_code == 401
    assert answer.content == guarded.post(ORDER_SIGN).content
    assert json.loads(capsys.readouterr().err.splitlines()[0])["reason"] == "before-records"


def test_a_file_outlives_the_process(tmp_path: Path) -> None:
    store, token = tmp_path / "replays.sqlite", signed()
    store.write_bytes(recorded().read_bytes())
    for status in (400, 401):
        with TestClient(service(*clients(), replay_store=store).app) as guarded:
            assert guarded.post(ORDER_SIGN, content=b"{}", headers=bearer(token)).status_code == status
    assert token.encode() not in store.read_bytes()


def test_a_token_used_at_one_worker_is_refused_at_another() -> None:
    store, token = recorded(), signed()
    first, second = (service(*clients(), replay_store=store) for _ in range(2))
    assert first.post(ORDER_SIGN, content=b"{}", headers=bearer(token)).status_code == 400
    assert second.post(ORDER_SIGN, content=b"{}", headers=bearer(token)).status_code == 401


def test_a_store_of_an_earlier_version_is_taken_over(tmp_path: Path) -> None:
    file = tmp_path / "replays.sqlite"
    with file_store(file) as replays:
        first_use(replays, "1")
    with closing(sqlite3.connect(file)) as other, other:
        for name in ("shares", "recording"):
            other.execute(f"DROP TABLE {name}")
        other.execute("DROP INDEX used_until")
    with file_store(file, now=50_000, most=2) as replays:
        assert replays.since == 0
        assert not first_use(replays, "1")
        assert first_use(replays, "2")
        with pytest.raises(ReplayStoreUnavailable, match="full"):
            first_use(replays, "3")


def test_a_used_token_stays_used_where_more_leeway_is_given_later(make: Make) -> None:
    async def go() -> list[str]:
        clock, replays = Clock(2_000), make()
        token, later = by_rsa(iat=2_000, exp=2_100), by_rsa(iat=2_170, exp=2_300)
        found = [await admits(admission(replays, clock), token)]
        clock.time = 2_170
        found.append(await admits(admission(replays, clock), later))
        return [*found, await admits(admission(replays, clock, leeway_seconds=300), token)]

    assert run(go()) == ["admitted", "admitted", "replayed"]


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_is_deleted_or_replaced_is_made_anew_and_says_since_when(tmp_path: Path, replaced: bool) -> None:
    file, other = tmp_path / "replays.sqlite", tmp_path / "other.sqlite"
    with file_store(other):
        pass
    clock = Clock(1_000)
    with closing(FileReplayStore(file, clock)) as replays:
        assert first_use(replays, "1")
        file.unlink()
        if replaced:
            other.rename(file)
        clock.time = 2_000
        assert first_use(replays, "2", until=3_000, now=2_000)
        assert replays.since == 2_000, "tokens from before are refused by their age"
        assert not first_use(replays, "2", until=3_000, now=2_000)
    with file_store(file, now=5_000) as later:
        assert later.since == 2_000


def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    with file_store(tmp_path / "replays.sqlite") as replays:
        first_use(replays, "1")
        modes = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
    assert modes == {f"replays.sqlite{ending}": 0o600 for ending in ("", "-wal", "-shm")}


# When the store fails


def ready(guarded: TestClient) -> tuple[int, str, str]:
    """The answer of the probe, once the store has been tried out."""
    end = time.monotonic() + 60
    said: tuple[int, str, str] = (0, "", "")
    while time.monotonic() < end:
        answer = guarded.get("/readyz")
        found = (answer.status_code, answer.json()["status"], answer.json()["replay_store"])
        if found == said:
            return found
        said = found
    raise AssertionError(said)


def test_a_store_that_fails_lets_nobody_in_and_the_probe_says_so(tmp_path: Path) -> None:
    store = tmp_path / "replays.sqlite"
    store.write_bytes(recorded().read_bytes())
    with TestClient(service(*clients(), replay_store=store, database="off").app) as guarded:
        assert ready(guarded) == (200, "ready", "open")
        assert "tandem_replay_store_up 1.0" in guarded.get("/metrics").text
        with closing(sqlite3.connect(store)) as other, other:
            for name in ("recording", "used"):
                other.execute(f"ALTER TABLE {name} RENAME TO {name}_away")
        answer = guarded.post(ORDER_SIGN, content=b"{}", headers=bearer(signed()))
        assert answer.status_code == 503
        assert answer.json()["issue"][0]["code"] == "transient"
        assert "used" not in answer.text
        assert ready(guarded) == (503, "no caller can be let in", "away")
        assert "tandem_replay_store_up 0.0" in guarded.get("/metrics").text
        with closing(sqlite3.connect(store)) as other, other:
            for name in ("recording", "used"):
                other.execute(f"ALTER TABLE {name}_away RENAME TO {name}")
        assert ready(guarded) == (200, "ready", "open"), "although no call came"
        assert guarded.post(ORDER_SIGN, content=b"{}", headers=bearer(signed())).status_code == 400


def test_a_disk_that_is_full_lets_nobody_in(tmp_path: Path) -> None:
    store = tmp_path / "replays.sqlite"
    with file_store(store) as replays:
        # As little as is there already: a real disk that is full refuses in the same place.
        replays._file.execute("PRAGMA max_page_count = 1")
        found = []
        for number in range(300):
            try:
                found.append(first_use(replays, f"{number}"))
            except ReplayStoreUnavailable as fault:
                found.append(str(fault))
        assert found[-1] == "store"
        run(replays.try_out())
        assert replays.state == "away", "the trial needs no less room than a use"
        let_in = found.count(True)
        assert found == [True] * let_in + ["store"] * (300 - let_in)
        replays._file.execute("PRAGMA max_page_count = 1000000")
        run(replays.try_out())
        assert replays.state == "open"
        assert not any(first_use(replays, f"{number}") for number in range(let_in))
        assert first_use(replays, "299")


@pytest.mark.parametrize("place", [".", "no/such/folder/file"])
def test_a_store_that_cannot_be_is_refused_at_the_start(tmp_path: Path, place: str) -> None:
    with pytest.raises(BadInput, match="replay_store"):
        service(*clients(), replay_store=tmp_path / place)


def test_a_file_that_is_no_store_is_refused_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text("not a database at all\n" * 100)
    with pytest.raises(BadInput, match="replay_store"):
        service(*clients(), replay_store=file)


def test_a_store_that_may_only_be_read_is_refused_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "replays.sqlite"
    file.write_bytes(recorded().read_bytes())

    def read_only(path: Path, *given: Any, **options: Any) -> sqlite3.Connection:
        found = connect(path, *given, **options)
        found.execute("PRAGMA query_only = ON")
        return found

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", read_only)
    with pytest.raises(BadInput, match=r"replay_store: replays\.sqlite cannot be used: .*readonly"):
        service(*clients(), replay_store=file)


FOR_EVERY_STORE = (
    test_each_token_of_each_client_is_used_once,
    test_of_many_at_once_one_is_first,
    test_the_bound_of_a_client_holds_at_every_use_and_ends_with_its_tokens,
    test_what_was_forgotten_counts_as_used_whatever_the_clock_says,
    test_a_burst_at_the_expiry_of_a_used_token_lets_none_in,
    test_a_clock_that_jumps_ahead_and_back_makes_no_used_token_good,
    test_a_token_that_may_have_been_used_before_the_start_is_refused,
    test_a_used_token_stays_used_where_more_leeway_is_given_later,
)
"""What the stores on servers must do as well."""
