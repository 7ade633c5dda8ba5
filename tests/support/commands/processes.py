"""The command in a process of its own, and what it imported or lacked there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable

_RUN = """
import json, sys
sys.modules.update(dict.fromkeys(json.loads(sys.argv[1])))
sys.argv = ["tandem", *sys.argv[2:]]
from cds_hooks.cli.main import main
try:
    main()
finally:
    print(json.dumps(sorted(name for name in sys.modules)), file=sys.stderr)
"""


def tandem(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``tandem`` as a user starts it."""
    return _run(["-m", "cds_hooks.cli.main", *words], environment)


def tandem_without(modules: Iterable[str], *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``tandem`` where some modules are not installed; its last line on stderr is left out."""
    done = _run(["-c", _RUN, json.dumps([*modules]), *words], environment)
    done.stderr = "".join(done.stderr.splitlines(keepends=True)[:-1])
    return done


def imported_by(*words: str) -> set[str]:
    """The top-level and dotted names of every module that a command had loaded when it ended."""
    done = _run(["-c", _RUN, "[]", *words], {})
    return set(json.loads(done.stderr.splitlines()[-1]))


def _run(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **environment},
    )
