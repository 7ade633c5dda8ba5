"""The shadow: a second knowledge decides about the record of a call once that is answered, and differences are counted.

Nothing is read again, nothing is shown, and nothing of a call is kept after it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from datetime import date

from starlette.background import BackgroundTask

from cds_hooks.hooks.service import HookAnswer, HookService
from cds_hooks.protocol.aside import aside, is_large_record
from cds_hooks.protocol.requests import HookCall
from cds_hooks.protocol.turns import Turns
from cds_hooks.replay.rule_changes import RuleChange, rule_changes
from cds_hooks.telemetry.logs import fault_fields, log
from mappings.schema.service.services import ServiceDefinition

MOST_WAITING = 8
"""Calls that may wait for the shadow, each with its record; in a rush the others are skipped."""
SAME, DIFFERENT, SKIPPED, FAILED = "same", "different", "skipped", "failed"


@dataclass(frozen=True, slots=True)
class Shadow:
    """What decides in the shadow for one client."""

    queue: ShadowQueue
    client: str
    hooks: HookService
    """The line of a call with the other knowledge."""
    digest: str
    """The short digest of that knowledge."""

    def task(self, call: HookCall, service: ServiceDefinition, answer: HookAnswer, as_of: date) -> BackgroundTask:
        """What has to be done when the answer has been sent: the call is put into the queue."""
        return BackgroundTask(self.queue.put, _ShadowedCall(self, call, service, answer, as_of))


@dataclass(frozen=True, slots=True)
class _ShadowedCall:
    """One answered call that waits for the shadow."""

    shadow: Shadow
    call: HookCall
    service: ServiceDefinition
    answer: HookAnswer
    as_of: date
    context: Context = field(default_factory=copy_context)
    """In which a fault is logged, so that its line bears the correlation of the call."""

    async def changes(self) -> list[RuleChange]:
        """What the other knowledge says differently."""
        record = self.answer.decision.record if self.answer.decision else None
        return await aside(self._changes, large=record is not None and is_large_record(record))

    def _changes(self) -> list[RuleChange]:
        again = self.shadow.hooks.again(self.call, self.service, self.answer, self.as_of)
        return list(rule_changes(self.answer, again))

    def log_fault(self, fault: Exception) -> None:
        """Say that the shadow failed, and where; the text of an exception may quote the record."""
        fields = {"service": self.service.id, "tenant": self.shadow.client, "knowledge": self.shadow.digest}
        self.context.run(lambda: log.error("the shadow failed", **fields, **fault_fields(fault)))


class ShadowQueue:
    """The answered calls of one process that wait for the shadow, and what has been counted."""

    def __init__(self, turns: Turns) -> None:
        """A shadow begins only where nobody waits for one of the ``turns``."""
        self.calls: Counter[tuple[str, str]] = Counter()
        """Calls by client and outcome."""
        self.differences: Counter[tuple[str, RuleChange]] = Counter()
        """Differences by client."""
        self._turns = turns
        self._waiting: deque[_ShadowedCall] = deque()
        self._task: asyncio.Task[None] | None = None

    async def put(self, call: _ShadowedCall) -> None:
        """Have the shadow decide about an answered call when nobody waits for an answer."""
        if len(self._waiting) >= MOST_WAITING:
            self.calls[call.shadow.client, SKIPPED] += 1
            return
        self._waiting.append(call)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._decide(), context=Context())

    async def aclose(self) -> None:
        """Let go of all that wait."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _decide(self) -> None:
        while self._waiting:
            await self._turns.take_last()
            await self._compare(self._waiting.popleft())

    async def _compare(self, call: _ShadowedCall) -> None:
        client = call.shadow.client
        try:
            changes = await call.changes()
        except Exception as fault:  # noqa: BLE001 - whatever fails in the shadow fails no call
            self.calls[client, FAILED] += 1
            call.log_fault(fault)
            return
        self.calls[client, DIFFERENT if changes else SAME] += 1
        self.differences.update((client, change) for change in changes)
