"""Workers tell each other their metrics, so that a scrape that reaches one of them shows all.

Each listens on a Unix socket in a folder that only this user may enter, and tells whoever connects what it counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from cds_hooks.operation.metrics import Family, exposition_of_all
from cds_hooks.operation.workers import WorkerPlace

ANSWER_SECONDS = 0.5
"""How long a scrape waits for another worker."""
_FAULTS = (OSError, TimeoutError, msgspec.DecodeError)
_ENCODER, _DECODER = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(list[Family])


class Peers:
    """All workers of a service, as one of them sees them."""

    def __init__(self, place: WorkerPlace, own: Callable[[], list[Family]]) -> None:
        """``own`` collects the metrics of this process."""
        self._place, self._own = place, own
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; the socket of a worker that was here before is replaced."""
        self._server = await asyncio.start_unix_server(self._tell, self._place.socket_of(self._place.number))

    async def aclose(self) -> None:
        """Tell nobody any more."""
        if self._server is not None:
            self._server.close()

    async def exposition(self) -> bytes:
        """The metrics of all workers in the text format of Prometheus, each with its number as a label."""
        return exposition_of_all(await asyncio.gather(*map(self._told_by, range(self._place.count))))

    async def _told_by(self, number: int) -> Sequence[Family] | None:
        """What one worker counts; ``None`` where it does not say so in time."""
        if number == self._place.number:
            return self._own()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return _DECODER.decode(await _read(self._place.socket_of(number)))
        except _FAULTS:
            return None

    async def _tell(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_ENCODER.encode(self._own()))
        writer.close()


async def _read(socket: Path) -> bytes:
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        return await reader.read()
    finally:
        writer.close()
