"""A course of symptoms in sentences, from the templates of the knowledge. Pure.

What got worse comes first, then the change since the last value, then the change since the baseline, then details.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import msgspec

from fhir_plugin.courses.alerts import CourseAlert, trend_alerts
from fhir_plugin.courses.path_words import PathWords
from fhir_plugin.courses.trend import Advisory, Trend
from fhir_plugin.courses.windows import TreatmentWindow, day_of
from fhir_plugin.courses.worsening import ScorePath, counting_change, read_path, total_of
from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.facts.treatments.courses import TreatmentCourse
from mappings.schema.instruments import Instruments
from mappings.schema.instruments.course_style import TrendWords
from mappings.schema.instruments.model import Instrument
from mappings.schema.treatments import Treatments


class ToldTrend(msgspec.Struct, frozen=True, kw_only=True):
    """The sentences about one instrument, in the order in which they are to be read."""

    alerts: tuple[CourseAlert, ...]
    """What got worse or stands still."""
    changes: tuple[str, ...]
    """The change since the last value, then since the baseline; what this means for response and remission."""
    details: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of them."""
        return (*(alert.text for alert in self.alerts), *self.changes, *self.details)


def tell_trend(trend: Trend, instruments: Instruments, treatments: Treatments, as_of: date) -> ToldTrend:
    """The sentences about one instrument, as read on a day."""
    instrument, say = instruments[trend.instrument], PathWords(instruments.words, treatments, as_of)
    return ToldTrend(
        alerts=tuple(trend_alerts(trend, instrument, say)),
        changes=(*_changes(trend, instrument, say), *_verdicts(trend, instrument, say)),
        details=tuple(_details(trend, instruments, say)),
    )


def tell_course(course: TreatmentCourse, instruments: Instruments, say: PathWords) -> str:
    """One course of treatment in a sentence."""
    words, outcome = say.words, course.outcome
    said = words.course_unjudged.format(why=outcome.why)
    if outcome.kind:
        short = instruments[outcome.baseline.instrument].short if outcome.baseline else ""
        said = words.course_outcome.format(kind=outcome.kind, short=short, change=f"{-(outcome.percent or 0):+.0f}")
    sessions = f"{course.count}" if course.counted else words.sessions_at_least.format(sessions=course.count)
    return words.course.format(
        treatment=say.treatments((course.treatment,)),
        sessions=sessions,
        first=say.date(course.first),
        last=say.date(course.last),
        state=words.ended if course.ended else words.under_way,
        outcome=said,
    )


def _changes(trend: Trend, instrument: Instrument, say: PathWords) -> Iterator[str]:
    words, latest = say.words, trend.latest
    if trend.previous is None:
        yield words.one_value.format(short=instrument.short, end=total_of(latest), latest_day=say.day(latest))
        return
    if trend.previous is not trend.baseline:
        yield words.since_last.format(
            short=instrument.short,
            end=total_of(latest),
            latest_day=say.day(latest),
            change=say.change(trend.previous, latest),
            before=total_of(trend.previous),
            before_day=say.day(trend.previous),
        )
    if trend.path:
        yield words.since_start.format(
            path=say.path(trend.path, instrument.short),
            change=say.effect(trend.path),
            since=_since(trend, say),
        )


def _since(trend: Trend, say: PathWords) -> str:
    if trend.baseline_course is None:
        return say.words.at_first
    course = trend.baseline_course
    return say.words.at_start.format(treatment=say.treatments((course.treatment,)), day=say.date(course.first))


def _verdicts(trend: Trend, instrument: Instrument, say: PathWords) -> Iterator[str]:
    words = say.words
    if trend.unmeasured and instrument.response:
        yield words.unmeasured.format(
            short=instrument.short,
            days=say.names.response.baseline_days_before.value,
            treatment=say.treatments((trend.unmeasured.treatment,)),
            day=say.date(trend.unmeasured.first),
        )
    if (rule := instrument.response) and trend.judged and trend.response is None:
        yield words.response_unjudged.format(least=rule.baseline_at_least or 1)
    if (cutoff := instrument.remission) and trend.remission is not None:
        yield (words.remission if trend.remission else words.no_remission).format(at_most=cutoff.at_most)


