"""Who pays: the Coverages in force on a day, with the text that identifies the payer."""

from __future__ import annotations

from datetime import date

import msgspec

from fhir_plugin.record import lenient
from fhir_plugin.record.dates import day_span
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Coverage, Organization
from mappings.schema.payers import COVERAGE_INPUT

_IN_FORCE = ("active", None)


class ActiveCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """One Coverage in force. All strings are text of the record."""

    reference: str
    payer: str
    """Name of the payer; empty where the Coverage only refers to it."""
    plan: str
    """Type and classes of the plan, with their names."""
    member: str
    """Member number; empty where it is not given."""
    identifiers: frozenset[str]
    """``system|value`` of the payer."""


class ActiveCoverages(msgspec.Struct, frozen=True, kw_only=True):
    """All Coverages in force, and what could not be read."""

    covers: tuple[ActiveCoverage, ...]
    missing: tuple[str, ...]


def read_coverages(record: Record, as_of: date) -> ActiveCoverages:
    """The Coverages that are active and within their period; a missing status or end does not exclude one."""
    active = [_active_coverage(entry) for entry in record.all(COVERAGE_INPUT, Coverage) if _in_force(entry, as_of)]
    return ActiveCoverages(
        covers=tuple(sorted(active, key=lambda coverage: coverage.reference)), missing=record.gaps((COVERAGE_INPUT,))
    )


def _in_force(coverage: Coverage, as_of: date) -> bool:
    if coverage.status not in _IN_FORCE:
        return False
    period = coverage.period
    start, end = (day_span(period.start), day_span(period.end)) if period else (None, None)
    return not (start and start.first > as_of) and not (end and end.last < as_of)


def _active_coverage(coverage: Coverage) -> ActiveCoverage:
    payers = _contained_payers(coverage)
    names = [link.display for link in coverage.payor] + [
        name for payer in payers for name in (payer.name, *payer.alias)
    ]
    identifiers = [link.identifier for link in coverage.payor] + [
        entry for payer in payers for entry in payer.identifier
    ]
    return ActiveCoverage(
        reference=coverage.reference,
        payer=_joined(names),
        plan=_joined(_plan_words(coverage)),
        member=coverage.subscriber_id or "",
        identifiers=frozenset(f"{entry.system or ''}|{entry.value}" for entry in identifiers if entry and entry.value),
    )


def _contained_payers(coverage: Coverage) -> list[Organization]:
    """The payers that the Coverage itself contains."""
    contained = {f"#{payer.id}": payer for payer in lenient.decode_all(coverage.contained, Organization)}
    return [payer for link in coverage.payor if (payer := contained.get(link.reference or ""))]


def _plan_words(coverage: Coverage) -> list[str | None]:
    """The words that describe the plan."""
    kinds = [coverage.type.text, *(code.display for code in coverage.type.coding)] if coverage.type else []
    return [*kinds, *(word for plan_class in coverage.classes for word in (plan_class.name, plan_class.value))]


def _joined(words: list[str | None]) -> str:
    return ", ".join(dict.fromkeys(word for word in words if word))
