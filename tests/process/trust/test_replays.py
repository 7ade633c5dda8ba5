"""A token is good for one call in several processes, and after one of them was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.support.trust.racing import race
from tests.support.trust.used import file_store, first_use

RACE = """
import asyncio, sys
from pathlib import Path
from cds_hooks.clients.replays.file import FileReplayStore
replays = FileReplayStore(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
async def go():
    for number in range(200):
        print(int(await replays.first_use("a", str(number), 10, 0)), end="")
asyncio.run(go())
"""


def test_processes_that_race_agree_on_who_was_first(tmp_path: Path) -> None:
    said = race(RACE, str(tmp_path / "replays.sqlite"))
    assert [len(each) for each in said] == [200] * 3
    assert all(sorted(uses) == ["0", "0", "1"] for uses in zip(*said, strict=True))


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from cds_hooks.clients.replays.file import FileReplayStore
replays = FileReplayStore(Path(sys.argv[1]))
for number in range(20):
    assert asyncio.run(replays.first_use("a", str(number), 10, 0))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_token_used_before_a_kill_is_refused_after_it(tmp_path: Path) -> None:
    store = tmp_path / "replays.sqlite"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(store)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    with file_store(store) as replays:
        assert not any(first_use(replays, str(number)) for number in range(20))
        assert first_use(replays, "20")
