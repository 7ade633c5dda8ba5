"""A rush on a real process: nobody is left without an answer, probes included, and it is over when it is over."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import random

import pytest

from bench.overload import PATH, Seen, requests_of, rush, served
from bench.peers.load import measure
from bench.peers.servers import post
from bench.requests import SIZES, build

ANSWERS = {http.client.OK, http.client.SERVICE_UNAVAILABLE}
SECONDS = 20.0


@pytest.fixture(scope="module", params=[2, 10])
def seen(request: pytest.FixtureRequest) -> Seen:
    """Two and ten times as many calls as are answered at this moment."""
    bodies = [build(SIZES["usual"], seed) for seed in range(4)]
    with served() as port:
        capacity = measure(port, PATH, itertools.cycle(bodies), connections=4, seconds=5.0).per_second
        dice = random.Random(7)  # noqa: S311 - no secret
        met = asyncio.run(rush(port, requests_of(bodies), request.param * capacity, SECONDS, dice))
        assert b"cards" in post(port, PATH, bodies[0]), "it is over at once"
    return met


def test_every_call_is_answered_with_cards_or_told_to_come_back(seen: Seen) -> None:
    assert set(seen.calls) == ANSWERS
    assert len(seen.calls[http.client.OK]) >= SECONDS, "one in a second on the slowest machine"


def test_every_probe_is_answered(seen: Seen) -> None:
    assert seen.failed == {}
    assert len(seen.probes) > SECONDS
