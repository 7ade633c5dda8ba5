"""The command in a process of its own."""

from __future__ import annotations

import subprocess
import sys


def tandem(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "cds_hooks.cli.main", *words], input=stdin, capture_output=True, check=False
    )
