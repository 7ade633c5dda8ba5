"""The only place where a clock is read for a decision or for stored data."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime


def today(now: datetime | None = None) -> date:
    """The calendar day in local time or in UTC, whichever is later; ``now`` defaults to the present moment.

    Records write instants in UTC. West of Greenwich, a measurement of this evening would otherwise lie in the future
    and would be ignored.
    """
    moment = now or datetime.now(UTC)
    return max(moment.astimezone().date(), moment.astimezone(UTC).date())


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def seconds() -> float:
    """Monotonic seconds for measuring durations, at the best available resolution."""
    return time.perf_counter()


def nanoseconds() -> int:
    """Nanoseconds since 1970 in UTC."""
    return time.time_ns()


def milliseconds() -> int:
    """Milliseconds since 1970 in UTC."""
    return time.time_ns() // 1_000_000
