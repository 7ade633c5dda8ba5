"""The parent of the workers: when it begins, when it replaces a worker, when it gives up, and that none outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.workers.jobs import COUNT, SECRET
from tests.support.workers.served import SECONDS, gone


@contextmanager
def parent_of(job: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.support.workers.jobs", job, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def up(process: subprocess.Popen[str]) -> None:
    """Wait until all workers answer."""
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"


def worker(folder: Path, number: int) -> int:
    """The process of the only worker that ever was at a place."""
    (note,) = folder.glob(f"{number}-*")
    return int(note.name.partition("-")[2])


def test_a_folder_for_temporary_files_with_too_long_a_path_ends_the_start_with_a_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("x" * 110)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    with parent_of("refuses", tmp_path) as process:
        _, err = process.communicate(timeout=SECONDS)
    assert err.endswith("no socket can be made in the temporary folder: its path is too long; set TMPDIR\n")
    assert not [*folder.iterdir()]


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ("refuses", "state: cannot be used"),
        ("fails", "exit.1"),
        ("ends", "exit.0"),
        ("is_killed", "sigkill"),
    ],
)
def test_workers_that_cannot_start_are_started_once(job: str, said: str, tmp_path: Path) -> None:
    with parent_of(job, tmp_path) as process:
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode not in (0, -signal.SIGKILL)
    assert out == ""
    assert err.splitlines()[-1].startswith("tandem: a worker could not start: ")
    assert said in err.splitlines()[-1]
    assert len([*tmp_path.iterdir()]) <= COUNT
    assert SECRET not in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_of_them(number: signal.Signals, tmp_path: Path) -> None:
    with parent_of("stays", tmp_path) as process:
        up(process)
        process.send_signal(number)
        process.wait(SECONDS)
    # An interrupted Python program says so by itself; SIGTERM ends one without a word.
    assert process.returncode in (-number, 1)
    assert all(gone(worker(tmp_path, place)) for place in range(COUNT))


def test_one_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    with parent_of("is_deaf", tmp_path) as process:
        up(process)
        process.terminate()
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == -signal.SIGTERM
    assert err.count("a worker did not stop and is killed") == COUNT
    assert all(gone(worker(tmp_path, place)) for place in range(COUNT))


def test_workers_do_not_outlive_their_parent(tmp_path: Path) -> None:
    with parent_of("stays", tmp_path) as process:
        up(process)
        process.kill()
        process.wait(SECONDS)
        assert all(gone(worker(tmp_path, place)) for place in range(COUNT))


def test_the_service_goes_on_with_those_that_answer_and_ends_with_the_last(tmp_path: Path) -> None:
    with parent_of("stays_once", tmp_path) as process:
        up(process)
        os.kill(worker(tmp_path, 0), signal.SIGKILL)
        assert process.stderr is not None
        assert "a worker has died" in process.stderr.readline()
        # Its successor refuses.
        assert "a worker cannot start" in process.stderr.readline()
        assert process.poll() is None
        os.kill(worker(tmp_path, 1), signal.SIGKILL)
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode not in (0, -signal.SIGKILL)
    assert err.splitlines()[-1] == "tandem: a worker could not start: state: cannot be used"
