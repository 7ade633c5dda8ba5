"""What positive screens make possible: ``screens.<name>`` for every entry of ``screens.yaml``. Pure.

A screen is no diagnosis: nothing here is ever current. An answer that is too old counts no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from fhir_plugin.facts.fact import ABSENT, Evidence, Fact, Measurement, Presence
from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.facts.scores.read import ScoreHistory
from fhir_plugin.record.dates import DaySpan
from fhir_plugin.record.record import Record
from mappings.schema.codes.screens import ItemRule, Points, PointsRule, ResultRule, ScoreRule, Screen
from mappings.schema.load import Knowledge

_FORMS = "questionnaireResponses"
_MOST_POINTS, _FEWEST_POINTS = 3, 1


def read_screens(
    record: Record, knowledge: Knowledge, scores: ScoreHistory, facts: Mapping[str, Fact], as_of: date
) -> Mapping[str, Fact]:
    """``screens.<name>``; ``facts`` are those of the laboratory."""
    sex = record.patient.gender if record.patient else None
    reader = _ScreenReader(knowledge, scores, facts, sex, as_of)
    read: dict[str, Fact] = {}
    for name, screen in knowledge.screens.screens.items():
        possible, unanswered = tuple(reader.positive(screen)), tuple(reader.unanswered(screen))
        extent = record.extent(screen.inputs)
        read[f"screens.{name}"] = Fact(
            name=f"screens.{name}",
            value=Presence(possible=possible) if possible else ABSENT,
            evidence=possible,
            unread=extent.unread or ((_FORMS,) if unanswered else ()),
            missing=(*extent.gaps, *unanswered),
            looked_in=extent.looked_in,
        )
    return read


class _ScreenReader:
    def __init__(
        self, knowledge: Knowledge, scores: ScoreHistory, facts: Mapping[str, Fact], sex: str | None, as_of: date
    ) -> None:
        self._knowledge, self._facts, self._sex, self._as_of = knowledge, facts, sex, as_of
        self._last = {entry.instrument: entry for entry in scores.assessments}

    def positive(self, screen: Screen) -> Iterator[Evidence]:
        """Every positive result of a screen."""
        for rule in screen.rules:
            if isinstance(rule, ScoreRule):
                yield from self._score(rule, screen)
            elif isinstance(rule, ItemRule):
                yield from self._items(rule, screen)
            elif isinstance(rule, ResultRule):
                yield from self._result(rule)
            else:
                yield from self._points(rule, screen)

    def unanswered(self, screen: Screen) -> Iterator[str]:
        """The screens of which an answer is missing that could make them positive."""
        for rule in screen.rules:
            if isinstance(rule, ScoreRule | ItemRule) and self._lacks_answer(rule):
                yield self._knowledge.wording.gaps["unanswered"].format(short=self._short(rule.instrument))

    def _lacks_answer(self, rule: ScoreRule | ItemRule) -> bool:
        """Whether the total cannot be given, or one of the items was not answered; a total of 0 answers every item."""
        latest = self._latest(rule.instrument, rule.days.value)
        if latest is None or latest.total == 0:
            return False
        if isinstance(rule, ScoreRule):
            return latest.total is None
        instrument = self._knowledge.instruments[rule.instrument]
        return any(latest.items.get(instrument.item(number).key) is None for number in rule.items)

    def _latest(self, instrument: str, days: float) -> Assessment | None:
        """The last assessment, if it may be recent."""
        latest = self._last.get(instrument)
        if latest is None or (latest.day is not None and latest.day.days_before(self._as_of)[0] > days):
            return None
        return latest

    def _score(self, rule: ScoreRule, screen: Screen) -> Iterator[Evidence]:
        latest = self._latest(rule.instrument, rule.days.value)
        if latest is None:
            return
        limit = rule.at_least_male if self._sex == "male" and rule.at_least_male else rule.at_least
        least = latest.total if latest.total is not None else sum(filter(None, latest.items.values()))
        if least >= limit.value:
            note = self._knowledge.screens.notes.score.format(short=self._short(rule.instrument), total=f"{least:g}")
            yield self._evidence(screen, latest.reference, latest.day, note)

    def _items(self, rule: ItemRule, screen: Screen) -> Iterator[Evidence]:
        latest = self._latest(rule.instrument, rule.days.value)
        if latest is None:
            return
        instrument = self._knowledge.instruments[rule.instrument]
        for number in rule.items:
            item = instrument.item(number)
            if latest.items.get(item.key):
                note = self._knowledge.screens.notes.item.format(short=instrument.short, item=item.label)
                yield self._evidence(screen, latest.reference, latest.day, note)

    def _result(self, rule: ResultRule) -> Iterator[Evidence]:
        value = self._facts[f"tests.{rule.test}"].value
        if isinstance(value, Presence):
            yield from (*value.current, *value.possible)

    def _points(self, rule: PointsRule, screen: Screen) -> Iterator[Evidence]:
        """A number whose unit is not known counts the most points, because the worst cannot be excluded."""
        known = [(part, fact) for part in rule.points if (fact := self._recent(part, rule)) is not None]
        points = [
            part.of(fact.value.components["value"]) if isinstance(fact.value, Measurement) else _MOST_POINTS
            for part, fact in known
        ]
        total = sum(points) + (len(rule.points) - len(points)) * _FEWEST_POINTS + rule.besides.value
        if known and total >= rule.at_least.value:
            note = self._knowledge.screens.notes.points.format(points=f"{total:g}")
            evidence = [fact.evidence[0] for _, fact in known]
            newest = max((entry.day for entry in evidence if entry.day), default=None)
            yield self._evidence(screen, evidence[0].reference, newest, note)

    def _recent(self, part: Points, rule: PointsRule) -> Fact | None:
        """The fact of a number that was measured recently, readable or not."""
        fact = self._facts[f"labs.{part.measured}.latest"]
        days = [entry.day.days_before(self._as_of)[0] for entry in fact.evidence if entry.day]
        return fact if fact.evidence and all(day <= rule.days.value for day in days) else None

    def _short(self, instrument: str) -> str:
        return self._knowledge.instruments[instrument].short

    def _evidence(self, screen: Screen, reference: str, day: DaySpan | None, note: str) -> Evidence:
        return Evidence(reference=reference, name=screen.name, label=screen.name, day=day, note=note)
