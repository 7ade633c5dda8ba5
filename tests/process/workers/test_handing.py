"""A worker takes the connections that it is handed, whatever became of the one before."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from cds_hooks.operation.accepting import OPEN, TAKEN, Outlet

SECONDS = 20


@contextmanager
def no_more_files() -> Iterator[None]:
    """This process can open none."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def _handed() -> list[int]:
    """The tally of a worker that is handed a connection when it can open no files, and then one more."""
    tally, taken = [0, 0], asyncio.Event()
    outlet = Outlet(tally)
    with closing(outlet), closing(outlet.inlet.channel):
        outlet.inlet.listen(lambda connection: (connection.close(), taken.set())[0])
        for limited in (True, False):
            connection, other = socket.socketpair()
            with connection, other:
                assert outlet.hand(connection)
            if limited:
                with no_more_files():
                    while outlet.load[0]:  # noqa: ASYNC110 - nobody is told
                        await asyncio.sleep(0)
        with suppress(TimeoutError):
            await asyncio.wait_for(taken.wait(), SECONDS)
        outlet.inlet.close()
    return tally


def test_a_worker_that_could_open_no_file_takes_the_next_connection() -> None:
    tally = asyncio.run(asyncio.wait_for(_handed(), SECONDS))
    assert tally[TAKEN] == 2
    assert tally[OPEN] == 1