def _details(trend: Trend, instruments: Instruments, say: PathWords) -> Iterator[str]:
    instrument, words = instruments[trend.instrument], say.words
    yield from _windows(trend, instrument, say)
    if trend.judged and instrument.response:
        yield words.response.format(percent=instrument.response.percent)
    yield from (_advisory(advisory, words) for advisory in trend.advisories)
    yield from _rules(trend, instrument, words)
    for group in trend.groups:
        title = instruments.groups[group.group].title
        yield words.group.format(title=title, start=group.start, end=group.end, most=group.most)
    if instrument.recall_days:
        yield words.recall.format(days=instrument.recall_days)
    if trend.previous is not None:
        yield words.limits.strip()


def _rules(trend: Trend, instrument: Instrument, words: TrendWords) -> Iterator[str]:
    """The numbers by which a worsening is told, with their sources."""
    if trend.rise is None or not trend.rise.notable:
        return
    if counting := counting_change(instrument):
        source, checked = counting.source, counting.verification.value
        yield words.reliable.format(points=counting.points, source=source, verification=checked)
    if (rule := instrument.relapse) and trend.relapse:
        yield words.relapse_rule.format(
            rise=rule.rise, least=rule.total_at_least, source=rule.source, verification=rule.verification.value
        )


def _advisory(advisory: Advisory, words: TrendWords) -> str:
    size = f"{advisory.points:g}" if advisory.points is not None else f"{advisory.percent:g} %"
    return words.advisory.format(
        reached=words.reached if advisory.reached else words.missed,
        size=size,
        meaning=advisory.meaning,
        source=advisory.source,
        verification=advisory.verification,
    )


def window_name(place: int, windows: Sequence[TreatmentWindow], say: PathWords) -> str:
    """The name of a window: before, during one treatment, during several together, between, after."""
    words, during = say.words, windows[place].span.treatments
    if during:
        return (words.during if len(during) == 1 else words.both).format(treatments=say.treatments(during))
    if place == 0:
        return words.before
    return words.after if place == len(windows) - 1 else words.between


def _windows(trend: Trend, instrument: Instrument, say: PathWords) -> Iterator[str]:
    """The days before treatment, then each treatment with the days after it; not what is told already."""
    found = trend.windows
    if len(found) < 2 or trend.previous is None:  # noqa: PLR2004 - one window is the whole course
        return
    for place, window in enumerate(found):
        treated = bool(window.span.treatments)
        if not treated and place > 0:
            continue
        values = (*window.assessments, *(_days_after(place, found) if treated else ()))
        path = read_path(instrument, values, say.names.response, judged=treated and window.preceded)
        if (treated or path) and not _is_told(path, trend):
            yield _window(place, values, path, trend, instrument, say)


def _days_after(place: int, windows: Sequence[TreatmentWindow]) -> tuple[Assessment, ...]:
    """The values after a treatment, until the next one begins."""
    after = windows[place + 1] if place + 1 < len(windows) else None
    return after.inside if after and not after.span.treatments else ()


def _is_told(path: ScorePath | None, trend: Trend) -> bool:
    """Whether it is the period since the baseline."""
    return bool(path and trend.path and (path.start, path.end) == (trend.path.start, trend.path.end))


def _last_before(first: date, trend: Trend, say: PathWords) -> str:
    """The last value before a day, however old."""
    earlier = [value for value in trend.series if (day := day_of(value)) and day <= first]
    return say.words.last_before.format(total=total_of(earlier[-1]), day=say.day(earlier[-1])) if earlier else ""


def _window(
    place: int,
    values: Sequence[Assessment],
    path: ScorePath | None,
    trend: Trend,
    instrument: Instrument,
    say: PathWords,
) -> str:
    words, window = say.words, trend.windows[place]
    named = {
        "name": window_name(place, trend.windows, say),
        "first": say.date(window.span.first),
        "last": say.date(window.span.last),
    }
    missing = ""
    if window.span.treatments and not window.preceded:
        missing = words.window_unmeasured.format(days=say.names.response.baseline_days_before.value)
        missing += _last_before(window.span.first, trend, say)
    if path:
        said = say.path(path, instrument.short)
        return words.window.format(**named, path=said, change=say.effect(path)) + missing
    if values:
        total, day = total_of(values[0]), say.day(values[0])
        return words.window_one.format(**named, short=instrument.short, total=total, day=day) + missing
    return words.window_none.format(**named, short=instrument.short) + missing
