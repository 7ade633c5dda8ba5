"""A token is good for one call: in one process, in several, and when the store fails."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from cds_hooks.clients.replays import FileReplayStore, MemoryReplayStore, ReplayStore, ReplayStoreUnavailable
from fhir_plugin.errors import BadInput
from tests.support.hooks.calls import ORDER_SIGN
from tests.support.trust.signing import bearer, clients, service, signed

Make = Callable[[Callable[[], float], int], ReplayStore]


@pytest.fixture(params=["memory", "file"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    if request.param == "memory":
        return MemoryReplayStore
    return lambda now, most: FileReplayStore(tmp_path / "replays.sqlite", now, most)


def test_each_token_of_each_client_is_used_once(make: Make) -> None:
    replays = make(lambda: 0, 100)

    async def go() -> list[bool]:
        uses = [("a", "1"), ("a", "1"), ("b", "1"), ("a", "2"), ("b", "1"), ("a", "\ud800")]
        return [await replays.first_use(client, jti, 10) for client, jti in uses]

    assert asyncio.run(go()) == [True, False, True, True, False, True]
    replays.close()


def test_of_many_at_once_one_is_first(make: Make) -> None:
    replays = make(lambda: 0, 100)

    async def go() -> list[bool]:
        return await asyncio.gather(*(replays.first_use("a", "1", 10) for _ in range(50)))

    assert Counter(asyncio.run(go())) == {True: 1, False: 49}
    replays.close()


def test_what_has_expired_is_forgotten_and_what_has_not_is_bounded(make: Make) -> None:
    now = 0.0
    replays = make(lambda: now, 2_000)

    async def use(count: int, until: float) -> None:
        for each in range(count):
            assert await replays.first_use("a", f"{until}/{each}", until)

    asyncio.run(use(2_000, 10))
    with pytest.raises(ReplayStoreUnavailable, match="full"):
        asyncio.run(use(1_001, 11))
    assert asyncio.run(replays.first_use("b", "1", 10)), "one client does not fill the store of another"
    now = 11.0
    asyncio.run(use(1_500, 20))
    replays.close()


def test_a_million_tokens_are_not_kept() -> None:
    replays = MemoryReplayStore(lambda: 0, most=1_000)

    async def go() -> int:
        refused = 0
        for number in range(20_000):
            try:
                await replays.first_use("a", str(number), 10)
            except ReplayStoreUnavailable:
                refused += 1
        return refused

    assert asyncio.run(go()) == 19_000


def test_a_token_used_at_one_worker_is_refused_at_another(tmp_path: Path) -> None:
    store = tmp_path / "replays.sqlite"
    first, second = (service(*clients(), replay_store=store) for _ in range(2))
    token = signed()
    assert first.post(ORDER_SIGN, content=b"{}", headers=bearer(token)).status_code == 400
    assert second.post(ORDER_SIGN, content=b"{}", headers=bearer(token)).status_code == 401
    assert token.encode() not in store.read_bytes()


RACE = """
import asyncio, sys
from pathlib import Path
from cds_hooks.clients.replays import FileReplayStore
replays = FileReplayStore(Path(sys.argv[1]), lambda: 0)
print("ready", flush=True)
sys.stdin.readline()
async def go():
    for number in range(200):
        print(int(await replays.first_use("a", str(number), 10)), end="")
asyncio.run(go())
"""


def test_processes_that_race_agree_on_who_was_first(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RACE, str(tmp_path / "replays.sqlite")]
    workers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    said = [worker.communicate(timeout=60)[0] for worker in workers]
    assert [len(each) for each in said] == [200] * 3
    assert all(sorted(uses) == ["0", "0", "1"] for uses in zip(*said, strict=True))


def test_a_store_that_fails_lets_nobody_in(tmp_path: Path) -> None:
    store = tmp_path / "replays.sqlite"
    guarded = service(*clients(), replay_store=store)
    with sqlite3.connect(store) as other:
        other.execute("DROP TABLE used")
    answer = guarded.post(ORDER_SIGN, content=b"{}", headers=bearer(signed()))
    assert answer.status_code == 503
    assert answer.json()["issue"][0]["code"] == "transient"
    assert "used" not in answer.text


@pytest.mark.parametrize("place", [".", "no/such/folder/file"])
def test_a_store_that_cannot_be_is_refused_at_the_start(tmp_path: Path, place: str) -> None:
    with pytest.raises(BadInput, match="replay_store"):
        service(*clients(), replay_store=tmp_path / place)


def test_a_file_that_is_no_store_is_refused_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text("not a database at all\n" * 100)
    with pytest.raises(BadInput, match="replay_store"):
        service(*clients(), replay_store=file)
