"""More calls than can be answered: some are turned away at once, the others are answered as on any day."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.requests import ClientDisconnect
from starlette.types import Message

from cds_hooks.application import hook_routes
from cds_hooks.application.app import create_app
from cds_hooks.operation.load import Load, LoadMiddleware
from cds_hooks.operation.refusals import RefusalPages
from cds_hooks.protocol.errors import BadRequest, Overloaded
from cds_hooks.protocol.turns import Turns
from cds_hooks.settings.settings import Settings
from cds_hooks.telemetry import logs
from cds_hooks.web.own_call import post
from cds_hooks.web.pages import Pages
from tests.support.hooks.calls import DAY, ORDER_SIGN, PATIENT_VIEW, body, knowledge

# Turns


class Clock:
    """A clock that stands until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def never() -> asyncio.Future[Message]:
    """A client that stays."""
    return asyncio.get_running_loop().create_future()


async def entered(turns: Turns, number: int) -> list[asyncio.Task[None]]:
    """That many calls, each of which waits in the queue or has been turned away."""
    tasks = [asyncio.create_task(turns.take(never())) for _ in range(number)]
    await asyncio.sleep(0)
    return tasks


LEFT: Message = {"type": "http.disconnect"}


def turned_away(results: list[BaseException | None]) -> list[bool]:
    return [isinstance(result, Overloaded) for result in results]


def test_one_call_works_at_a_time_and_others_are_heard_in_between() -> None:
    async def go() -> list[str]:
        turns, seen = Turns(20), list[str]()

        async def call(name: str) -> None:
            await turns.take(never())
            seen.append(name)

        async def probe() -> None:
            while not seen or seen[-1] != "c":
                seen.append("-")
                await asyncio.sleep(0)

        await asyncio.gather(*(call(name) for name in "abc"), probe())
        return seen

    rounds = "".join(asyncio.run(go()))
    assert rounds.replace("-", "") == "abc", "first come, first served"
    assert all(len(between) >= 5 for between in rounds.strip("-").replace("b", "a").replace("c", "a").split("a")[1:-1])


def test_a_handful_at_once_is_let_in_and_one_more_begins_a_rush() -> None:
    async def go() -> None:
        clock = Clock()
        turns = Turns(5, clock)
        assert turned_away(await asyncio.gather(*await entered(turns, 5), return_exceptions=True)) == [False] * 5
        tasks = await entered(turns, 6)
        assert turns.waiting == 2
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert turned_away(results) == [False, False, True, True, True, True], "who has waited longest stays"
        tasks = await entered(turns, 3)
        assert turned_away(await asyncio.gather(*tasks, return_exceptions=True)) == [False, False, True], "it goes on"
        clock.now += 1
        tasks = await entered(turns, 5)
        assert turned_away(await asyncio.gather(*tasks, return_exceptions=True)) == [False] * 5, "it is over"

    asyncio.run(go())


def test_who_has_begun_is_not_turned_away() -> None:
    async def go() -> None:
        turns = Turns(2)
        begun = [asyncio.create_task(turns.take(never(), begun=True)) for _ in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await turns.take(never())
        assert await asyncio.gather(*begun) == [None] * 4

    asyncio.run(go())


def test_who_leaves_makes_room() -> None:
    async def go() -> None:
        turns, left = Turns(3), never()
        tasks = [asyncio.create_task(turns.take(each)) for each in (never(), left, never())]
        await asyncio.sleep(0)
        left.set_result(LEFT)
        for _round in range(3):
            await asyncio.sleep(0)
        assert turns.waiting == 1, "the first works, the second has left"
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results.pop(1), ClientDisconnect)
        assert results == [None, None]

    asyncio.run(go())


def test_a_call_that_is_given_up_leaves_the_queue() -> None:
    async def go() -> None:
        turns = Turns(5)
        tasks = await entered(turns, 2)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert turns.waiting == 0

    asyncio.run(go())


# The middleware, as a server calls it

SETTINGS: dict[str, Any] = {"database": SecretStr("off"), "log_format": "json"}


