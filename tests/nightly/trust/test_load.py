"""Ten minutes of load below the capacity, every call another patient: nobody is refused, and the memory stays."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from pathlib import Path

import pytest

from bench.overload import PATH, Seen, requests_of, rush, served
from bench.peers.load import measure
from bench.requests import SIZES, build

SECONDS = 600.0
SHARE = 0.7
"""Of what is answered at this moment."""
DIFFERENT = 400
"""Records of each half, each of another person with drugs, sigs and problems of their own."""
MOST_GROWTH = 1.05
"""Of the memory in the second half."""


def bodies(first: int) -> list[bytes]:
    """Bodies that no other half has; every fourth is of an ordinary size, the others are small."""
    sizes = itertools.cycle((SIZES["usual"], *[SIZES["small"]] * 3))
    seeds = range(first, first + DIFFERENT)
    return [
        build(size, seed, own_sigs=True).replace(b"bench-1", b"bench-%d" % seed)
        for size, seed in zip(sizes, seeds, strict=False)
    ]


def resident() -> int:
    """Kilobytes of the process that serves, the only child of this one."""
    (children,) = Path("/proc/self/task").glob(f"{os.getpid()}/children")
    (child,) = children.read_text().split()
    lines = Path(f"/proc/{child}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@pytest.fixture(scope="module")
def halves() -> list[tuple[Seen, int]]:
    """What was seen in each half, and the memory at its end."""
    dice = random.Random(7)  # noqa: S311 - no secret
    found = []
    with served() as port:
        capacity = measure(port, PATH, itertools.cycle(bodies(0)), connections=4, seconds=5.0).per_second
        for half in range(1, 3):
            sent = requests_of(bodies(half * DIFFERENT))
            found.append((asyncio.run(rush(port, sent, SHARE * capacity, SECONDS / 2, dice)), resident()))
    return found


def test_every_call_is_answered_with_cards(halves: list[tuple[Seen, int]]) -> None:
    for seen, _ in halves:
        assert set(seen.calls) == {200}
        assert len(seen.calls[200]) > DIFFERENT
        assert seen.failed == {}


def test_the_memory_does_not_grow(halves: list[tuple[Seen, int]]) -> None:
    (_, first), (_, second) = halves
    assert second < MOST_GROWTH * first
