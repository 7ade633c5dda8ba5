"""Several processes that serve one socket: started together, replaced when one dies, stopped together.

uvicorn's own supervisor is not used. It starts a worker that ends before it serves again and again, twice a second,
unless its exit status is 3; while it stops, new connections are accepted by nobody and wait instead of being refused;
it waits for its workers without a limit; if it is killed, they go on serving; and the first of them to wake takes all
connections that come at once.
"""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from cds_hooks.operation.accepting import Acceptor, Inlet, Outlet
from cds_hooks.protocol.errors import NotStarted
from cds_hooks.telemetry.logs import fault_fields, log
from fhir_plugin.errors import BadInput, TandemError
from mappings.schema.errors import KnowledgeError


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """Which of several workers a process is; one that is replaced leaves its place to the next."""

    number: int
    count: int
    folder: Path
    """Where their sockets are."""

    def socket_of(self, number: int) -> Path:
        """The socket of one of them."""
        return self.folder / str(number)


Job: TypeAlias = Callable[[WorkerPlace, Inlet, Callable[[], None]], None]
"""What a worker does, as an object that can be pickled: serve what it is handed, and call the last when it answers."""

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LATE_SECONDS = 10.0
"""How long a worker may take to write what is queued and to end, after the time for its calls; then it is killed."""
_SHORTEST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""Between attempts to replace a worker."""
_PROCESSES = multiprocessing.get_context("spawn")
_UP = ""
"""What a worker says when it answers; what else it says is why it cannot."""


class Workers:
    """The parent of the workers. It accepts connections for them, and reads nothing of what comes over these."""

    def __init__(self, job: Job, count: int, listener: socket.socket, stop_seconds: float) -> None:
        self._job, self._count, self._listener, self._stop_seconds = job, count, listener, stop_seconds
        self._now: dict[int, _Worker] = {}

    def run(self, answers: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT, and end by that signal, as one process does.

        ``answers`` is called once: when all workers answer.

        :raises BadInput: there is no place for temporary files.
        :raises NotStarted: a worker could not start; or later one could not be replaced, and no other was left.
        """
        with _own_folder() as folder:
            caught = asyncio.run(self._supervise(Path(folder), answers))
        signal.raise_signal(caught)

    async def _supervise(self, folder: Path, answers: Callable[[], None]) -> int:
        loop = asyncio.get_running_loop()
        caught: asyncio.Queue[int] = asyncio.Queue()
        for each in _STOP_SIGNALS:
            loop.add_signal_handler(each, caught.put_nowait, each)
        stop = loop.create_task(caught.get())
        acceptor = Acceptor(self._listener, self._outlets)
        try:
            for number in range(self._count):
                self._start(WorkerPlace(number, self._count, folder))
            await _unless(stop, self._all_answer())
            if not stop.done():
                acceptor.start()
                answers()
                await _unless(stop, self._keep_all())
            return await stop
        finally:
            acceptor.close()
            await self._stop()

    def _outlets(self) -> list[Outlet]:
        return [worker.outlet for worker in self._now.values() if worker.is_up]

    async def _all_answer(self) -> None:
        await asyncio.gather(*(worker.answers() for worker in self._now.values()))

    async def _keep_all(self) -> None:
        await asyncio.gather(*(self._keep(worker) for worker in self._now.values()))

    def _start(self, place: WorkerPlace) -> _Worker:
        worker = self._now[place.number] = _Worker(self._job, place)
        return worker

    async def _keep(self, worker: _Worker) -> None:
        """Replace this worker when it dies, and the one after it."""
        while True:
            await worker.ends()
            log.error("a worker has died", worker=worker.place.number, reason=worker.how)
            worker = await self._replacement(worker.place)
            log.info("a worker was replaced", worker=worker.place.number)

    async def _replacement(self, place: WorkerPlace) -> _Worker:
        """A worker that answers, tried again as long as there is another one that does."""
        pause = _SHORTEST_PAUSE
        while True:
            worker = self._start(place)
            try:
                await worker.answers()
            except NotStarted:
                if not self._outlets():
                    raise
            else:
                return worker
            await worker.ends()
            log.error("a worker cannot be replaced", worker=place.number, reason=worker.how)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _stop(self) -> None:
        """Have all workers finish their calls and end."""
        ends = {worker: asyncio.create_task(worker.ends()) for worker in self._now.values()}
        for worker in ends:
            worker.terminate()
        if ends:
            await asyncio.wait(ends.values(), timeout=self._stop_seconds + _LATE_SECONDS)
        for worker, end in ends.items():
            if not end.done():
                log.error("a worker did not stop and is killed", worker=worker.place.number)
                worker.kill()
                await end


