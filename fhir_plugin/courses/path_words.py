"""Days, changes and periods in words, from the templates of the knowledge. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import reduce
from typing import NamedTuple

from fhir_plugin.courses.windows import day_of
from fhir_plugin.courses.worsening import Outcome, ScorePath, total_of
from fhir_plugin.facts.scores.assessment import Assessment
from mappings.schema.instruments.course_style import TrendWords
from mappings.schema.treatments import Treatments


class PathWords(NamedTuple):
    """The words of a course, as read on one day."""

    words: TrendWords
    names: Treatments
    as_of: date

    def date(self, day: date) -> str:
        """A day, with the year unless it is the current one."""
        return self.words.days.write(day, self.as_of)

    def day(self, assessment: Assessment) -> str:
        """The day of an assessment; a month or a year as the record has it."""
        if assessment.day is None:
            return self.words.undated
        day = day_of(assessment)
        return self.date(day) if day else str(assessment.day)

    def treatments(self, treatments: Iterable[str]) -> str:
        """The short names of treatments."""
        shorts = (self.names[treatment].short for treatment in treatments)
        return reduce(lambda first, second: self.words.joined.format(first=first, second=second), shorts)

    def change(self, start: Assessment, end: Assessment, *, percent: bool = False) -> str:
        """Up, down or unchanged, with the points and, if asked for, the percent of the first value."""
        change, base = total_of(end) - total_of(start), total_of(start)
        if not change:
            return self.words.unchanged
        points = self.words.point.format(points=abs(change))
        said = (self.words.up if change > 0 else self.words.down).format(points=points)
        if not percent or not base:
            return said
        return self.words.percent.format(change=said, percent=abs(100 * change / base))

    def outcome(self, outcome: Outcome | None) -> str:
        """The name of an outcome; empty where none is judged."""
        return str(getattr(self.words.outcomes, outcome.value)) if outcome else ""

    def effect(self, path: ScorePath) -> str:
        """The outcome of a period, if one is judged, and its change."""
        change = self.change(path.start, path.end, percent=True)
        return self.words.judged.format(outcome=self.outcome(path.outcome), change=change) if path.outcome else change

    def path(self, path: ScorePath, short: str) -> str:
        """The values of a period with their days: its ends, and the lowest and a peak between them."""
        words = self.words
        start = self._value(words.path_value, path.start)
        again = bool(path.turns) and total_of(path.start) == total_of(path.end)
        end = self._value(words.path_again if again else words.path_value, path.end)
        if not path.turns:
            return words.path.format(short=short, values=words.path_two.format(start=start, end=end))
        turns = [
            self._value(words.path_lowest if total_of(turn) < total_of(path.end) else words.path_highest, turn)
            for turn in path.turns
        ]
        values = reduce(
            lambda first, second: words.path_between.format(first=first, second=second), (start, *turns, end)
        )
        return words.path.format(short=short, values=values)

    def _value(self, template: str, assessment: Assessment) -> str:
        return template.format(total=total_of(assessment), day=self.day(assessment))
