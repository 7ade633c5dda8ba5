"""Stores of used tokens, and a clock that tests turn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cds_hooks.clients.replays import MOST_TOKENS, FileReplayStore, ReplayStore


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


def first_use(store: ReplayStore, jti: str, until: float = 10, now: float = 0, client: str = "a") -> bool:
    """Use a token."""
    return asyncio.run(store.first_use(client, jti, until, now))
