"""What a check of an order concludes."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import Raw


class CheckVerdict(StrEnum):
    """Whether an order is as the knowledge has it."""

    OK = "ok"
    DEVIATES = "deviates"
    UNKNOWN = "unknown"


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """The client's own resource with one number changed."""

    value: str
    before: str
    unit: str
    because: str
    resource: Raw


class OrderCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One check of one draft."""

    check: str
    title: str
    verdict: CheckVerdict
    drafted: str = ""
    """What the order states, in numbers and our own units."""
    expected: str = ""
    why: str = ""
    """Why it cannot be judged, or what was found; no text of the record."""
    sources: tuple[str, ...] = ()
    local: bool = False
    """Whether a number of the site's own was compared with."""
    gross: bool = False
    """Whether the value lies so far out that the card warns."""
    correction: Correction | None = None


class CheckedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """All checks of one draft for one treatment."""

    reference: str
    treatment: str
    checks: tuple[OrderCheck, ...]
    removable: bool = False
    """Whether the order is contraindicated and the client can be told which to delete."""
    controlled: bool = False
