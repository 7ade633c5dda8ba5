"""A client that makes more calls than it may is turned away; its neighbours and its unused tokens are not."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from cds_hooks.application import hook_routes
from cds_hooks.clients.shares import Share, ShareExceeded
from cds_hooks.settings.clients import Client
from cds_hooks.telemetry import logs
from tests.support.hooks.calls import ORDER_SIGN, body
from tests.support.trust.signing import bearer, claims, client, header, service, signed

PATIENT = "nearly-empty"


def share(**limits: float) -> Share:
    return Share(client("busy", "ec-1", **limits))


def began(taken: Share, moments: list[float]) -> list[bool]:
    """Whether a call may begin at each moment."""

    def begins(moment: float) -> bool:
        try:
            taken.take(moment)
        except ShareExceeded:
            return False
        return True

    return [begins(moment) for moment in moments]


def test_without_limits_every_call_begins() -> None:
    assert all(began(share(), [0.0] * 1_000))


def test_calls_at_a_time_are_bounded_and_one_that_ends_makes_room() -> None:
    taken = share(calls_in_flight=2)
    assert began(taken, [0, 0, 0]) == [True, True, False]
    taken.give_back()
    assert began(taken, [0, 0]) == [True, False]
    assert taken.refused == {"in_flight": 2}


@pytest.mark.parametrize(
    ("rate", "moments", "begin"),
    [
        (2, [0, 0, 0, 0.4, 0.5, 0.6], [True, True, False, False, True, False]),
        (2, [0, 0, 60, 60, 60], [True, True, True, True, False]),
        (0.5, [0, 1, 2, 3, 4], [True, False, True, False, True]),
    ],
    ids=["a burst of a second, then the rate", "no more is saved up than a second", "less than one a second"],
)
def test_calls_a_second_are_bounded(rate: float, moments: list[float], begin: list[bool]) -> None:
    assert began(share(calls_per_second=rate), moments) == begin


def test_it_is_said_when_another_call_may_begin() -> None:
    taken = share(calls_per_second=0.25)
    taken.take(10)
    with pytest.raises(ShareExceeded) as refused:
        taken.take(11)
    assert (refused.value.client, refused.value.excess, refused.value.seconds) == ("busy", "rate", 3)


BUSY = client("busy", "ec-1", calls_in_flight=1)
CALM = client("calm", "ec-1")


def token(of: Client) -> str:
    return signed(header(), claims(iss=of.issuer))


def post(guarded: TestClient, used: str) -> tuple[int, str | None]:
    answer = guarded.post(ORDER_SIGN, content=json.dumps(body(ORDER_SIGN, PATIENT)), headers=bearer(used))
    return answer.status_code, answer.headers.get("retry-after")


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """A call is in progress once the first event is set, and ends with the second."""
    inside, may_end = threading.Event(), threading.Event()
    answer = hook_routes.HookRoutes.call

    async def slow(self: hook_routes.HookRoutes, request: object) -> object:
        if not inside.is_set():
            inside.set()
            await asyncio.to_thread(may_end.wait, 60)
        return await answer(self, request)  # type: ignore[arg-type]

    monkeypatch.setattr(hook_routes.HookRoutes, "call", slow)
    yield inside, may_end
    may_end.set()


def test_the_neighbour_and_the_token_of_a_refused_call_are_let_in(
    held: tuple[threading.Event, threading.Event], capsys: pytest.CaptureFixture[str]
) -> None:
    inside, may_end = held
    with TestClient(service(BUSY, CALM, database="off").app) as guarded, ThreadPoolExecutor(1) as pool:
        logs.configure("info", "json")
        first = pool.submit(post, guarded, token(BUSY))
        assert inside.wait(60)
        refused = token(BUSY)
        assert post(guarded, refused) == (429, "1")
        assert post(guarded, token(CALM)) == (200, None)
        shown = guarded.get("/metrics").text
        assert 'tandem_client_calls_refused_total{client="busy",excess="in_flight"} 1.0' in shown
        may_end.set()
        assert first.result(60) == (200, None)
        assert post(guarded, refused) == (200, None), "it was not used by the call that was refused"
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["reason"], line["tenant"]) for line in lines if line.get("status") == 429] == [
        ("client.in_flight", "busy")
    ]


def test_a_call_that_is_refused_for_another_reason_takes_no_place() -> None:
    with TestClient(service(BUSY, database="off").app) as guarded:
        used = token(BUSY)
        assert [post(guarded, used)[0] for _ in range(5)] == [200, *[401] * 4]
        assert post(guarded, token(BUSY))[0] == 200


def test_nobody_without_its_key_uses_up_what_a_client_may_take() -> None:
    with TestClient(service(client("busy", "ec-1", calls_per_second=0.001), database="off").app) as guarded:
        forged = [signed(header(), claims(iss=BUSY.issuer), "stranger") for _ in range(5)]
        assert {post(guarded, each)[0] for each in forged} == {401}
        assert post(guarded, token(BUSY)) == (200, None)
        assert post(guarded, token(BUSY)) == (429, "1000")


def test_copies_of_a_used_token_use_up_nothing_of_what_its_client_may_take() -> None:
    with TestClient(service(client("busy", "ec-1", calls_per_second=2), database="off").app) as guarded:
        used = token(BUSY)
        assert [post(guarded, used)[0] for _ in range(20)] == [200, *[401] * 19]
        assert post(guarded, token(BUSY))[0] == 200
