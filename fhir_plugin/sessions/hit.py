"""What a rule before a session finds for one course."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fhir_plugin.facts.fact import Evidence
from fhir_plugin.record.dates import DaySpan


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A rule holds, or may hold; its values are parsed ones and names of the knowledge."""

    possible: bool = False
    capped: bool = False
    """Whether it is certain, and yet only to be reviewed: a known matter that is on the record again."""
    day: DaySpan | None = None
    values: Mapping[str, str] = {}
    """``value``, ``before``, ``name`` and ``days``, as far as the phrase of the rule needs them."""
    evidence: tuple[Evidence, ...] = ()
