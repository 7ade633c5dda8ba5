"""What one client was shown is nothing to another; what nobody was shown is counted, and not remembered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from cds_hooks.hooks.service import HookAnswer, HookService
from cds_hooks.memory.memory import Memory
from cds_hooks.memory.wire import FeedbackItem, ReasonCoding
from cds_hooks.protocol.requests import HookCall, read_call
from cds_hooks.protocol.responses import Card
from cds_hooks.settings.settings import Settings
from fhir_plugin.reading.client import FhirServers
from mappings.schema.service.services import ServiceDefinition
from tests.support.hooks.calls import DAY, PATIENT_VIEW, body, knowledge
from tests.support.memory.service import rows

T = TypeVar("T")
SERVICE: ServiceDefinition = next(each for each in knowledge().services.services if each.hook == "patient-view")
CALL: HookCall = read_call(json.dumps(body(PATIENT_VIEW, "two-failures")).encode(), "patient-view")


async def answer() -> HookAnswer:
    async with FhirServers() as clients:
        settings = Settings()
        return await HookService(knowledge(), settings, clients).answer(CALL, SERVICE, DAY, settings.readable)


def with_memory(file: Path, scenario: Callable[[Memory], Awaitable[T]]) -> T:
    async def run() -> T:
        memory = Memory(Settings(database=f"sqlite:///{file}"), knowledge())
        await memory.start()
        try:
            while memory.state == "starting":  # noqa: ASYNC110 - a state, not an event
                await asyncio.sleep(0)
            return await scenario(memory)
        finally:
            await memory.aclose()

    return asyncio.run(run())


def considered(card: Card) -> FeedbackItem:
    return FeedbackItem(card=card.uuid, outcome="overridden", outcome_at=0, reason=ReasonCoding("considered"))


def test_feedback_of_one_client_neither_reaches_nor_quiets_the_cards_of_another(tmp_path: Path) -> None:
    async def scenario(memory: Memory) -> tuple[list[str], list[str], int, int]:
        shown = memory.record_shown(CALL, SERVICE, await answer(), DAY, "north")
        foreign = await memory.keep([considered(card) for card in shown], SERVICE, "south")
        own = await memory.keep([considered(card) for card in shown], SERVICE, "north")
        again = memory.record_shown(CALL, SERVICE, await answer(), DAY, "north")
        other = memory.record_shown(CALL, SERVICE, await answer(), DAY, "south")
        return list(foreign), list(own), len(again), len(other) - len(shown)

    foreign, own, again, difference = with_memory(tmp_path / "memory.sqlite", scenario)
    assert set(foreign) == {"unknown"}
    assert set(own) == {"kept"}
    assert (again, difference) == (0, 0)


def test_what_was_not_shown_is_counted_and_not_remembered(tmp_path: Path) -> None:
    async def scenario(memory: Memory) -> list[str]:
        made = memory.record_shown(CALL, SERVICE, await answer(), DAY, "north", "silent")
        return list(await memory.keep([considered(card) for card in made], SERVICE, "north"))

    file = tmp_path / "memory.sqlite"
    assert set(with_memory(file, scenario)) == {"unknown"}
    assert rows(file, "SELECT count(*) FROM cards") == [(0,)]
    spoken = rows(file, "SELECT mode, count FROM firings WHERE rule = 'criteria:combination'")
    assert spoken == [("silent", 1)]
