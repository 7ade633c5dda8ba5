"""The picture of the course of symptoms in Vega-Lite, through altair."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import altair as alt

from fhir_plugin.courses.pictures import Panel, Picture, Row
from mappings.schema.instruments.course_style import DrawingStyle

_STRIP = 20
_PADDING = {"left": 20, "top": 5, "right": 30, "bottom": 5}
"""Space on the right, because readers' fonts may be wider than the one by which the names of the bands are measured."""


def specification(picture: Picture) -> dict[str, Any]:
    """The picture in Vega-Lite: one panel per instrument above one strip of sessions, on one axis of time."""
    sets = _Datasets()
    spec: dict[str, Any] = chart(picture, sets).to_dict(validate=False)
    return spec | {"datasets": sets.rows, "padding": _PADDING}


class _Datasets:
    """The rows by name, kept outside the chart, because altair copies everything within a chart many times."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {}

    def chart(self, rows: list[Row]) -> Any:
        """A chart over these rows."""
        name = f"rows{len(self.rows)}"
        self.rows[name] = rows
        return alt.Chart(alt.NamedData(name=name))


def chart(picture: Picture, sets: _Datasets) -> Any:
    """The picture as an altair chart."""
    panels = [_panel(panel, picture, sets) for panel in picture.panels]
    if picture.sessions:
        panels.append(_strip(picture, sets))
    if not panels:
        words = sets.chart([{"label": picture.style.words.empty}])
        panels.append(words.mark_text(fontSize=13, align="left").encode(text=alt.Text("label:N")))
    return (
        alt.vconcat(*panels, spacing=12)
        .configure_view(stroke="#888888")
        .configure_axis(grid=False, domain=False, labelFontSize=11, titleFontSize=12, tickColor="#888888")
    )


def _x(picture: Picture, field: str = "day:T") -> Any:
    domain = [edge.isoformat() for edge in picture.span]
    axis = alt.Axis(title=None, format="%-d %b %Y", labelOverlap=True, tickCount=6)
    return alt.X(field, axis=axis, scale=alt.Scale(domain=domain, type="time"))


def _panel(panel: Panel, picture: Picture, sets: _Datasets) -> Any:
    style, instrument = picture.style, panel.instrument
    low, high = instrument.range or (0, 0)
    edges = sorted({low, high, *(band.low for band in instrument.bands)})
    scale = alt.Scale(domain=[low, high], nice=False, zero=False)
    axis = alt.Axis(title=instrument.short, values=edges)
    y, middle = (alt.Y(field, scale=scale, axis=axis) for field in ("total:Q", "middle:Q"))
    layers = [
        *_bands(panel, style, y, middle, sets),
        *_treated(picture, sets),
        *_difference(panel, y, sets),
        *_values(panel, picture, y, sets),
    ]
    return alt.layer(*layers).properties(width=style.width, height=style.height)


def _bands(panel: Panel, style: DrawingStyle, y: Any, middle: Any, sets: _Datasets) -> Iterator[Any]:
    """The severity bands, shaded and named at the right edge."""
    bands = panel.instrument.bands
    if not bands:
        return
    edges = [*(band.low for band in bands), bands[-1].high]
    rows = [
        {
            "total": edges[place],
            "to": edges[place + 1],
            "middle": (edges[place] + edges[place + 1]) / 2,
            "name": band.name,
            "shade": style.shades[min(place, len(style.shades) - 1)],
        }
        for place, band in enumerate(bands)
    ]
    yield sets.chart(rows).mark_rect().encode(y=y, y2=alt.Y2("to:Q"), color=alt.Color("shade:N", scale=None))
    names = sets.chart(rows).mark_text(align="left", dx=6, fontSize=10, color="#444444")
    yield names.encode(x=alt.value(style.width), y=middle, text=alt.Text("name:N"))


def _treated(picture: Picture, sets: _Datasets) -> Iterator[Any]:
    """The days of the courses, shaded in every panel."""
    for modality, mark in picture.style.sessions.items():
        rows = [row for row in picture.treated if row["modality"] == modality]
        if rows:
            edge = sets.chart(rows).mark_rect(color=mark.color, opacity=0.13)
            yield edge.encode(x=_x(picture, "first:T"), x2=alt.X2("last:T"))


def _difference(panel: Panel, y: Any, sets: _Datasets) -> Iterator[Any]:
    """The reliable change below the baseline, as a dashed line."""
    if not panel.difference:
        return
    data = sets.chart(panel.difference)
    yield data.mark_rule(color="#444444", strokeDash=[5, 4]).encode(y=y)
    label = data.mark_text(align="left", dx=4, dy=8, fontSize=10, color="#333333")
    yield label.encode(x=alt.value(0), y=y, text=alt.Text("label:N"))


def _values(panel: Panel, picture: Picture, y: Any, sets: _Datasets) -> Iterator[Any]:
    style, x = picture.style, _x(picture)
    data = sets.chart(panel.values)
    yield data.mark_line(color=style.ink, strokeWidth=2).encode(x=x, y=y, detail=alt.Detail("part:N"))
    yield data.mark_point(color=style.ink, filled=True, opacity=1, size=46).encode(x=x, y=y)
    ring = data.transform_filter("datum.suicide").mark_point(color=style.alarm, filled=False, size=190, strokeWidth=2)
    yield ring.encode(x=x, y=y)
    last = data.transform_filter("datum.last").mark_text(
        color=style.ink, align="right", dx=5, dy=-13, fontSize=13, fontWeight="bold"
    )
    yield last.encode(x=x, y=y, text=alt.Text("total:Q"))
    if panel.unscored:
        blank = sets.chart(panel.unscored).mark_point(shape="cross", color="#555555", size=80, dy=-6)
        yield blank.encode(x=x, y=y)


def _strip(picture: Picture, sets: _Datasets) -> Any:
    """The sessions, one row per kind, distinguished by shape as well as by colour."""
    marks = picture.style.sessions
    kinds = [kind for kind in marks if any(row["modality"] == kind for row in picture.sessions)]
    names = {row["modality"]: row["treatment"] for row in picture.sessions}
    y = alt.Y("treatment:N", axis=alt.Axis(title=None, ticks=False), sort=[names[kind] for kind in kinds])
    shape = alt.Shape(
        "modality:N", scale=alt.Scale(domain=kinds, range=[marks[kind].shape for kind in kinds]), legend=None
    )
    color = alt.Color(
        "modality:N", scale=alt.Scale(domain=kinds, range=[marks[kind].color for kind in kinds]), legend=None
    )
    rows = len({row["treatment"] for row in picture.sessions})
    points = sets.chart(picture.sessions).mark_point(filled=True, opacity=0.85, size=55)
    return points.encode(x=_x(picture), y=y, shape=shape, color=color).properties(
        width=picture.style.width, height=_STRIP * rows
    )
