"""The shapes of a fact: what the record says about one named thing, and what it rests on.

A fact is one of a few values. Criteria compare values; they never see a FHIR resource. ``missing`` says in words
what stood in the way of a full answer. A fact with nothing missing and no items is "looked, none"; a fact whose
``value`` is ``None`` is "the record does not say".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from fhir_plugin.record.dates import DaySpan


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One resource that a fact rests on, in words for a reader."""

    reference: str
    """``Type/id``."""
    label: str = ""
    """What the resource calls it; text of the record, to be escaped wherever it is shown."""
    day: DaySpan | None = None
    note: str = ""
    """What a reader should know about this piece: ``unconfirmed``, ``site not stated``."""


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """Whether something is on the record: now, once, or perhaps."""

    current: tuple[Evidence, ...] = ()
    past: tuple[Evidence, ...] = ()
    possible: tuple[Evidence, ...] = ()
    """Entries that neither prove nor exclude it: unconfirmed, uncoded, unspecified."""


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """A dated measurement of one or several components, such as systolic and diastolic."""

    components: Mapping[str, float]
    unit: str
    """UCUM."""
    day: DaySpan | None


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """A number of which only the bounds may be known: at least ``low``, at most ``high`` (``None``: no bound)."""

    low: int
    high: int | None
    unit: str = ""


FactValue: TypeAlias = Presence | Measurement | Count


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What the record says about one named thing."""

    name: str
    value: FactValue | None
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[str, ...] = ()
    """Why the answer is not full: ``conditions: partial``, ``no weight on the record``. Never patient text."""
    looked_in: tuple[str, ...] = ()
    """The inputs that were searched, with how many resources: ``conditions (14)``."""
