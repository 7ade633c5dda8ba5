"""One administration of one instrument."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fhir_plugin.facts.fact import Measurement
from fhir_plugin.record.dates import DaySpan
from mappings.schema.instruments.model import Instrument, Risk

_SCORE_UNIT = "{score}"


class Assessment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One administration of one instrument, from a QuestionnaireResponse, an Observation, or both."""

    instrument: str
    """Instrument id, such as ``phq9``."""
    total: float | None
    """``None`` where no total can be given."""
    day: DaySpan | None
    moment: str | None = None
    """The FHIR dateTime as written, to distinguish two assessments of one day."""
    reference: str
    flags: tuple[str, ...] = ()
    suicide_item_positive: bool | None = None
    """``None``: the instrument has no suicide item, or it was not answered."""
    severity: str | None = None
    """Name of the severity band, or the risk level of an instrument without a total."""
    items: Mapping[str, int | None] = {}
    recorded_as: tuple[str, ...] = ()
    """References of the Observations that hold this same assessment."""

    @property
    def usable(self) -> bool:
        """Whether it has a value that can be compared: a total or a risk level."""
        return self.total is not None or self.severity is not None


def measured(instrument: Instrument, assessment: Assessment) -> Measurement:
    """The total, or the rank of the risk level; 0 is the lowest."""
    name = "level" if assessment.total is None else "total"
    return Measurement(components={name: value_of(instrument, assessment)}, unit=_SCORE_UNIT, day=assessment.day)


def value_of(instrument: Instrument, assessment: Assessment) -> float:
    """The total, or the rank of the risk level, as a number."""
    if assessment.total is not None:
        return assessment.total
    levels = instrument.formula.levels if isinstance(instrument.formula, Risk) else ()
    rising = [level.name for level in reversed(levels)]
    return float(rising.index(assessment.severity) + 1 if assessment.severity in rising else 0)
