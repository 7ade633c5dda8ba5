"""Workers that tell each other what they count: all of them are in one scrape, whichever is asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cds_hooks.operation import peers
from cds_hooks.operation.metrics import Family, exposition_of_all
from cds_hooks.operation.peers import Peers
from cds_hooks.operation.workers import WorkerPlace

CALLS = "tandem_calls"


def counting(number: int) -> list[Family]:
    """One metric, as a worker counts it."""
    return [Family(CALLS, "Calls answered.", "counter", [(f"{CALLS}_total", {"mode": "live"}, float(number))])]


def sample(worker: int, value: float) -> str:
    return f'{CALLS}_total{{mode="live",worker="{worker}"}} {value}'


def up(worker: int, value: float) -> str:
    return f'tandem_worker_up{{worker="{worker}"}} {value}'


def values(exposition: bytes) -> list[str]:
    return [line for line in exposition.decode().splitlines() if not line.startswith("#")]


async def closed() -> None:
    """Let the event loop go around until what is being closed is."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_metric_of_several_workers_is_one_metric() -> None:
    shown = exposition_of_all([counting(3), None, counting(5)])
    assert values(shown) == [sample(0, 3.0), sample(2, 5.0), up(0, 1.0), up(1, 0.0), up(2, 1.0)]
    assert shown.decode().count("# TYPE tandem_calls_total counter") == 1


def test_whoever_is_asked_shows_all_but_those_that_are_silent_or_gone(tmp_path: Path) -> None:
    async def go() -> list[bytes]:
        async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.shield(ended)
            writer.close()

        ended = asyncio.get_running_loop().create_future()
        places = [WorkerPlace(number, 4, tmp_path) for number in range(4)]
        talking = [Peers(place, lambda place=place: counting(place.number)) for place in places[:2]]  # type: ignore[misc]
        server = await asyncio.start_unix_server(silent, places[2].socket_of(2))
        for each in talking:
            await each.start()
        shown = [await each.exposition() for each in talking]
        ended.set_result(None)
        for each in talking:
            await each.aclose()
        server.close()
        await closed()
        return shown

    wanted = [sample(0, 0.0), sample(1, 1.0), up(0, 1.0), up(1, 1.0), up(2, 0.0), up(3, 0.0)]
    assert [values(shown) for shown in asyncio.run(go())] == [wanted] * 2


def test_what_breaks_off_is_no_answer(tmp_path: Path) -> None:
    async def go() -> bytes:
        async def breaks_off(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(peers._ENCODER.encode(counting(1))[:-1])
            writer.close()

        place = WorkerPlace(0, 2, tmp_path)
        async with await asyncio.start_unix_server(breaks_off, place.socket_of(1)):
            shown = await Peers(place, lambda: counting(0)).exposition()
        await closed()
        return shown

    assert values(asyncio.run(go())) == [sample(0, 0.0), up(0, 1.0), up(1, 0.0)]
