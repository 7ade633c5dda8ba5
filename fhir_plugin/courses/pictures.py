"""What is drawn of a course of symptoms, before any plotting library sees it."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from mappings.schema.instruments.course_style import DrawingStyle
from mappings.schema.instruments.model import Instrument

Row = dict[str, Any]


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """What one panel shows, ready to be drawn."""

    instrument: Instrument
    values: list[Row]
    """``day``, ``total``, ``part`` (what is joined by a line), ``suicide``, ``last``."""
    unscored: list[Row]
    """Assessments without a total, set at the foot of the scale."""
    difference: list[Row]
    """``total`` and ``said``: the line of the reliable change below the baseline."""


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """All that is drawn."""

    style: DrawingStyle
    span: tuple[date, date]
    panels: tuple[Panel, ...]
    sessions: list[Row]
    """``day``, ``modality``."""
    treated: list[Row]
    """``first``, ``last``, ``modality`` of each course."""
