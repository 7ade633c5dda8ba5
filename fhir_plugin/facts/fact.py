"""The types of facts: what the record says about one named thing, and the evidence for it.

A fact holds one of a few kinds of value. Criteria compare values; they never see a FHIR resource. ``missing`` explains
why an answer may be incomplete. An empty presence with nothing missing means "searched, none found"; a ``value`` of
``None`` means "the record does not say".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from fhir_plugin.record.dates import DaySpan


class Evidence(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One resource that a fact rests on, described for a reader."""

    reference: str
    """``Type/id``."""
    label: str = ""
    """The name in the resource; text of the record, to be escaped wherever it is shown."""
    name: str = ""
    """The name from the knowledge of what was recognised: a group of codes, an ingredient, an instrument."""
    day: DaySpan | None = None
    note: str = ""
    """A qualification for the reader, such as ``unconfirmed`` or ``site not stated``."""


class Presence(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Whether something is on the record: current, past or possible."""

    current: tuple[Evidence, ...] = ()
    past: tuple[Evidence, ...] = ()
    possible: tuple[Evidence, ...] = ()
    """Entries that neither prove nor exclude it: unconfirmed, uncoded, unspecified."""


ABSENT = Presence()
"""Nothing was found: the same for every fact of every record, so that it is seen at once."""


class Measurement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A dated measurement of one or several components, such as systolic and diastolic."""

    components: Mapping[str, float]
    unit: str
    """UCUM."""
    day: DaySpan | None


class Count(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A number, possibly known only by its bounds: at least ``low``, at most ``high`` (``None``: unbounded)."""

    low: int
    high: int | None
    unit: str = ""


FactValue: TypeAlias = Presence | Measurement | Count


class Fact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the record says about one named thing."""

    name: str
    value: FactValue | None
    evidence: tuple[Evidence, ...] = ()
    unread: tuple[str, ...] = ()
    """The inputs that were not read whole, hold unreadable entries, or are empty although a record should fill them."""
    absent: bool = False
    """Whether every input was read whole and nothing in it says anything: a question to ask, not a gap in reading."""
    missing: tuple[str, ...] = ()
    """Why the answer is incomplete: ``conditions: partial``, ``no weight on the record``. Never patient text."""
    looked_in: tuple[str, ...] = ()
    """The inputs that were searched, with how many resources: ``conditions (14)``."""
