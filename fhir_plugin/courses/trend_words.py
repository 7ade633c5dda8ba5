"""A course of symptoms in sentences, from the templates of the knowledge. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from fhir_plugin.courses.trend import Advisory, Trend, Worsening, reliable_change
from fhir_plugin.courses.windows import TreatmentWindow, day_of
from mappings.schema.instruments import Instruments
from mappings.schema.instruments.course_style import TrendWords
from mappings.schema.instruments.model import Instrument
from mappings.schema.treatments import Treatments


def trend_sentences(trend: Trend, instruments: Instruments, treatments: Treatments) -> tuple[str, ...]:
    """Sentences for a clinician: the change, response and remission, important changes by source, and the limits."""
    instrument, words = instruments[trend.instrument], instruments.words
    sentences = [_change(trend, instrument, words, treatments), *_verdicts(trend, instrument, words)]
    sentences += [_advisory(advisory, words) for advisory in trend.advisories]
    sentences += _worse(trend, instrument, words)
    for group in trend.groups:
        title = instruments.groups[group.group].title
        sentences.append(words.group.format(title=title, start=group.start, end=group.end, most=group.most))
    several = len(trend.windows) > 1 and trend.change is not None
    sentences += [_window(place, trend, words, treatments) for place in range(len(trend.windows)) if several]
    if instrument.recall_days:
        sentences.append(words.recall.format(days=instrument.recall_days))
    if trend.change is not None:
        sentences.append(words.limits.strip())
    return tuple(sentences)


def _change(trend: Trend, instrument: Instrument, words: TrendWords, treatments: Treatments) -> str:
    latest_day = day_of(trend.latest)
    if trend.change is None or trend.percent is None:
        return words.one_value.format(short=instrument.short, end=_total(trend.latest.total), latest_day=latest_day)
    kind = words.baseline_first
    if trend.baseline_treatment:
        treatment = treatments[trend.baseline_treatment].short
        kind = words.baseline_at_start.format(treatment=treatment, day=_start_of(trend))
    return words.change.format(
        short=instrument.short,
        start=_total(trend.baseline.total),
        end=_total(trend.latest.total),
        percent=trend.percent,
        baseline_day=day_of(trend.baseline),
        baseline_kind=kind,
        latest_day=latest_day,
    )


def _start_of(trend: Trend) -> str:
    day = day_of(trend.baseline)
    starts = [window.span.first for window in trend.windows if window.span.treatments and day]
    return str(min((start for start in starts if day and start >= day), default=day))


def _verdicts(trend: Trend, instrument: Instrument, words: TrendWords) -> Iterator[str]:
    if (rule := instrument.response) and trend.change is not None:
        if trend.response is None:
            yield words.response_unjudged.format(least=rule.baseline_at_least or 1)
        else:
            yield (words.response if trend.response else words.no_response).format(percent=rule.percent)
    if (cutoff := instrument.remission) and trend.remission is not None:
        yield (words.remission if trend.remission else words.no_remission).format(at_most=cutoff.at_most)


def _advisory(advisory: Advisory, words: TrendWords) -> str:
    size = f"{advisory.points:g}" if advisory.points is not None else f"{advisory.percent:g} %"
    return words.advisory.format(
        reached=words.reached if advisory.reached else words.missed,
        size=size,
        meaning=advisory.meaning,
        source=advisory.source,
        verification=advisory.verification,
    )


def _worse(trend: Trend, instrument: Instrument, words: TrendWords) -> Iterator[str]:
    rise = (trend.latest.total or 0) - (trend.best.total or 0)
    best_day = day_of(trend.best)
    reliable = reliable_change(instrument)
    sourced = (
        {"points": reliable.points, "source": reliable.source, "verification": reliable.verification}
        if reliable
        else {}
    )
    if trend.worsening is Worsening.SINGLE:
        or_reliable = words.or_reliable.format(**sourced) if sourced else ""
        yield words.single_worse.strip().format(rise=rise, best_day=best_day, or_reliable=or_reliable)
    elif trend.worsening is Worsening.CONFIRMED:
        yield words.confirmed_worse.format(best_day=best_day)
    elif trend.worsening is Worsening.RELIABLE:
        yield words.reliable_worse.format(rise=rise, best_day=best_day, **sourced)
    if trend.relapse and instrument.relapse:
        rule = instrument.relapse
        yield words.relapse.format(rise=rise, source=rule.source, verification=rule.verification)


def window_name(place: int, windows: tuple[TreatmentWindow, ...], words: TrendWords, treatments: Treatments) -> str:
    """The name of a window: before, during one treatment, during several together, between, after."""
    during = windows[place].span.treatments
    if during:
        shorts = " and ".join(treatments[treatment].short for treatment in during)
        return (words.during if len(during) == 1 else words.both).format(treatments=shorts)
    if place == 0:
        return words.before
    return words.after if place == len(windows) - 1 else words.between


def _window(place: int, trend: Trend, words: TrendWords, treatments: Treatments) -> str:
    window = trend.windows[place]
    name = window_name(place, trend.windows, words, treatments)
    first, last = window.span.first, window.span.last
    if window.start is None or window.change is None:
        return words.window_few.format(name=name, first=first, last=last, many=len(window.assessments))
    return words.window.format(
        name=name,
        first=first,
        last=last,
        start=_total(window.start.total),
        end=_total(window.assessments[-1].total),
        change=window.change,
    )


def _total(total: float | None) -> str:
    return f"{total:g}" if total is not None else "?"
