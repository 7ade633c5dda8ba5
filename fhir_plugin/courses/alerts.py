"""What must be read first: a positive suicide item, a worsening, a plateau. Sentences of the knowledge. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from fhir_plugin.courses.path_words import PathWords
from fhir_plugin.courses.trend import Trend
from fhir_plugin.courses.windows import day_of, days_between
from fhir_plugin.courses.worsening import Outcome, Plateau, Rise, Worsening, total_of
from fhir_plugin.facts.fact import Presence
from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.facts.scores.read import ScoreHistory
from mappings.schema.instruments.model import Instrument

Tone = Literal["bad", "open"]
_WEEK = 7
_LOST = (Outcome.RESPONSE_LOST, Outcome.PARTIAL_LOST)


class CourseAlert(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence that comes before everything else about a course."""

    kind: Literal["suicide", "worse", "plateau"]
    tone: Tone
    """``bad``: to act on; ``open``: to look at."""
    instrument: str
    text: str


def trend_alerts(trend: Trend, instrument: Instrument, say: PathWords) -> Iterator[CourseAlert]:
    """The worsening of one instrument, then its plateau."""
    if trend.rise and trend.rise.notable:
        sure = trend.rise.worsening is not Worsening.SINGLE or bool(trend.rise.relapse)
        tone: Tone = "bad" if sure else "open"
        outcome = trend.path.outcome if trend.path else None
        text = _worse(trend.rise, outcome, instrument, say)
        yield CourseAlert(kind="worse", tone=tone, instrument=instrument.id, text=text)
    if trend.plateau:
        text = _plateau(trend.plateau, instrument, say)
        yield CourseAlert(kind="plateau", tone="open", instrument=instrument.id, text=text)


def _worse(rise: Rise, outcome: Outcome | None, instrument: Instrument, say: PathWords) -> str:
    words = say.words
    templates = {Worsening.RELIABLE: words.worse, Worsening.CONFIRMED: words.worse_twice}
    meaning = words.relapse if rise.relapse else ""
    if not meaning and outcome in _LOST:
        meaning = words.lost.format(outcome=say.outcome(outcome))
    return templates.get(rise.worsening, words.worse_once).format(
        short=instrument.short,
        rise=rise.points,
        best=total_of(rise.since),
        best_day=say.day(rise.since),
        end=total_of(rise.latest),
        latest_day=say.day(rise.latest),
        meaning=meaning,
    )


def _plateau(plateau: Plateau, instrument: Instrument, say: PathWords) -> str:
    totals = [total_of(value) for value in plateau.values]
    low, high = min(totals), max(totals)
    days = days_between(day_of(plateau.values[0]), day_of(plateau.values[-1]))
    span = say.words.plateau_range.format(low=low, high=high) if low < high else f"{low:g}"
    return say.words.plateau.format(
        treatments=say.treatments(plateau.treatments),
        short=instrument.short,
        totals=span,
        first=say.day(plateau.values[0]),
        last=say.day(plateau.values[-1]),
        many=len(totals),
        weeks=days // _WEEK,
    )


def suicide_alerts(scores: ScoreHistory, say: PathWords) -> Iterator[CourseAlert]:
    """A positive suicide item that is the latest answer on its instrument, whether or not that has a total."""
    signal = scores.facts()["suicide.signal"].value
    current = {evidence.reference for evidence in signal.current} if isinstance(signal, Presence) else set()
    for name, form in scores.instruments.forms.items():
        if (positive := _latest_positive(name, scores)) is None:
            continue
        if positive.reference in current:
            text = _suicide(positive, form.instrument, say)
            yield CourseAlert(kind="suicide", tone="bad", instrument=name, text=text)
        elif not _answered_no_since(positive, scores):
            text = say.words.suicide_old.format(short=form.instrument.short, day=say.day(positive))
            yield CourseAlert(kind="suicide", tone="open", instrument=name, text=text)


def _latest_positive(name: str, scores: ScoreHistory) -> Assessment | None:
    answered = [
        entry for entry in scores.assessments if entry.instrument == name and entry.suicide_item_positive is not None
    ]
    newest = [entry for entry in answered if entry.day == answered[-1].day]
    return next((entry for entry in reversed(newest) if entry.suicide_item_positive), None)


def _answered_no_since(positive: Assessment, scores: ScoreHistory) -> bool:
    return any(
        entry.suicide_item_positive is False and entry.day and positive.day and entry.day.first > positive.day.last
        for entry in scores.assessments
    )


def _suicide(positive: Assessment, instrument: Instrument, say: PathWords) -> str:
    rule, day = instrument.suicide, say.day(positive)
    if rule is None or rule.item is None:
        return say.words.suicide_level.format(short=instrument.short, level=positive.severity, day=day)
    label = instrument.item(rule.item).label
    return say.words.suicide_item.format(short=instrument.short, item=rule.item, label=label, day=day)
