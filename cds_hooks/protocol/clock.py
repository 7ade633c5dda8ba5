"""The one place where a clock is read for what is said of a record, or kept."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime


def today(now: datetime | None = None) -> date:
    """The calendar day here or in UTC, whichever is later; ``now`` is the present moment unless it is given.

    Records write instants in UTC. West of Greenwich, what was measured this evening would otherwise lie in the future,
    and would be passed over.
    """
    moment = now or datetime.now(UTC)
    return max(moment.astimezone().date(), moment.astimezone(UTC).date())


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def seconds() -> float:
    """A count of seconds that only ever grows, to measure with; the best resolution there is."""
    return time.perf_counter()


def milliseconds() -> int:
    """Milliseconds since 1970 in UTC."""
    return time.time_ns() // 1_000_000
