"""Who pays: the Coverages in force on a day, with the words by which a payer can be told."""

from __future__ import annotations

from datetime import date

import msgspec

from fhir_plugin.record import lenient
from fhir_plugin.record.dates import day_span
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Coverage, Organization
from mappings.schema.payers import INPUT

_IN_FORCE = ("active", None)


class ActiveCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """One Coverage in force. All words are text of the record."""

    reference: str
    payer: str
    """What the payer is called; empty where the Coverage only refers to it."""
    plan: str
    """Type, classes and their names."""
    member: str
    """The number of the member; empty where it is not given."""
    identifiers: frozenset[str]
    """``system|value`` of the payer."""


class ActiveCoverages(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, and what stood in the way."""

    covers: tuple[ActiveCoverage, ...]
    missing: tuple[str, ...]


def read_coverages(record: Record, as_of: date) -> ActiveCoverages:
    """The Coverages that are active and within their period; one without a status or an end counts."""
    covers = [_active_coverage(each) for each in record.all(INPUT, Coverage) if _in_force(each, as_of)]
    return ActiveCoverages(
        covers=tuple(sorted(covers, key=lambda cover: cover.reference)), missing=record.gaps((INPUT,))
    )


def _in_force(coverage: Coverage, as_of: date) -> bool:
    if coverage.status not in _IN_FORCE:
        return False
    period = coverage.period
    start, end = (day_span(period.start), day_span(period.end)) if period else (None, None)
    return not (start and start.first > as_of) and not (end and end.last < as_of)


def _active_coverage(coverage: Coverage) -> ActiveCoverage:
    organizations = tuple(lenient.each(coverage.contained, Organization))
    named = {f"#{each.id}": each for each in organizations}
    payers = [found for each in coverage.payor if (found := named.get(each.reference or ""))]
    names = [each.display for each in coverage.payor] + [word for each in payers for word in (each.name, *each.alias)]
    identifiers = [each.identifier for each in coverage.payor] + [one for each in payers for one in each.identifier]
    classes = [word for each in coverage.classes for word in (each.name, each.value)]
    kinds = [coverage.type.text, *(code.display for code in coverage.type.coding)] if coverage.type else []
    return ActiveCoverage(
        reference=coverage.reference,
        payer=_joined(names),
        plan=_joined([*kinds, *classes]),
        member=coverage.subscriber_id or "",
        identifiers=frozenset(f"{each.system or ''}|{each.value}" for each in identifiers if each and each.value),
    )


def _joined(words: list[str | None]) -> str:
    return ", ".join(dict.fromkeys(word for word in words if word))
