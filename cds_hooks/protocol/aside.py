"""Work on a large record, done in a thread of its own, so that probes and other calls are answered meanwhile.

Python runs one thread at a time, so the thread makes nothing faster. But it hands over every few milliseconds, and the
event loop goes on. There is one such thread: large records wait for each other, and the loop waits for at most one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from cds_hooks.protocol.requests import HookCall, OrderSelect, OrderSign
from fhir_plugin.record.record import Record

T = TypeVar("T")

LARGE_BYTES = 300_000
"""Of a body; ordinary records of 150 resources have less. Up to here a call takes some 20 ms."""
LARGE_RESOURCES = 200
"""Of a record: small resources make much work of few bytes."""
LARGE_DRAFTS = 50
"""Of a call; an order set that is signed at once has some dozens."""

_THREAD = ThreadPoolExecutor(1, "large-record")


def is_large(body: bytes, call: HookCall) -> bool:
    """Whether the work on a call may hold up others, as far as it is known before its record."""
    drafts = call.context.draft_orders.entries if isinstance(call.context, OrderSelect | OrderSign) else ()
    return len(body) > LARGE_BYTES or len(drafts) > LARGE_DRAFTS


def is_large_record(record: Record) -> bool:
    """Whether a record, from wherever it came, may hold up others."""
    return sum(len(input_.resources) for input_ in record.inputs.values()) > LARGE_RESOURCES


async def aside(work: Callable[[], T], *, large: bool) -> T:
    """The result of ``work``, done in the thread for large records if it is ``large``, else at once."""
    if not large:
        return work()
    return await asyncio.get_running_loop().run_in_executor(_THREAD, copy_context().run, work)
