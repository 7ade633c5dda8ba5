"""The data of a drawing of symptoms over time, independent of any plotting library."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from mappings.schema.instruments.course_style import DrawingStyle
from mappings.schema.instruments.model import Instrument

Row = dict[str, Any]


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """The data of one panel."""

    instrument: Instrument
    values: list[Row]
    """``day``, ``total``, ``part`` (points of a part are joined by a line), ``suicide``, ``last``."""
    unscored: list[Row]
    """Assessments without a total, drawn at the bottom of the scale."""
    difference: list[Row]
    """``total`` and ``label``: the line of the reliable change below the baseline."""


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """The data of the whole drawing."""

    style: DrawingStyle
    span: tuple[date, date]
    panels: tuple[Panel, ...]
    sessions: list[Row]
    """``day``, ``modality``."""
    treated: list[Row]
    """``first``, ``last``, ``modality`` of the courses."""
