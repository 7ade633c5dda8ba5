"""Results of the checks of an order."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import Raw

from mappings.schema.order_checks.model import CheckDefinition


class CheckVerdict(StrEnum):
    """Whether an order agrees with the knowledge."""

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
    """The values that the order states, in the units of the knowledge."""
    expected: str = ""
    why: str = ""
    """Why there is no judgement, or what was found; no text of the record."""
    sources: tuple[str, ...] = ()
    local: bool = False
    """Whether it was compared with a number of the site's own."""
    gross: bool = False
    """Whether the value is so far outside the range, or the order says such a thing, that the card warns."""
    critical: bool = False
    """Whether the value is so far out that the card is critical and its summary names this value alone."""
    headline: str = ""
    """What the order says, in a few words, where that makes it gross."""
    remark: bool = False
    """Whether ``why`` is worth a line of its own although nothing deviates."""
    correction: Correction | None = None


def result_of(
    check: CheckDefinition,
    verdict: CheckVerdict,
    why: str = "",
    *,
    remark: bool = False,
    gross: bool = False,
    headline: str = "",
) -> OrderCheck:
    """The result of a check that compares no value, with the title and the sources of the check."""
    return OrderCheck(
        check=check.id,
        title=check.title,
        verdict=verdict,
        why=why,
        sources=check.sources,
        gross=gross,
        headline=headline,
        remark=remark,
    )


class CheckedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """All checks of one draft for one treatment."""

    reference: str
    treatment: str
    checks: tuple[OrderCheck, ...]
    removable: bool = False
    """Whether the order is contraindicated and has an id by which the client can delete it."""
    contraindicated: bool = False
    controlled: bool = False
