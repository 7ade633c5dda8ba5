"""The picture of the course of symptoms: its data is kept in the form, and drawn on request."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from datetime import date
from typing import Any

import msgspec

from fhir_plugin.courses.drawing import describe, picture, render_svg
from fhir_plugin.courses.pictures import Panel, Picture
from fhir_plugin.deciding.decide import Decision
from fhir_plugin.errors import BadInput
from fhir_plugin.record.datatypes import UNDECODABLE
from mappings.schema.load import Knowledge

_MOST_KEPT = 32
_MOST_ROWS = 5_000
Cell = str | float | bool | None
Row = dict[str, Cell]


class SketchedPanel(msgspec.Struct, frozen=True):
    """One panel, its instrument by name."""

    instrument: str
    values: list[Row]
    unscored: list[Row]
    difference: list[Row]


class Sketch(msgspec.Struct, frozen=True):
    """The data of a picture, without what the knowledge defines."""

    span: tuple[date, date]
    panels: tuple[SketchedPanel, ...]
    sessions: list[Row]
    treated: list[Row]
    description: str


def sketch(decision: Decision, knowledge: Knowledge) -> str | None:
    """The data to draw for a decision, as text for a form field; ``None`` if there is none."""
    scores, courses = decision.facts.scores, decision.facts.treatments.courses
    shown = picture(scores, courses, knowledge.treatments)
    if not shown.panels and not shown.sessions:
        return None
    panels = tuple(SketchedPanel(p.instrument.id, p.values, p.unscored, p.difference) for p in shown.panels)
    description = " ".join(describe(scores, courses, knowledge.treatments))
    return msgspec.json.encode(Sketch(shown.span, panels, shown.sessions, shown.treated, description)).decode()


class Drawings:
    """Draws sketches and caches the last few pictures, because drawing takes a third of a second."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._instruments = knowledge.instruments
        self._kept: OrderedDict[str, str] = OrderedDict()

    def draw(self, text: str, *, narrow: bool = False) -> str:
        """The picture as SVG; :class:`BadInput` if the text is not a sketch."""
        key = f"{narrow}{hashlib.sha256(text.encode()).hexdigest()}"
        # Several threads draw at the same time: an entry that one has found another may evict.
        drawn = self._kept.pop(key, None) or self._drawn(text, narrow=narrow)
        self._kept[key] = drawn
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return drawn

    def _drawn(self, text: str, *, narrow: bool) -> str:
        try:
            content = msgspec.json.decode(text, type=Sketch)
            shown = self._picture(content, narrow=narrow)
        except (*UNDECODABLE, KeyError):
            raise BadInput("there is no picture to draw: fire the hook again") from None
        if sum(len(panel.values) for panel in shown.panels) + len(shown.sessions) > _MOST_ROWS:
            raise BadInput("there is too much to draw")
        try:
            return render_svg(shown, content.description)
        except (KeyError, ValueError):
            raise BadInput("the picture cannot be drawn: fire the hook again") from None

    def _picture(self, content: Sketch, *, narrow: bool) -> Picture:
        sessions: list[dict[str, Any]] = [*content.sessions]
        treated: list[dict[str, Any]] = [*content.treated]
        panels = tuple(self._panel(panel) for panel in content.panels)
        style = self._instruments.drawing.narrow if narrow else self._instruments.drawing
        return Picture(style=style, span=content.span, panels=panels, sessions=sessions, treated=treated)

    def _panel(self, panel: SketchedPanel) -> Panel:
        return Panel(
            instrument=self._instruments[panel.instrument],
            values=[*panel.values],
            unscored=[*panel.unscored],
            difference=[*panel.difference],
        )
