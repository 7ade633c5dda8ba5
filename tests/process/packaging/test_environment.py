"""An environment is whole or made whole: what failed is named in one line, and the next run repeats it."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

SCRIPT = Path(__file__).parents[3] / "install" / "environment"
PYTHON = getattr(sys, "_base_executable", sys.executable)


class Checkout:
    """A folder with the script and locks that are met from local files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "install").mkdir()
        (folder / "wheels").mkdir()
        shutil.copy(SCRIPT, folder / "install")

    def lock(self, name: str, *lines: str) -> None:
        (self.folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def wheel(self, name: str, needs: str = "") -> str:
        """A package of one module; returns its line in a lock."""
        path = self.folder / "wheels" / f"{name}-1.0-py3-none-any.whl"
        info = f"{name}-1.0.dist-info"
        with ZipFile(path, "w") as file:
            file.writestr(f"{name}.py", "")
            requires = f"Requires-Dist: {needs}\n" if needs else ""
            file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}")
            file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            file.writestr(f"{info}/RECORD", "")
        return f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"

    def make(self, *what: str, python: str = PYTHON) -> subprocess.CompletedProcess[str]:
        asked = os.environ | {
            "PYTHON": python,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.folder / "wheels"),
            "PIP_CONFIG_FILE": os.devnull,
        }
        command = (self.folder / "install" / "environment", "env", *what)
        return subprocess.run(command, env=asked, capture_output=True, text=True, check=False)

    def has(self, module: str) -> bool:
        return bool(list((self.folder / "env").glob(f"lib/*/site-packages/{module}.py")))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_what_is_whole_is_left_alone_and_what_was_broken_off_is_made_anew(checkout: Checkout) -> None:
    checkout.lock("a", checkout.wheel("alpha"))
    first = checkout.make("a.txt")
    assert (first.returncode, first.stderr) == (0, "")
    assert checkout.has("alpha")
    again = checkout.make("a.txt", python="")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")

    (checkout.folder / "env" / ".unfinished").touch()
    (checkout.folder / "env" / "left over").touch()
    mended = checkout.make("a.txt", python="")
    assert mended.returncode == 0, mended.stderr
    assert mended.stdout.startswith("Making env with ")
    assert not (checkout.folder / "env" / "left over").exists()
    assert checkout.has("alpha")


@pytest.mark.nightly
def test_a_lock_that_cannot_be_installed_is_named_and_tried_again(checkout: Checkout) -> None:
    checkout.lock("a", checkout.wheel("alpha"))
    assert checkout.make("a.txt").returncode == 0
    checkout.lock("b", "beta==1.0 --hash=sha256:" + "0" * 64)
    for _ in range(2):
        failed = checkout.make("b.txt")
        assert failed.returncode == 1
        assert failed.stdout == "Installing b.txt into env\n", "what was whole is not made anew"
        assert failed.stderr == "installing b.txt failed: No matching distribution found for beta==1.0\n"
    checkout.lock("b", checkout.wheel("beta"))
    assert checkout.make("b.txt").returncode == 0
    assert checkout.has("alpha")
    assert checkout.has("beta")


def test_a_file_that_the_lock_does_not_name_is_not_installed(checkout: Checkout) -> None:
    checkout.lock("a", checkout.wheel("alpha").rpartition(":")[0] + ":" + "0" * 64)
    failed = checkout.make("a.txt")
    assert failed.returncode == 1
    assert failed.stderr.startswith("installing a.txt failed: ")
    assert "HASHES" in failed.stderr
    assert not checkout.has("alpha")


@pytest.mark.nightly
def test_a_lock_that_leaves_out_a_dependency_is_named(checkout: Checkout) -> None:
    checkout.lock("a", checkout.wheel("alpha", needs="beta"))
    failed = checkout.make("a.txt")
    assert failed.returncode == 1
    assert failed.stderr.startswith("checking that a.txt is complete failed: alpha 1.0 requires beta")
    checkout.lock("a", checkout.wheel("alpha", needs="beta"), checkout.wheel("beta"))
    assert checkout.make("a.txt").returncode == 0


@pytest.mark.nightly
def test_an_environment_that_cannot_be_made_is_named_and_made_by_the_next_run(checkout: Checkout) -> None:
    checkout.lock("a", checkout.wheel("alpha"))
    broken = checkout.folder / "python"
    script = (
        f'#!/bin/sh\n[ "$1" != -m ] || {{ mkdir -p env/bin; echo "no ensurepip here"; exit 1; }}\nexec {PYTHON} "$@"\n'
    )
    broken.write_text(script, encoding="utf-8")
    broken.chmod(0o755)
    failed = checkout.make("a.txt", python=str(broken))
    assert failed.returncode == 1
    assert failed.stderr == "making env failed: no ensurepip here\n"
    assert checkout.make("a.txt").returncode == 0
    assert checkout.has("alpha")


@pytest.mark.parametrize("script", ["exit 1", ""])
def test_a_python_that_is_too_old_or_none_is_named(checkout: Checkout, script: str) -> None:
    old = checkout.folder / "python3.9"
    if script:
        old.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        old.chmod(0o755)
    failed = checkout.make(python=str(old))
    assert failed.returncode == 1
    assert failed.stderr == f"Tandem needs Python 3.11 or newer, and {old} is not: make PYTHON=python3.11\n"
    assert not (checkout.folder / "env").exists()
