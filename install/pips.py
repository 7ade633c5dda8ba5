"""Installs with the oldest pip that this Python came with and with the newest, and fails if the results differ.

Each gets an empty environment, in which the steps of the image install the server's lock and the wheel, and from which
the service must then start. The lock of the tests is large: only what each pip would install of it is compared, file by
file, after the files were downloaded and their hashes checked.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OLDEST = {(3, 11): "22.3", (3, 12): "23.2.1", (3, 13): "24.2", (3, 14): "25.2"}
"""The pip that each Python's first release bundles (``Lib/ensurepip/__init__.py``); later ones bundle newer."""


def image(folder: Path, pip: str) -> None:
    """Build the content of the image in a new folder, by every step of the Containerfile."""
    asked = os.environ | {"PYTHON": sys.executable, "WITH_PIP": pip}
    for step in image_steps():
        subprocess.run(step.replace("/opt/tandem", str(folder)).split(), cwd=ROOT, env=asked, check=True)


def image_steps() -> list[str]:
    """The RUN steps of the Containerfile."""
    return re.findall(r"^RUN (.+)$", (ROOT / "Containerfile").read_text(encoding="utf-8"), re.MULTILINE)


def frozen(python: Path) -> set[str]:
    """The packages in an environment, except pip, and the wheel, which each pip lists in its own way."""
    return set(run(python, "-m", "pip", "freeze", "--disable-pip-version-check", "--exclude=tandem-cds").splitlines())


def would_install(python: Path, lock: Path, report: Path) -> set[str]:
    """The files that its pip would install from a lock; each was downloaded, and its hash is in the lock."""
    options = ("--quiet", "--disable-pip-version-check", "--ignore-installed", "--require-hashes", "--no-deps")
    run(python, "-m", "pip", "install", "--dry-run", *options, "--report", report, "--requirement", lock)
    files = [item["download_info"] for item in json.loads(report.read_text(encoding="utf-8"))["install"]]
    return {f"{Path(file['url']).name} {digest(file['archive_info'])}" for file in files}


def digest(archive: dict[str, Any]) -> str:
    """The SHA-256 of a file in a report; old pips write it differently."""
    return str(archive["hashes"]["sha256"] if "hashes" in archive else archive["hash"].removeprefix("sha256="))


def run(*command: str | Path) -> str:
    """The output of a command; ``SystemExit`` with its last line if it fails."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        last = (ran.stderr or ran.stdout).strip().splitlines()[-1:]
        raise SystemExit(f"{' '.join(map(str, command))}: {' '.join(last)}")
    return ran.stdout


def differences(what: str, oldest: Iterable[str], newest: Iterable[str]) -> list[str]:
    """One line for each item that only one of the two has."""
    old, new = set(oldest), set(newest)
    return [
        *(f"{what}: only the oldest pip: {item}" for item in sorted(old - new)),
        *(f"{what}: only the newest pip: {item}" for item in sorted(new - old)),
    ]


@dataclass(frozen=True)
class Outcome:
    """The result with one pip."""

    held: set[str]
    chosen: set[str]


def outcome(folder: Path, pip: str) -> Outcome:
    """Build the image with a pip, start the service, and ask what pip would install from the lock of the tests."""
    image(folder, pip)
    python = folder / "bin" / "python"
    version = run(python, "-m", "pip", "--version").partition(" from ")[0]
    done = Outcome(frozen(python), would_install(python, ROOT / "requirements" / "test.txt", folder / "report.json"))
    print(
        f"{version}: {run(sys.executable, ROOT / 'install' / 'smoke.py', folder / 'bin' / 'tandem').strip()}",
        flush=True,
    )
    return done


def main(folder: Path) -> int:
    """0 if both results are the same."""
    with ThreadPoolExecutor(2) as both:
        oldest, newest = both.map(outcome, (folder / "oldest", folder / "newest"), (OLDEST[python_version()], "newest"))
    found = [
        *differences("server.txt", oldest.held, newest.held),
        *differences("test.txt", oldest.chosen, newest.chosen),
    ]
    print(
        "\n".join(found) or f"the pips agree: {len(oldest.held)} packages installed, {len(oldest.chosen)} files chosen"
    )
    return bool(found)


def python_version() -> tuple[int, int]:
    """Such as ``(3, 11)``; ``SystemExit`` if the pip that this Python came with is not listed."""
    if sys.version_info[:2] not in OLDEST:
        raise SystemExit(f"pips: add the pip that the first Python {sys.version_info[0]}.{sys.version_info[1]} bundles")
    return sys.version_info[:2]


if __name__ == "__main__":
    with TemporaryDirectory(prefix="tandem-pips-") as name:
        sys.exit(main(Path(name)))
