"""A PostgreSQL server of our own, on a Unix socket, thrown away afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

USER = "tandem"
_SECONDS = 20


@dataclass(frozen=True)
class Postgres:
    """Where its programs and its data are, and who runs it: PostgreSQL refuses to run as root."""

    programs: Path
    folder: Path
    as_user: tuple[str, ...]

    def run(self, program: str, *words: str) -> None:
        """Run one of its programs; what it says is shown when it fails."""
        command = [*self.as_user, str(self.programs / program), *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, cwd=self.folder)
        assert done.returncode == 0, done.stdout.decode(errors="replace")

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off"
        log = str(self.folder / "log")
        # Its output goes to a file: a server that kept our pipe open would never let ``run`` return.
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", log, "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """As if its machine had gone; ``fast`` as an administrator does it."""
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", mode, "stop")

    def kill(self) -> None:
        """All its processes end at once, without a word."""
        processes = self._processes()
        self._signal(processes, signal.SIGSTOP)  # else the first end of one makes the others start over
        self._signal(processes, signal.SIGKILL)
        end = time.monotonic() + _SECONDS
        while any(_runs(each) for each in processes):
            assert time.monotonic() < end, "PostgreSQL does not end"
        # Where nobody waits for the ended process, its number stays taken and the server would not start again.
        for lock in (self.folder / "data" / "postmaster.pid", *self.folder.glob(".s.PGSQL.*.lock")):
            lock.unlink()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Its processes stand still: connections stay open, and nothing answers."""
        processes = self._processes()
        self._signal(processes, signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(processes, signal.SIGCONT)

    @contextmanager
    def standby(self) -> Iterator[Postgres]:
        """A copy that follows it, and is thrown away."""
        with _folder() as (folder, as_user):
            other = Postgres(self.programs, folder, as_user)
            self.run(
                "pg_basebackup", "-h", str(self.folder), "-U", USER, "-D", str(folder / "data"), "-R", "-c", "fast"
            )
            other.start()
            try:
                yield other
            finally:
                other.stop()

    @contextmanager
    def promoted(self) -> Iterator[None]:
        """A standby has taken over; its checkpoint, which may take minutes, does not come before the end."""
        checkpointer = self._processes("-f", "checkpointer")[1:]
        self._signal(checkpointer, signal.SIGSTOP)
        try:
            self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", "promote")
            yield
        finally:
            self._signal(checkpointer, signal.SIGCONT)

    def _processes(self, *which: str) -> list[int]:
        """The first of its processes, and those that it has started, or ``which`` of them."""
        first = (self.folder / "data" / "postmaster.pid").read_text().split()[0]
        listed = subprocess.run(["pgrep", "-P", first, *which], capture_output=True, text=True, check=True)
        return [int(each) for each in (first, *listed.stdout.split())]

    def _signal(self, processes: Sequence[int], number: signal.Signals) -> None:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def database(self, name: str, template: str = "template1") -> str:
        """A new database, as the setting names it; a copy of ``template``, to which nobody may be connected."""
        self.run("createdb", "-h", str(self.folder), "-U", USER, "-T", template, name)
        return f"postgresql://{USER}@/{name}?host={self.folder}"


def _runs(process: int) -> bool:
    """Whether a process has not ended; one that nobody has waited for has."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _programs() -> Path | None:
    """The newest PostgreSQL of this machine."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda each: float(each.parts[-3]))
    which = shutil.which("initdb")
    return found[-1].parent if found else Path(which).parent if which else None


@contextmanager
def _folder() -> Iterator[tuple[Path, tuple[str, ...]]]:
    """A place for a server, and as whom it runs."""
    folder = Path(tempfile.mkdtemp(prefix="tandem-pg-"))
    as_user: tuple[str, ...] = ()
    if os.geteuid() == 0:
        as_user = ("runuser", "-u", "postgres", "--")
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    try:
        yield folder, as_user
    finally:
        shutil.rmtree(folder)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server that runs; the test is skipped where PostgreSQL is not installed."""
    binaries = _programs()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with _folder() as (folder, as_user):
        server = Postgres(binaries, folder, as_user)
        server.run("initdb", "-D", str(folder / "data"), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C")
        server.start()
        yield server
        if (folder / "data" / "postmaster.pid").exists():
            server.stop()
