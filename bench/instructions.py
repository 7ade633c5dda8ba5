"""Machine instructions of one call, counted by valgrind: free of noise, unlike any time.

``python -m bench.instructions [CHECKOUT]``: each size in two runs of different length; the difference is of calls
alone, each with a body of its own. Needs ``valgrind``, and about five minutes for each checkout and size.
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

FEW, MORE = 10, 30
_COUNTED = re.compile(r"I +refs: +([\d,]+)")


def counted(checkout: Path, folder: Path) -> int:
    """The instructions of a process that answers each body of a folder once."""
    command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", sys.executable]
    environment = os.environ | {"PYTHONPATH": str(checkout), "PYTHONHASHSEED": "0"}
    asked = f"{folder} 1\n"
    done = subprocess.run(
        [*command, str(WORKER)],
        check=False,
        cwd=checkout,
        env=environment,
        input=asked,
        capture_output=True,
        text=True,
    )
    found = _COUNTED.search(done.stderr)
    if found is None:
        raise SystemExit(f"valgrind did not count: {done.stderr[-300:]}")
    return int(found[1].replace(",", ""))


def main(*others: str) -> None:
    """Print one table."""
    checkouts = [ROOT, *(Path(other).resolve() for other in others)]
    print("| resources | " + " | ".join(f"{each.name}, millions a call" for each in checkouts) + " |")
    print("|---|" + "---|" * len(checkouts), flush=True)
    with tempfile.TemporaryDirectory() as place:
        for size, resources in SIZES.items():
            bodies = different(resources, MORE)
            few, more = (written(Path(place) / f"{size}-{count}", bodies[:count]) for count in (FEW, MORE))
            each = [(counted(checkout, more) - counted(checkout, few)) / (MORE - FEW) for checkout in checkouts]
            print(f"| {resources} | " + " | ".join(f"{count / 1e6:.1f}" for count in each) + " |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
