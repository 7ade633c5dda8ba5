"""Processes that race for the same tokens."""

from __future__ import annotations

import subprocess
import sys


def race(program: str, *arguments: str) -> list[str]:
    """What three processes say, let go together once each has said ``ready``; the last argument is its number."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, *arguments, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for each in processes:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in processes:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    return [each.communicate(timeout=60)[0].strip() for each in processes]
