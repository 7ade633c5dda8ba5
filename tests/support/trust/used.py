"""Stores of used tokens, and a clock that tests turn."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cds_hooks.clients.replays.file import FileReplayStore
from cds_hooks.clients.replays.store import MOST_TOKENS, ReplayStore

T = TypeVar("T")
_RUNNER = asyncio.Runner()


@dataclass
class Clock:
    """Seconds since 1970; each look at it takes ``step`` seconds."""

    time: float = 0.0
    step: float = 0.0

    def __call__(self) -> float:
        self.time += self.step
        return self.time


@contextmanager
def file_store(path: Path, now: float = 0.0, most: int = MOST_TOKENS) -> Iterator[FileReplayStore]:
    """A store in a file, opened at the time ``now``."""
    with closing(FileReplayStore(path, lambda: now, most)) as store:
        yield store


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do the work in the one event loop of these tests: connections to a database belong to a loop."""
    return _RUNNER.run(work)


def first_use(store: ReplayStore, jti: str, until: float = 10, now: float = 0, client: str = "a") -> bool:
    """Use a token."""
    return run(store.first_use(client, jti, until, now))