class Caller:
    """One request over ASGI: what is sent, and what came back."""

    def __init__(self, method: str, path: str, *messages: Message) -> None:
        self.scope: dict[str, Any] = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
            "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 80), "headers": [(b"host", b"127.0.0.1")],
        }  # fmt: skip
        self.messages = list(messages)
        self.asked = 0
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        self.asked += 1
        if self.messages:
            return self.messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def by(self, app: Any) -> Caller:
        await app(self.scope, self.receive, self.send)
        return self

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])


def piece(content: bytes = b"{}", *, more: bool = False) -> Message:
    return {"type": "http.request", "body": content, "more_body": more}


RECORD = json.dumps(body(PATIENT_VIEW, "two-failures")).encode()


def test_more_calls_than_are_let_in_are_told_to_come_back_before_their_bodies_are_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = create_app(Settings(calls_in_flight=2, **SETTINGS), knowledge(), today=lambda: DAY)

    async def go() -> None:
        slow = [Caller("POST", PATIENT_VIEW, piece(RECORD[:10], more=True)) for _ in range(2)]
        tasks = [asyncio.create_task(each.by(app)) for each in slow]
        await asyncio.sleep(0)
        metrics = await Caller("GET", "/metrics", piece(b"")).by(app)
        assert b"tandem_calls_in_flight 2.0" in metrics.sent[1]["body"]
        for method, path in (("POST", PATIENT_VIEW), ("GET", "/cds-services"), ("POST", "/nowhere")):
            refused = await Caller(method, path, piece()).by(app)
            assert (refused.status, refused.headers[b"retry-after"], refused.asked) == (503, b"1", 0)
            assert json.loads(refused.sent[1]["body"])["issue"][0]["code"] == "throttled"
        browser = Caller("GET", "/about", piece())
        browser.scope["headers"] += [(b"accept", b"text/html,*/*;q=0.8")]
        page = await browser.by(app)
        assert (page.status, page.headers[b"retry-after"], page.asked) == (503, b"1", 0)
        assert b"<h1>Too busy at the moment</h1>" in page.sent[1]["body"]
        for probe in ("/healthz", "/readyz", "/metrics"):
            assert (await Caller("GET", probe, piece(b"")).by(app)).status == 200
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (await Caller("POST", PATIENT_VIEW, piece(RECORD)).by(app)).status == 200
        metrics = await Caller("GET", "/metrics", piece(b"")).by(app)
        assert b'tandem_calls_unserved_total{reason="in_flight"} 4.0' in metrics.sent[1]["body"]

    asyncio.run(go())
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    shed = [(line["level"], line["reason"]) for line in said if line.get("status") == 503]
    assert shed == [("warning", "load.in_flight")] * 4


