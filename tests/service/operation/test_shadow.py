"""A second knowledge decides in the shadow of the first: after the answer, in nobody's way, and only counted."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.types import Message

from cds_hooks.application.app import create_app
from cds_hooks.hooks.service import HookService
from cds_hooks.protocol import aside
from cds_hooks.replay import shadow
from cds_hooks.settings.settings import Settings
from fhir_plugin.record.record import Record
from mappings.schema.load import load_knowledge
from tests.support.hooks.calls import (
    DAY,
    KETAMINE,
    ORDER_SELECT,
    ORDER_SIGN,
    PATIENT_VIEW,
    TMS,
    body,
    knowledge,
    order,
    patient_id,
)
from tests.support.trust.signing import client, recorded
from tests.support.trust.sites import HEAD, HOLD, PATIENT, by, stricter

ROUNDS = 200
"""Rounds of the event loop within which whatever does not wait for an event has happened."""
SETTINGS: dict[str, Any] = {"database": SecretStr("off"), "log_format": "json"}


class Service:
    """The application as a server calls it, on one event loop."""

    def __init__(self, **settings: Any) -> None:
        self.app = create_app(Settings(**SETTINGS, **settings), knowledge(), today=lambda: DAY)
        self.sent = asyncio.Event()

    async def asked(self, method: str, path: str, content: bytes = b"", head: dict[str, str] | None = None) -> bytes:
        """The body of the answer, as soon as it has been sent."""
        headers = [(b"host", b"127.0.0.1")] + [
            (key.lower().encode(), value.encode()) for key, value in (head or {}).items()
        ]
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
            "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 80), "headers": headers,
        }  # fmt: skip
        pieces: list[Message] = [{"type": "http.request", "body": content}]
        answer = asyncio.get_running_loop().create_future()

        async def receive() -> Message:
            if pieces:
                return pieces.pop()
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                assert message["status"] == 200
            elif not message.get("more_body"):
                answer.set_result(message["body"])

        task = asyncio.create_task(self.app(scope, receive, send))
        content = await answer
        await task
        return content

    async def call(self, url: str = PATIENT_VIEW, *drafts: dict[str, Any], name: str = "") -> list[Any]:
        """The cards of one call."""
        content = json.dumps(body(url, PATIENT, *drafts)).encode()
        cards: list[Any] = json.loads(await self.asked("POST", url, content, by(name, url) if name else None))["cards"]
        return cards

    async def counted(self) -> dict[str, float]:
        """What the metrics count about the shadow, once nothing waits any more."""
        for _ in range(ROUNDS):
            await asyncio.sleep(0)
        text = (await self.asked("GET", "/metrics")).decode()
        lines = (line.rpartition(" ") for line in text.splitlines() if line.startswith("tandem_shadow_"))
        return {
            name.removeprefix("tandem_shadow_"): float(number) for name, _, number in lines if "_created" not in name
        }


def difference(rule: str, before: str, after: str, name: str = "") -> str:
    return f'differences_total{{client="{name}",from="{before}",rule="{rule}",to="{after}"}}'


def calls(outcome: str, name: str = "") -> str:
    return f'calls_total{{client="{name}",outcome="{outcome}"}}'


def records() -> list[Record]:
    """The records of the patient that somebody holds."""
    patient = patient_id(PATIENT)
    return [each for each in gc.get_objects() if isinstance(each, Record) and each.patient_id == patient]


def run(work: Callable[[], Any]) -> Any:
    return asyncio.run(work())


def test_the_shadow_of_a_stricter_site_is_counted_by_rule_and_changes_no_card(tmp_path: Path) -> None:
    drafts = [order(KETAMINE, PATIENT)]

    async def go() -> None:
        plain, shadowed = Service(), Service(shadow_site=stricter(tmp_path))
        expected = [card["summary"] for card in await plain.call(ORDER_SIGN, *drafts)]
        assert [card["summary"] for card in await shadowed.call(ORDER_SIGN, *drafts)] == expected
        found = await shadowed.counted()
        assert found[difference(HOLD, "not_met", "met")] == 1
        assert found[difference("standing:ketamine", "open", "hold")] == 1
        assert not any("esketamine" in name for name in found), "only what the call concerned"
        assert any('rule="criteria:ketamine"' in name for name in found)
        assert found[calls("different")] == 1
        assert await plain.counted() == {}

    run(go)


def test_a_knowledge_that_says_the_same_is_counted_as_the_same(tmp_path: Path) -> None:
    site = tmp_path / "same.yaml"
    site.write_text(HEAD)

    async def go() -> None:
        service = Service(shadow_site=site)
        foreign = order(KETAMINE, "trauma", id="draft-2")
        for url, drafts in (
            (PATIENT_VIEW, []),
            (ORDER_SIGN, [order(TMS, PATIENT)]),
            (ORDER_SIGN, [order(KETAMINE, PATIENT), foreign]),
            (ORDER_SELECT, [order(KETAMINE, PATIENT), order(TMS, PATIENT, id="draft-3")]),
            (ORDER_SIGN, []),
        ):
            await service.call(url, *drafts)
        assert await service.counted() == {calls("same"): 5}

    run(go)


def test_a_card_that_is_shown_by_one_only_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = HookService.again

    def without_cards(self: HookService, *given: Any) -> Any:
        answer = again(self, *given)
        object.__setattr__(answer, "cards", ())
        return answer

    monkeypatch.setattr(HookService, "again", without_cards)

    async def go() -> None:
        service = Service(shadow_site=stricter(tmp_path))
        (card,) = await service.call(ORDER_SIGN, order(KETAMINE, PATIENT))
        found = await service.counted()
        assert found[difference("criteria:ketamine", card["indicator"], "not_shown")] == 1

    run(go)


def test_each_client_has_its_own_shadow(tmp_path: Path) -> None:
    clients = (
        client("north", "ec-1", site=stricter(tmp_path)),
        client("south", "ec-1", shadow_site=stricter(tmp_path)),
        client("east", "ec-1", mode="silent"),
        client("west", "ec-1", mode="off"),
    )

    async def go() -> None:
        service = Service(clients=clients, replay_store=recorded(), shadow_site=stricter(tmp_path, 100))
        for name in ("north", "south", "east"):
            await service.call(name=name)
        found = await service.counted()
        assert {name for name in found if name.startswith("calls")} == {
            calls("different", each) for each in ("south", "east")
        }
        assert (
            found[difference(HOLD, "not_met", "met", "south")] == found[difference(HOLD, "not_met", "met", "east")] == 1
        )

    run(go)


def test_the_answer_is_sent_before_the_shadow_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order_of_events = list[str]()
    again = HookService.again

    def noted(self: HookService, *given: Any) -> Any:
        order_of_events.append("shadow")
        return again(self, *given)

    monkeypatch.setattr(HookService, "again", noted)

    async def go() -> None:
        service = Service(shadow_site=stricter(tmp_path))
        await service.call()
        order_of_events.append("answered, and the call has ended")
        assert (await service.counted())[calls("different")] == 1

    run(go)
    assert order_of_events == ["answered, and the call has ended", "shadow"]


def test_a_shadow_that_does_not_end_delays_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large record is worked on in a thread of its own; this one waits there for an event."""
    go_on = threading.Event()
    again = HookService.again

    def waiting(self: HookService, *given: Any) -> Any:
        assert go_on.wait(60)
        return again(self, *given)

    monkeypatch.setattr(HookService, "again", waiting)
    monkeypatch.setattr(shadow, "is_large_record", lambda _: True)

    async def go() -> None:
        service = Service(shadow_site=stricter(tmp_path))
        assert await service.call()
        assert await service.call(), "nor the next one"
        assert await service.counted() == {}
        go_on.set()
        aside._THREAD.submit(lambda: None).result()
        while calls("different") not in await service.counted():
            pass

    run(go)


