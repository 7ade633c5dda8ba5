"""Workers that serve nothing, under the parent of real ones: ``python -m tests.support.workers.jobs JOB FOLDER``.

The program says ``up`` once all answer. Each start of a worker leaves a file in the folder, named by place and process.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cds_hooks.operation import workers
from cds_hooks.operation.accepting import Inlet
from cds_hooks.operation.workers import WorkerPlace
from cds_hooks.protocol.errors import NotStarted
from cds_hooks.telemetry import logs
from fhir_plugin.errors import BadInput

SECRET = "Canary Person 4711"
COUNT = 2
Answers = Callable[[], None]


def _stay(answers: Answers) -> None:
    answers()
    while True:
        signal.pause()


def stays(_: int, answers: Answers) -> None:
    """Answer, until a signal ends it."""
    _stay(answers)


def refuses(_: int, answers: Answers) -> None:
    """Say why it cannot start."""
    raise BadInput("state: cannot be used")


def fails(_: int, answers: Answers) -> None:
    """Fail in a way that nobody foresaw."""
    raise ValueError(SECRET)


def ends(_: int, answers: Answers) -> None:
    """End without a word."""


def is_killed(_: int, answers: Answers) -> None:
    """Be killed while starting, as where memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)


def stays_once(earlier: int, answers: Answers) -> None:
    """Answer the first time, and refuse to be replaced."""
    if earlier:
        raise BadInput("state: cannot be used")
    _stay(answers)


def is_deaf(_: int, answers: Answers) -> None:
    """Answer, and not stop when asked to."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _stay(answers)


JOBS = {job.__name__: job for job in (stays, refuses, fails, ends, is_killed, stays_once, is_deaf)}


def _begin(name: str, folder: Path, place: WorkerPlace, _: Inlet, answers: Answers) -> None:
    logs.configure("info", "json")
    earlier = len([*folder.glob(f"{place.number}-*")])
    (folder / f"{place.number}-{os.getpid()}").touch()
    JOBS[name](earlier, answers)


def main(name: str, folder: str) -> None:
    """Run workers of one kind until a signal, or until they cannot."""
    logs.configure("info", "json")
    workers._LATE_SECONDS = 0.2
    with socket.create_server(("127.0.0.1", 0)) as listener:
        parent = workers.Workers(partial(_begin, name, Path(folder)), COUNT, listener, stop_seconds=0)
        try:
            parent.run(partial(print, "up", flush=True))
        except NotStarted as fault:
            sys.exit(f"tandem: {fault}")


if __name__ == "__main__":
    main(*sys.argv[1:])
