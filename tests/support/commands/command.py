"""``tandem`` as a user calls it, without a process of its own: what it printed, and its exit status.

That the installed command behaves so is shown by ``tests/process/commands`` with real processes.
"""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

from cds_hooks.cli.main import main


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


def tandem(*words: str, stdin: bytes = b"") -> Done:
    """Run one command; whatever it raises but its own exit is a failure of the test."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    given = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    with (
        patch.object(sys, "argv", ["tandem", *words]),
        patch.object(sys, "stdin", given),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = _exit_status()
    return Done(code, _text(out), _text(err))


def _exit_status() -> int:
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