def test_a_shadow_waits_for_its_turn_while_calls_wait_for_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = list[str]()
    again, answered = HookService.again, HookService._answered

    def noted(self: HookService, *given: Any) -> Any:
        done.append("shadow")
        return again(self, *given)

    def noting(self: HookService, *given: Any) -> Any:
        done.append("call")
        return answered(self, *given)

    monkeypatch.setattr(HookService, "again", noted)
    monkeypatch.setattr(HookService, "_answered", noting)

    async def go() -> None:
        service = Service(shadow_site=stricter(tmp_path))
        await asyncio.gather(*(service.call() for _ in range(4)))
        assert (await service.counted())[calls("different")] == 4

    run(go)
    assert done[:4] == ["call"] * 4


def test_in_a_rush_shadows_are_skipped_and_counted(tmp_path: Path) -> None:
    async def go() -> None:
        service = Service(shadow_site=stricter(tmp_path))
        number = shadow.MOST_WAITING + 3
        await asyncio.gather(*(service.call() for _ in range(number)))
        found = await service.counted()
        assert found[calls("different")] == shadow.MOST_WAITING
        assert found[calls("skipped")] == 3

    run(go)


def test_a_shadow_that_fails_touches_no_answer_and_says_nothing_of_the_patient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(*_: Any) -> Any:
        raise LookupError("Jane Roe")

    monkeypatch.setattr(HookService, "again", failing)
    site = stricter(tmp_path)

    async def go() -> None:
        service = Service(shadow_site=site)
        assert await service.call()
        assert await service.counted() == {calls("failed"): 1}
        assert await service.call(), "the next one is decided all the same"
        assert await service.counted() == {calls("failed"): 2}

    run(go)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    said, answered = (
        next(line for line in lines if line["event"] == event) for event in ("the shadow failed", "request")
    )
    assert (said["level"], said["fault"]) == ("error", "LookupError")
    assert (said["service"], said["knowledge"]) == (
        "combination-therapy-patient-view",
        load_knowledge(site=site).digest[:12],
    )
    assert said["correlation"] == answered["correlation"]
    assert "Roe" not in json.dumps(lines)


def test_the_record_is_let_go_of_afterwards(tmp_path: Path) -> None:
    async def go() -> None:
        service = Service(shadow_site=stricter(tmp_path))
        await service.call()
        assert records(), "it waits with its call"
        await service.counted()
        gc.collect()
        assert not records()

    run(go)


def test_a_stop_ends_the_shadows(tmp_path: Path) -> None:
    async def go() -> None:
        service = Service(shadow_site=stricter(tmp_path))
        async with service.app.router.lifespan_context(service.app):
            await service.call()
            assert records(), "it waits for the shadow"
        assert await service.counted() == {}
        gc.collect()
        assert not records()

    run(go)
