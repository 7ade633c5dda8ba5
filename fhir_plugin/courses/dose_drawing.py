"""Antidepressants as a picture: one row per drug, its dose over time compared with the least adequate dose.

altair and vl-convert are imported only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from fhir_plugin.extras import DRAWING
from fhir_plugin.facts.trials.dose_course import DoseCourse, DoseStep
from mappings.schema.instruments.course_style import DrawingStyle

ENOUGH, BELOW = "adequate dose", "below the least adequate dose"
_COLOURS = {ENOUGH: "#63b0ab", BELOW: "#d9b45f"}
_LINE = "#98181f"
_ROW_HEIGHT = 64
_PADDING = {"left": 30, "top": 5, "right": 15, "bottom": 5}
_HEADROOM = 1.15
"""The top of the scale as a multiple of the highest dose."""


def draw_doses(courses: Sequence[DoseCourse], style: DrawingStyle, title: str) -> str:
    """The picture as SVG with a description for readers who cannot see it; ``courses`` must not be empty.

    :raises MissingExtra: the drawing extra is not installed.
    """
    DRAWING.require()
    import vl_convert

    svg: str = vl_convert.vegalite_to_svg(_chart(courses, style).to_dict(validate=False))
    opening, _, rest = svg.partition(">")
    description = escape(" ".join(describe_doses(courses)))
    return f'{opening} role="img"><title>{escape(title)}</title><desc>{description}</desc>{rest}'


def describe_doses(courses: Sequence[DoseCourse]) -> list[str]:
    """The doses in words."""
    return [
        f"{course.ingredient}: "
        + "; ".join(
            f"{step.mg:g} mg/day from {step.first} to {step.after}"
            f" ({'adequate' if step.adequate else 'below'}, least {step.minimum:g})"
            for step in course.steps
        )
        + "."
        for course in courses
    ]


def _chart(courses: Sequence[DoseCourse], style: DrawingStyle) -> Any:
    import altair as alt

    steps = [step for course in courses for step in course.steps]
    span = [min(step.first for step in steps).isoformat(), max(step.after for step in steps).isoformat()]
    rows = [_row(course, style, span, place=place, last=course is courses[-1]) for place, course in enumerate(courses)]
    return (
        alt.vconcat(*rows, spacing=6, padding=_PADDING)
        .configure_view(stroke="#888888")
        .configure_axis(grid=False, domain=False, labelFontSize=11, titleFontSize=12, tickColor="#888888")
    )


def _row(course: DoseCourse, style: DrawingStyle, span: list[str], *, place: int, last: bool) -> Any:
    import altair as alt

    time = alt.Scale(type="time", domain=span)
    dose = alt.Scale(domain=[0, max(max(step.mg, step.minimum) for step in course.steps) * _HEADROOM])
    dates = alt.Axis(title=None, format="%-d %b %Y", labelOverlap=True, tickCount=6, labels=last, ticks=last)
    dose_axis = alt.Axis(
        title=course.ingredient, tickCount=3, titleAngle=0, titleAlign="right", titleX=-38, titleY=_ROW_HEIGHT / 2,
        titleBaseline="middle",
    )  # fmt: skip
    kinds = alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values()))
    legend = alt.Legend(orient="top", direction="vertical") if place == 0 else None
    base = alt.Chart(alt.InlineData(values=[_step_row(step) for step in course.steps]))
    x = alt.X("first:T", scale=time, axis=dates)
    bars = base.mark_rect(stroke="#ffffff", strokeWidth=0.5).encode(
        x=x,
        x2="after:T",
        y=alt.Y("mg:Q", scale=dose, axis=dose_axis),
        y2=alt.datum(0),
        color=alt.Color("kind:N", title=None, legend=legend, scale=kinds),
    )
    least = base.mark_rule(color=_LINE, strokeDash=[4, 3]).encode(
        x=x, x2="after:T", y=alt.Y("minimum:Q", scale=dose, axis=dose_axis)
    )
    return alt.layer(bars, least).properties(width=style.width, height=_ROW_HEIGHT)


def _step_row(step: DoseStep) -> dict[str, object]:
    kind = ENOUGH if step.adequate else BELOW
    days = {"first": step.first.isoformat(), "after": step.after.isoformat()}
    return {**days, "mg": step.mg, "minimum": step.minimum, "kind": kind}