class _Worker:
    """One process, as its parent sees it."""

    def __init__(self, job: Job, place: WorkerPlace) -> None:
        self.place = place
        self.outlet = Outlet(_PROCESSES.RawArray("i", 2))
        self.how = ""
        """How it ended, as a code for the log."""
        self._fault: str | None = None
        """What it said; empty once it answers, else why it cannot."""
        self._said, self._ended = asyncio.Event(), asyncio.Event()
        self._hears, says = _PROCESSES.Pipe(duplex=False)
        self._process = _PROCESSES.Process(target=_work, args=(job, place, self.outlet.inlet, says), daemon=True)
        try:
            self._start()
        except OSError as fault:
            self._hears.close()
            self._note_end(errno.errorcode.get(fault.errno or 0, "failed").lower())
        finally:
            says.close()
            self.outlet.inlet.channel.close()  # this process needs only the other end

    def _start(self) -> None:
        # Ctrl-C reaches every process of a terminal. Until a worker serves, only its parent reacts to it.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._process.start()
        finally:
            signal.signal(signal.SIGINT, before)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._hears.fileno(), self._hear)
        loop.add_reader(self._process.sentinel, self._end)

    @property
    def is_up(self) -> bool:
        """Whether it answers, as far as its parent knows."""
        return self._fault == _UP and not self.how

    async def answers(self) -> None:
        """Return once it answers.

        :raises NotStarted: it never will.
        """
        await self._said.wait()
        if self._fault:
            raise NotStarted(f"a worker could not start: {self._fault}")

    async def ends(self) -> None:
        """Return once it has ended."""
        await self._ended.wait()

    def terminate(self) -> None:
        """Ask it to finish its calls and to end."""
        if not self.how:
            self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def _hear(self) -> None:
        with suppress(EOFError):  # it has ended, which is noticed elsewhere
            self._note_said(self._hears.recv())
        asyncio.get_running_loop().remove_reader(self._hears.fileno())

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self._hear()
        self._hears.close()
        self._process.join()
        code = self._process.exitcode or 0
        self._note_end(f"exit.{code}" if code >= 0 else signal.Signals(-code).name.lower())

    def _note_said(self, fault: str) -> None:
        if self._fault is None:
            self._fault = fault
            self._said.set()

    def _note_end(self, how: str) -> None:
        self._note_said(f"it ended before it answered ({how}); the log may say why")
        self.how = how
        self.outlet.close()
        self._ended.set()


def _work(job: Job, place: WorkerPlace, inlet: Inlet, says: Connection) -> None:
    """What a worker does from its beginning to its end."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        job(place, inlet, partial(says.send, _UP))
    except (TandemError, KnowledgeError) as fault:
        log.error("a worker cannot start", worker=place.number, **fault_fields(fault))
        says.send(str(fault))
    except Exception as fault:  # noqa: BLE001 - the text of a traceback may quote the record
        log.error("fault in a worker", **fault_fields(fault))
        sys.exit(1)


def _end_with_parent() -> None:
    """Stop as after SIGTERM when the parent is gone: a worker that nobody knows of would keep the socket."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _own_folder() -> TemporaryDirectory[str]:
    """A folder that no other user may enter, in which sockets can be made."""
    try:
        folder = TemporaryDirectory(prefix="tandem-workers-")
    except OSError as fault:
        raise BadInput(f"workers: no temporary folder can be made: {fault.strerror}; set TMPDIR") from fault
    try:
        with socket.socket(socket.AF_UNIX) as trial:
            trial.bind(f"{folder.name}/trial")
    except OSError as fault:
        folder.cleanup()
        reason = fault.strerror or "its path is too long"
        raise BadInput(f"workers: no socket can be made in the temporary folder: {reason}; set TMPDIR") from fault
    return folder


async def _unless(stop: asyncio.Task[int], work: Coroutine[Any, Any, None]) -> None:
    """Wait for ``work``, but not beyond ``stop``.

    :raises NotStarted: ``work`` found that a worker cannot start.
    """
    task = asyncio.create_task(work)
    waited: list[asyncio.Task[Any]] = [stop, task]
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
        return
    task.cancel()
    await asyncio.wait([task])
