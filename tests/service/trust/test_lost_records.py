"""The record of used tokens is deleted, replaced or emptied under the service: no used token becomes valid by it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from cds_hooks.clients.replays.file import FileReplayStore
from tests.support.memory.lost import (
    as_found_after_a_kill,
    delete,
    delete_all,
    delete_folder,
    delete_log,
    delete_log_and_index,
    empty,
    rotate,
)
from tests.support.trust.admitted import admission, admits, by_rsa
from tests.support.trust.used import Clock, file_store, first_use


def replace(file: Path) -> None:
    with file_store(file.with_name("other")):
        pass
    file.with_name("other").rename(file)


LOSSES = (delete, delete_all, delete_folder, replace, rotate, delete_log, delete_log_and_index, empty)


@pytest.mark.parametrize("change", LOSSES)
def test_a_used_token_is_not_the_first_that_is_let_in_after_its_record_is_lost(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    async def go() -> list[str]:
        clock, file = Clock(1_000), tmp_path / "folder" / "replays.sqlite"
        file.parent.mkdir()
        with closing(FileReplayStore(file, clock)) as replays:
            gate = admission(replays, clock)
            clock.time = 2_000
            token = by_rsa(iat=2_000, exp=2_300)
            found = [await admits(gate, token)]
            change(file)
            clock.time = 2_001
            found += [await admits(gate, token), await admits(gate, by_rsa(iat=2_001, exp=2_300))]
            clock.time = 2_100
            return [*found, await admits(gate, by_rsa(iat=2_100, exp=2_300))]

    first, copied, *later = asyncio.run(go())
    assert (first, later) == ("admitted", ["before-records", "admitted"])
    assert copied in ("before-records", "replayed")


@pytest.mark.parametrize("change", [delete_log, delete_log_and_index, empty])
def test_nor_after_a_kill(tmp_path: Path, change: Callable[[Path], None]) -> None:
    with file_store(tmp_path / "replays.sqlite") as replays:
        assert first_use(replays, "1")
        change(tmp_path / "replays.sqlite")
        assert first_use(replays, "2")
        left = as_found_after_a_kill(tmp_path / "replays.sqlite", tmp_path / "left")
    with file_store(left, now=5) as replays:
        assert [first_use(replays, jti) for jti in ("1", "2", "3")] == [False, False, True]


def test_behind_a_link_the_log_of_a_replaced_file_is_not_applied_to_the_next(tmp_path: Path) -> None:
    file, link = tmp_path / "elsewhere" / "replays.sqlite", tmp_path / "replays.sqlite"
    file.parent.mkdir()
    link.symlink_to(file)
    clock = Clock(1_000)
    with closing(FileReplayStore(link, clock)) as replays:
        assert all(first_use(replays, str(each)) for each in range(20))
        clock.time = 2_000
        replace(file)
        assert first_use(replays, "20", until=3_000, now=2_000)
        assert replays.since == 2_000
        assert replays._file.execute("SELECT count(*) FROM used").fetchone() == (1,)
        assert replays._file.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_file_is_not_closed_beside_a_use(tmp_path: Path) -> None:
    """SQLite crashes the process where a connection is closed under a thread that writes."""
    store = FileReplayStore(tmp_path / "used.sqlite")
    file, held = store._file, list[bool]()
    store._file = SimpleNamespace(close=lambda: held.append(store._lock.locked()))  # type: ignore[assignment]
    store.close()
    file.close()
    assert held == [True]
