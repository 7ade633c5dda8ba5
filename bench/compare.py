"""Whole requests per second: Tandem with the whole line running, against floors and HealthChain, interleaved.

Every round asks each peer in turn, so that a slow minute of the machine is slow for all; what is compared is the ratio
within a round. Answers are checked before anything is timed: the peers must give the same card, Tandem twice the same.
"""

from __future__ import annotations

import itertools
import json
import platform
import re
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.peers.load import Round, measure
from bench.peers.servers import CLIENT_CORE, ROOT, Peer, pin, post, running
from bench.requests import SIZES, build, different

TANDEM = Peer("Tandem, the whole line", "bench.peers.tandem_app:app", "/cds-services/combination-therapy-order-sign")
VIEWS = Peer("floor (a): Starlette + msgspec views", "bench.peers.floor_views:app")
DICTS = Peer("floor (b): Starlette + orjson dicts", "bench.peers.floor_orjson:app")
HEALTHCHAIN_PYTHON = ROOT / ".venv-healthchain" / "bin" / "python"
HEALTHCHAIN = Peer("HealthChain, a trivial rule", "bench.peers.healthchain_app:app", "/cds/cds-services/bench")
ROUNDS, SECONDS, CONNECTIONS = 7, 1.5, 8
BODIES = {"small": 2_500, "usual": 300, "large": 40}
"""Different ones, sent in turn: more sigs than what is kept of earlier calls can hold."""
_UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def peers() -> list[Peer]:
    """Those that are installed; HealthChain lives in an environment of its own."""
    found = [TANDEM, VIEWS, DICTS]
    if HEALTHCHAIN_PYTHON.exists():
        found.append(Peer(HEALTHCHAIN.name, HEALTHCHAIN.app, HEALTHCHAIN.path, str(HEALTHCHAIN_PYTHON)))
    return found


def check(ports: dict[Peer, int], body: bytes) -> None:
    """Refuse to time answers that differ."""
    first, second = (_UUID.sub(b"", post(ports[TANDEM], TANDEM.path, body)) for _ in range(2))
    if first != second or not json.loads(first)["cards"]:
        raise SystemExit("Tandem gave no card, or two different answers to the same request")
    constant = {
        json.dumps(_shown(post(port, peer.path, body)), sort_keys=True)
        for peer, port in ports.items()
        if peer != TANDEM
    }
    if len(constant) != 1:
        raise SystemExit("the peers do not answer with the same card")


def _shown(answer: bytes) -> dict[str, object]:
    (card,) = json.loads(answer)["cards"]
    return {key: value for key, value in card.items() if key != "uuid" and value is not None}


def main() -> None:
    """Measure every size and print a table for each."""
    pin(CLIENT_CORE)
    print(f"{platform.machine()}, Python {platform.python_version()}, one worker, {CONNECTIONS} connections,")
    print(f"{ROUNDS} interleaved rounds of {SECONDS} s; medians; ratios are of rounds\n")
    with ExitStack() as stack:
        ports = {peer: stack.enter_context(running(peer)) for peer in peers()}
        for size, count in SIZES.items():
            body = build(count)
            check(ports, body)
            bodies = itertools.cycle(different(count, BODIES[size]))
            _table(f"{size}: {count} resources, {len(body) / 1000:.0f} kB", _rounds(ports, bodies))


def _rounds(ports: dict[Peer, int], bodies: Iterator[bytes]) -> dict[Peer, list[Round]]:
    measured: dict[Peer, list[Round]] = {peer: [] for peer in ports}
    for number in range(ROUNDS + 1):
        for peer, port in ports.items():
            result = measure(port, peer.path, bodies, CONNECTIONS, SECONDS)
            if number:  # the first round warms up
                measured[peer].append(result)
    return measured


def _table(title: str, measured: dict[Peer, list[Round]]) -> None:
    print(f"### {title}\n")
    print("| way | requests/s | p50 ms | p99 ms | Tandem / this |")
    print("|---|---|---|---|---|")
    ours = measured[TANDEM]
    for peer, rounds in measured.items():
        ratios = [mine.per_second / theirs.per_second for mine, theirs in zip(ours, rounds, strict=True)]
        print(
            f"| {peer.name} | {statistics.median(each.per_second for each in rounds):,.0f} "
            f"| {statistics.median(each.percentile(0.5) for each in rounds):.2f} "
            f"| {statistics.median(each.percentile(0.99) for each in rounds):.2f} "
            f"| {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}) |"
        )
    print(flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