def test_a_slow_body_gives_way_to_a_call_that_can_be_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many slow bodies as calls are let in do not keep the others out until they end."""
    app = create_app(Settings(calls_in_flight=3, body_seconds=60, **SETTINGS), knowledge(), today=lambda: DAY)

    async def go() -> None:
        slow = [Caller("POST", PATIENT_VIEW, piece(RECORD[:10], more=True)) for _ in range(3)]
        tasks = [asyncio.create_task(each.by(app)) for each in slow]
        await asyncio.sleep(0)
        assert (await Caller("POST", PATIENT_VIEW, piece(RECORD)).by(app)).status == 503, "they may still arrive"
        loop = asyncio.get_running_loop()
        later = loop.time() + 2
        monkeypatch.setattr(loop, "time", lambda: later)
        assert (await Caller("POST", PATIENT_VIEW, piece(RECORD)).by(app)).status == 200
        await tasks[0]
        assert (slow[0].status, slow[0].headers[b"connection"]) == (408, b"close"), "the slowest"
        assert not tasks[1].done()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        metrics = await Caller("GET", "/metrics", piece(b"")).by(app)
        assert b"tandem_calls_in_flight 0.0" in metrics.sent[1]["body"]

    asyncio.run(go())


def test_of_many_at_once_as_many_are_answered_as_may_wait(capsys: pytest.CaptureFixture[str]) -> None:
    app = create_app(Settings(calls_waiting=4, **SETTINGS), knowledge(), today=lambda: DAY)

    async def go() -> list[int]:
        callers = [Caller("POST", PATIENT_VIEW, piece(RECORD)) for _ in range(12)]
        await asyncio.gather(*(each.by(app) for each in callers))
        assert (await Caller("POST", PATIENT_VIEW, piece(RECORD)).by(app)).status == 200
        return [each.status for each in callers]

    statuses = asyncio.run(go())
    assert set(statuses) == {200, 503}
    assert 2 <= statuses.count(200) <= 4
    assert "load.waiting" in capsys.readouterr().err


@pytest.mark.parametrize("messages", [(piece(RECORD), LEFT), (piece(RECORD[:9], more=True), LEFT), (LEFT,)], ids=len)
def test_who_has_left_is_not_served(
    messages: tuple[Message, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served: list[object] = []
    monkeypatch.setattr(hook_routes, "read_call", lambda *given: served.append(given))
    app = create_app(Settings(**SETTINGS), knowledge(), today=lambda: DAY)
    asyncio.run(Caller("POST", ORDER_SIGN, *messages).by(app))
    assert served == []
    (line,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (line["level"], line["status"], line["reason"]) == ("warning", 499, "load.left")


def test_a_page_is_not_made_for_who_has_left() -> None:
    made: list[str] = []

    async def page(scope: Any, receive: Any, send: Any) -> None:
        made.append(scope["path"])

    limited = LoadMiddleware(page, Load(Settings(**SETTINGS)), RefusalPages(Pages()))

    async def go() -> None:
        await Caller("GET", "/about", piece(b""), LEFT).by(limited)
        await Caller("GET", "/about", LEFT).by(limited)
        assert made == []
        await Caller("GET", "/about", piece(b"")).by(limited)
        assert made == ["/about"]

    logs.configure("info", "json")
    asyncio.run(go())


@pytest.mark.parametrize("queries", [("one",), ()], ids=len)
def test_who_leaves_while_a_server_is_read_is_not_decided_for(
    queries: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[asyncio.Event] = []
    decided: list[object] = []

    async def read(_: object) -> Any:
        gone[0].set()
        for _round in range(3):
            await asyncio.sleep(0)
        return SimpleNamespace(queries=queries, inputs={})

    def decide(*given: object, **_: object) -> Any:
        decided.append(given)
        raise BadRequest("", "enough")

    monkeypatch.setattr("cds_hooks.hooks.service._read", read)
    monkeypatch.setattr("cds_hooks.hooks.service.decide", decide)
    app = create_app(Settings(**SETTINGS), knowledge(), today=lambda: DAY)

    async def go() -> int:
        gone.append(asyncio.Event())
        caller = Caller("POST", PATIENT_VIEW, piece(RECORD))

        async def receive() -> Message:
            if not caller.messages:
                await gone[0].wait()
                return LEFT
            return caller.messages.pop(0)

        await app(caller.scope, receive, caller.send)
        return caller.status

    assert asyncio.run(go()) == (499 if queries else 400)
    assert len(decided) == (0 if queries else 1), "without queries nothing was waited for"


@pytest.mark.parametrize(
    ("method", "path"), [("POST", ORDER_SIGN), ("POST", "/smart/v/x/leave"), ("GET", "/cds-services")]
)
def test_a_body_that_does_not_come_is_not_waited_for(method: str, path: str) -> None:
    app = create_app(Settings(body_seconds=0.05, **SETTINGS), knowledge(), today=lambda: DAY)
    messages = [piece(b"{", more=True)] if method == "POST" else []
    caller = Caller(method, path, *messages)
    asyncio.run(asyncio.wait_for(caller.by(app), 30))
    if path == "/smart/v/x/leave":
        assert caller.status == 404, "nothing reads it there"
    else:
        assert (caller.status, caller.headers[b"connection"]) == (408, b"close")
        assert json.loads(caller.sent[1]["body"])["issue"][0]["code"] == "timeout"


def test_a_call_of_the_sandbox_is_a_part_of_the_one_that_was_let_in() -> None:
    app = create_app(Settings(calls_in_flight=1, calls_waiting=1, **SETTINGS), knowledge(), today=lambda: DAY)

    async def go() -> None:
        outer = Caller("POST", PATIENT_VIEW, piece(RECORD[:10], more=True))
        task = asyncio.create_task(outer.by(app))
        await asyncio.sleep(0)
        assert (await post(app, outer.scope, PATIENT_VIEW, RECORD)).status == 200
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(go())
