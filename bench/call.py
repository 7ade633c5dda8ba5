"""What one call costs in CPU, without a socket and with a different body for every call; and beside another release.

``python -m bench.call [CHECKOUT]``: with a checkout of another release the two are asked in turn, in one run. Besides
milliseconds stands the multiple of what ``msgspec.json.decode`` takes for the same bytes, which is steadier.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from bench.peers.servers import ROOT, SERVER_CORE, pin
from bench.requests import SIZES, build, different

BODIES = {"small": 200, "usual": 120, "large": 20}
ROUNDS = 4
WORKER = ROOT / "bench" / "peers" / "in_process.py"


class Process:
    """One checkout, started, that answers calls."""

    def __init__(self, running: subprocess.Popen[str]) -> None:
        self._running = running
        self.digest = ""

    def answer(self, folder: Path, times: int = 1) -> list[float]:
        """Have each body of the folder answered so many times; the milliseconds of each."""
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        self._running.stdin.write(f"{folder} {times}\n")
        self._running.stdin.flush()
        found = json.loads(self._running.stdout.readline())
        self.digest = found["digest"]
        return list(found["times"])


@contextmanager
def started(checkout: Path) -> Iterator[Process]:
    """The application of a checkout, in a process of its own on one core."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "PYTHONHASHSEED": "0"}
    with subprocess.Popen(
        [sys.executable, str(WORKER)],
        cwd=checkout,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        pin(SERVER_CORE, process.pid)
        try:
            yield Process(process)
        finally:
            process.kill()


def decoding(bodies: list[bytes]) -> float:
    """The usual milliseconds of CPU that decoding one of these bodies into dicts takes."""
    found = []
    for body in bodies * ROUNDS:
        begun = time.process_time_ns()
        msgspec.json.decode(body)
        found.append((time.process_time_ns() - begun) / 1e6)
    return statistics.median(found)


def written(folder: Path, bodies: list[bytes]) -> Path:
    """The bodies as files."""
    folder.mkdir()
    for number, body in enumerate(bodies):
        (folder / f"{number:05}").write_bytes(body)
    return folder


def main(*others: str) -> None:
    """Print one table."""
    checkouts = [ROOT, *(Path(other).resolve() for other in others)]
    print(
        f"{platform.machine()}, Python {platform.python_version()}; ms of CPU of one call: median (tenth percentile)\n"
    )
    print("| resources | checkout | different bodies | times decoding | one body repeated |")
    print("|---|---|---|---|---|")
    with ExitStack() as stack:
        processes = {each.name: stack.enter_context(started(each)) for each in checkouts}
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for size, resources in SIZES.items():
            bodies = different(resources, BODIES[size] * (ROUNDS + 1))
            floor = decoding(bodies[: BODIES[size]])
            folders = [written(place / f"{size}-{at}", bodies[at :: ROUNDS + 1]) for at in range(ROUNDS + 1)]
            others_than = _answered(processes, folders)
            same = written(place / f"{size}-same", [build(resources)])
            alike = _answered(processes, [same] * (ROUNDS + 1), BODIES[size])
            for name, times in others_than.items():
                shown, again = _shown(times), _shown(alike[name])
                print(
                    f"| {resources} | {name} | {shown} | {statistics.median(times) / floor:.1f} | {again} |", flush=True
                )


def _answered(processes: dict[str, Process], folders: list[Path], times: int = 1) -> dict[str, list[float]]:
    """The times of every process; each folder is asked of one after the other, and the first warms up."""
    taken: dict[str, list[float]] = {name: [] for name in processes}
    for number, folder in enumerate(folders):
        for name, process in processes.items():
            found = process.answer(folder, times)
            taken[name] += found if number else []
        if len({process.digest for process in processes.values()}) != 1:
            print(f"the checkouts answer differently: {folder.name}", file=sys.stderr)
    return taken


def _shown(times: list[float]) -> str:
    return f"{statistics.median(times):.2f} ({sorted(times)[len(times) // 10]:.2f})"


if __name__ == "__main__":
    main(*sys.argv[1:])
