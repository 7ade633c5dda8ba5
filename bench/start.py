"""What the start of a command costs: user CPU of a process in seconds, median of several starts.

The first start of each stands apart: it writes the bytecode that an installed product has. A busy machine shows more
than one at rest: ``python -c pass`` is there to compare.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from cds_hooks.demo.stories import demo_patients

STARTS = 5
DAY = date(2026, 6, 1)
PATIENT = "two-failures"
GOALS = {"--help": 0.3, "a misspelt command": 0.3, "--version": 0.3, "score FILE": 0.6, "assess --bundle FILE": 1.2}


def seconds(command: list[str], environment: Mapping[str, str]) -> float:
    """User CPU of one process that ends by itself."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(command, check=False, capture_output=True, env=environment)
    if b"Traceback" in done.stderr:
        sys.exit(done.stderr.decode())
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def starts(folder: Path) -> dict[str, list[str]]:
    """What is started, by the name that is printed."""
    (content,) = (patient.bundle for patient in demo_patients(DAY) if patient.id == PATIENT)
    entries = [entry["resource"] for entry in json.loads(content)["entry"]]
    answered = next(resource for resource in entries if resource["resourceType"] == "QuestionnaireResponse")
    bundle, response = folder / "bundle.json", folder / "response.json"
    bundle.write_bytes(content)
    response.write_text(json.dumps(answered), encoding="utf-8")
    tandem = [sys.executable, "-m", "cds_hooks.cli.main"]
    record = ["--bundle", str(bundle), "--as-of", DAY.isoformat()]
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        "--help": [*tandem, "--help"],
        "a misspelt command": [*tandem, "asess"],
        "--version": [*tandem, "--version"],
        "assess --help": [*tandem, "assess", "--help"],
        "score FILE": [*tandem, "score", str(response)],
        "trials --bundle FILE": [*tandem, "trials", *record],
        "assess --bundle FILE": [*tandem, "assess", *record],
    }


def main() -> None:
    """Print a line for each start, in interleaved rounds."""
    with TemporaryDirectory(prefix="tandem-start-") as folder:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = folder
        commands = starts(Path(folder))
        first = {name: seconds(command, environment) for name, command in commands.items()}
        rounds = [{name: seconds(command, environment) for name, command in commands.items()} for _ in range(STARTS)]
    for name in commands:
        goal = f"  goal {GOALS[name]:.1f}" if name in GOALS else ""
        median = statistics.median(measured[name] for measured in rounds)
        print(f"{name:22} {median:.2f} s  first {first[name]:.2f} s{goal}")


if __name__ == "__main__":
    main()
