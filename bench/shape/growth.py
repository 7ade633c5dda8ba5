"""What a resource costs in records of 500 to 5,000: the same in all of them, whether or not they are all of one day.

``python -m bench.shape.growth``. The largest bodies are larger than what a service takes unless its settings say so.
"""

from __future__ import annotations

import os
import platform
import re
import statistics
import tempfile
from pathlib import Path

from bench.call import started, written
from bench.peers.servers import ROOT
from bench.requests import different

SIZES = (500, 1_500, 3_000, 5_000)
BODIES = 12
_DAY = re.compile(rb'(?<=")202[56]-\d\d-\d\d(?=["T])')
ONE_DAY = b"2025-12-30"


def main() -> None:
    """Print one table."""
    os.environ["TANDEM_MAX_BODY_BYTES"] = str(16_000_000)
    print(f"{platform.machine()}, Python {platform.python_version()}; CPU of one call, medians of {BODIES} bodies\n")
    print("| resources | MB | ms | us of a resource | all of one day: ms | us of a resource |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place, started(ROOT) as process:
        process.answer(written(Path(place, "first"), different(SIZES[0], BODIES)))
        for size in SIZES:
            bodies = different(size, BODIES)
            of_a_day = [_DAY.sub(ONE_DAY, body) for body in bodies]
            folders = [written(Path(place, f"{size}-{at}"), kind) for at, kind in enumerate((bodies, of_a_day))]
            times = [statistics.median(process.answer(folder)) for folder in folders]
            shown = (f"{each:.1f} | {1000 * each / size:.0f}" for each in times)
            print(f"| {size:,} | {len(bodies[0]) / 1e6:.1f} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
