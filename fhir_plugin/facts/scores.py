"""Scores over time: every assessment that the record holds, once each, oldest first."""

from __future__ import annotations

import msgspec

from fhir_plugin.dates import DaySpan


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """One administration of one instrument, from a QuestionnaireResponse, an Observation, or both."""

    instrument: str
    """Instrument id, such as ``phq9``."""
    total: float | None
    """``None`` where no total may be given."""
    day: DaySpan | None
    moment: str | None = None
    """The FHIR dateTime as written, to tell two assessments of one day apart."""
    reference: str
    flags: tuple[str, ...] = ()
    suicide_item_positive: bool | None = None
    """``None``: the instrument has no suicide item, or it was not answered."""
