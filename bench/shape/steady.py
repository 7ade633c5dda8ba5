"""How even the answers are on an ordinary day: calls at a fixed rate, each with another body, that wait for nobody.

The rate is a share of what the process answers when it is never idle. The loader takes a core of its own.
``python -m bench.shape.steady [SHARE]``
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import platform
import statistics
import sys

from bench.overload import PATH, percentile, requests_of, send, served
from bench.peers.load import measure
from bench.peers.servers import CLIENT_CORE, pin
from bench.requests import SIZES, different

SHARE = 0.7
ROUNDS, SECONDS = 5, 12.0
BODIES = 300
CAPACITY_SECONDS, CONNECTIONS = 6.0, 4


def main(share: float = SHARE) -> None:
    """Print a line for each round, and the medians."""
    bodies = different(SIZES["usual"], BODIES)
    requests = itertools.cycle(requests_of(bodies))
    with served() as port:
        pin(CLIENT_CORE)
        measure(port, PATH, itertools.cycle(bodies), 2, 2.0)
        capacity = measure(port, PATH, itertools.cycle(bodies), CONNECTIONS, CAPACITY_SECONDS).per_second
        rate = share * capacity
        print(f"{platform.machine()}, Python {platform.python_version()}; capacity {capacity:.0f} calls/s")
        print(f"{rate:.0f} calls/s of {SIZES['usual']} resources, {ROUNDS} rounds of {SECONDS:g} s", flush=True)
        rounds = []
        for _ in range(ROUNDS):
            seen = asyncio.run(send(port, requests, itertools.repeat(1 / rate), SECONDS))
            good = seen.calls.pop(http.client.OK, [])
            half, most = percentile(good, 0.5), percentile(good, 0.99)
            rounds.append((half, most, most / half))
            others = {status: len(times) for status, times in seen.calls.items()}
            print(f"p50 {half:.1f} ms, p99 {most:.1f} ms, {most / half:.1f} times; {len(good)} calls, others {others}")
    half, most, times = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"medians: p50 {half:.1f} ms, p99 {most:.1f} ms, {times:.1f} times")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
