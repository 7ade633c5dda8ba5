"""Machine instructions of one call, counted by valgrind: free of noise, unlike any time.

``python -m bench.instructions [CHECKOUT]``: each size in two runs of different length; the difference is of calls
alone, each with a body of its own. All runs are forked from one process that has everything loaded. Needs ``valgrind``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.call import WORKER, written
from bench.peers.servers import ROOT
from bench.requests import SIZES, different

RUNS = {"small": (10, 30), "usual": (5, 15), "large": (2, 5)}
"""How many calls the two runs of a size have."""
_COUNTED = re.compile(r"==(\d+)== I +refs: +([\d,]+)")


def counted(checkout: Path, folders: list[Path]) -> list[int]:
    """The instructions of the processes that answer each body of a folder once, up to their last."""
    command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", sys.executable]
    environment = os.environ | {"PYTHONPATH": str(checkout), "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [*command, str(WORKER), "forked"],
        check=False,
        cwd=checkout,
        env=environment,
        input="".join(f"{folder}\n" for folder in folders),
        capture_output=True,
        text=True,
    )
    found = {number: int(count.replace(",", "")) for number, count in _COUNTED.findall(done.stderr)}
    numbers = done.stdout.split()
    if len(numbers) != len(folders) or not found.keys() >= set(numbers):
        raise SystemExit(f"valgrind did not count: {done.stderr[-300:]}")
    return [found[number] for number in numbers]


def main(*others: str) -> None:
    """Print one table."""
    checkouts = [ROOT, *(Path(other).resolve() for other in others)]
    with tempfile.TemporaryDirectory() as place:
        folders = []
        for size, (few, more) in RUNS.items():
            bodies = different(SIZES[size], more)
            folders += [written(Path(place) / f"{size}-{count}", bodies[:count]) for count in (few, more)]
        counts = [counted(checkout, folders) for checkout in checkouts]
    print("| resources | " + " | ".join(f"{each.name}, millions a call" for each in checkouts) + " |")
    print("|---|" + "---|" * len(checkouts))
    for at, (size, (few, more)) in enumerate(RUNS.items()):
        each = [(count[2 * at + 1] - count[2 * at]) / (more - few) for count in counts]
        print(f"| {SIZES[size]} | " + " | ".join(f"{count / 1e6:.1f}" for count in each) + " |")


if __name__ == "__main__":
    main(*sys.argv[1:])
