"""The course of symptoms as a picture: one panel per instrument with its full scale and bands, and the sessions.

altair and vl-convert are imported only when something is drawn, so that nothing else pays for them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from html import escape

from fhir_plugin.courses.path_words import PathWords
from fhir_plugin.courses.pictures import Panel, Picture, Row
from fhir_plugin.courses.trend import read_trend
from fhir_plugin.courses.windows import day_of
from fhir_plugin.courses.worsening import reliable_change
from fhir_plugin.extras import DRAWING
from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.facts.scores.read import ScoreHistory
from fhir_plugin.facts.treatments.courses import TreatmentCourse
from fhir_plugin.record.dates import instant
from mappings.schema.instruments import PreparedInstrument
from mappings.schema.treatments import Treatments

_MARGIN = timedelta(days=7)


def draw_svg(scores: ScoreHistory, courses: Sequence[TreatmentCourse], treatments: Treatments) -> str:
    """The picture as SVG, with ``title`` and ``desc`` for readers who cannot see it."""
    description = " ".join(describe(scores, courses, treatments))
    return render_svg(picture(scores, courses, treatments), description)


def render_svg(shown: Picture, description: str) -> str:
    """A picture as SVG with its description. :class:`MissingExtra` where the drawing extra is not installed."""
    DRAWING.require()
    import vl_convert

    from fhir_plugin.courses.panels import specification

    svg: str = vl_convert.vegalite_to_svg(specification(shown))
    words = shown.style.words
    opening, _, rest = svg.partition(">")
    return f'{opening} role="img"><title>{escape(words.title)}</title><desc>{escape(description)}</desc>{rest}'


def describe(scores: ScoreHistory, courses: Sequence[TreatmentCourse], treatments: Treatments) -> Iterator[str]:
    """What the picture shows, in words."""
    words = scores.instruments.drawing.words
    say = PathWords(scores.instruments.words, treatments, scores.as_of)
    forms = _drawn_instruments(scores)
    if not forms:
        yield words.empty
    for form in forms:
        series = _dated(scores.series(form.instrument.id))
        totals = [assessment.total or 0.0 for _, assessment in series]
        template = words.described if len(series) > 1 else words.described_one
        yield template.format(
            short=form.instrument.short,
            many=len(series),
            first=say.date(series[0][0]),
            last=say.date(series[-1][0]),
            start=f"{totals[0]:g}",
            end=f"{totals[-1]:g}",
            low=f"{min(totals):g}",
            high=f"{max(totals):g}",
        )
    for course in courses:
        title = treatments[course.treatment].title
        yield words.sessions_described.format(
            title=title, many=course.count, first=say.date(course.first), last=say.date(course.last)
        )


def picture(scores: ScoreHistory, courses: Sequence[TreatmentCourse], treatments: Treatments) -> Picture:
    """The data of the picture, as plain rows."""
    forms = _drawn_instruments(scores)
    return Picture(
        style=scores.instruments.drawing,
        span=_span(scores, forms, courses),
        panels=tuple(_panel(form, scores, courses, treatments) for form in forms),
        sessions=[
            {"day": _when(session.day, session.moment), "treatment": treatments[course.treatment].short}
            | {"modality": course.modality}
            for course in courses
            for session in course.sessions
            if session.day
        ],
        treated=[
            {"first": course.first.isoformat(), "last": _after(course.last), "modality": course.modality}
            for course in courses
        ],
    )


def _after(day: date) -> str:
    return (day + timedelta(days=1)).isoformat()


def _drawn_instruments(scores: ScoreHistory) -> list[PreparedInstrument]:
    """The instruments with a scale and a dated total, depression first."""
    forms = [
        form for name, form in scores.instruments.forms.items() if form.instrument.range and _dated(scores.series(name))
    ]
    return sorted(forms, key=lambda form: (form.instrument.measures != "depression", form.instrument.short))


def _dated(series: Iterable[Assessment]) -> list[tuple[date, Assessment]]:
    return [(day, assessment) for assessment in series if assessment.total is not None and (day := day_of(assessment))]


def _span(
    scores: ScoreHistory, forms: Iterable[PreparedInstrument], courses: Iterable[TreatmentCourse]
) -> tuple[date, date]:
    days = [day for form in forms for day, _ in _dated(scores.series(form.instrument.id))]
    days += [edge for course in courses for edge in (course.first, course.last)]
    return (min(days) - _MARGIN, max(days) + _MARGIN) if days else (date.min, date.max)


def _panel(
    form: PreparedInstrument, scores: ScoreHistory, courses: Sequence[TreatmentCourse], treatments: Treatments
) -> Panel:
    name, low = form.instrument.id, (form.instrument.range or (0, 0))[0]
    unusable = (
        assessment for assessment in scores.assessments if assessment.instrument == name and not assessment.usable
    )
    blank = [day for assessment in unusable if (day := day_of(assessment))]
    return Panel(
        instrument=form.instrument,
        values=_values(scores, name, blank),
        unscored=[{"day": day.isoformat(), "total": low} for day in blank],
        difference=_difference(form, scores, courses, treatments),
    )


def _values(scores: ScoreHistory, name: str, blank: Sequence[date]) -> list[Row]:
    """The values in joined parts: a long time without a value, or an assessment without a total, breaks the line."""
    limit = scores.instruments.drawing.join_within_days.value
    series, gaps = _dated(scores.series(name)), sorted(blank)
    rows: list[Row] = []
    part, before = 0, series[0][0]
    for day, assessment in series:
        following = bisect_right(gaps, before)
        if (day - before).days > limit or (following < len(gaps) and gaps[following] < day):
            part += 1
        before = day
        rows.append(
            {
                "day": _when(day, assessment.moment),
                "total": assessment.total,
                "part": part,
                "suicide": bool(assessment.suicide_item_positive),
                "last": assessment is series[-1][1],
            }
        )
    return rows


def _when(day: date | None, moment: str | None) -> str:
    """The day as the record writes it, with its time of day if known; not converted between time zones."""
    if moment and instant(moment):
        return moment[: len("2024-03-01T10:00")]
    return day.isoformat() + "T12:00" if day else ""


def _difference(
    form: PreparedInstrument, scores: ScoreHistory, courses: Sequence[TreatmentCourse], treatments: Treatments
) -> list[Row]:
    trend = read_trend(scores.series(form.instrument.id), courses, form, treatments.response)
    change = reliable_change(form.instrument)
    if trend is None or trend.change is None or change is None or change.points is None:
        return []
    total = (trend.baseline.total or 0) - change.points
    words = scores.instruments.drawing.words.difference
    label = words.format(points=change.points, kind=change.kind, verification=change.verification)
    return [{"total": total, "label": label}] if total >= (form.instrument.range or (0, 0))[0] else []
