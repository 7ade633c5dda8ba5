"""How a headline names a finding: by the knowledge's names, parsed values and days, never text of the record. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from fhir_plugin.facts.fact import Evidence, Measurement
from fhir_plugin.record.dates import DaySpan
from mappings.schema.rules.criteria import Criterion
from mappings.schema.texts.wording import NearDayWords, Wording

_MOST_NAMES = 2
"""Names of one finding in a headline."""
_MOST_CHARACTERS = 48
"""Longer names give way to the short name of the criterion."""


def date_words(day: DaySpan, as_of: date, words: NearDayWords) -> str:
    """The day as clinicians write it: ``25 Nov``, ``Nov 2024``, ``2019``; ``today`` and ``yesterday`` by name.

    A day of another year has its year, so that nobody takes ``20 Dec`` for one to come.
    """
    if day.first != day.last:
        whole_year = (day.first.month, day.last.month) == (1, 12)
        return f"{day.first.year}" if whole_year else _month(day.first, words)
    distance = (as_of - day.first).days
    if distance in (0, 1):
        return (words.today, words.yesterday)[distance]
    if distance > _DAYS_OF_A_YEAR:
        return _month(day.first, words)
    return words.write(day.first, as_of)


_DAYS_OF_A_YEAR = 365


def _month(day: date, words: NearDayWords) -> str:
    return words.month.format(month=words.months[day.month - 1], year=day.year)


def ago_words(day: DaySpan, as_of: date, words: NearDayWords) -> str:
    """How long ago a recent day is, ``21 days ago``; the date of an older or imprecise one."""
    distance = (as_of - day.first).days
    if day.first != day.last or not 1 < distance <= words.ago_most_days:
        return date_words(day, as_of, words)
    return words.ago.format(days=distance)


def entries_phrase(
    template: str, by_fact: Sequence[Sequence[Evidence]], criterion: Criterion, as_of: date, wording: Wording
) -> str:
    """The phrase of a presence, from the entries of each fact that decides it."""
    return template.format_map(_EntryFields(by_fact, criterion, as_of, wording))


class _EntryFields(dict[str, str]):
    """The fields of a phrase about entries, each made when the phrase names it."""

    def __init__(
        self, by_fact: Sequence[Sequence[Evidence]], criterion: Criterion, as_of: date, wording: Wording
    ) -> None:
        super().__init__(value="", limit="")
        self._by_fact, self._criterion, self._as_of, self._wording = by_fact, criterion, as_of, wording

    def __missing__(self, field: str) -> str:
        if field == "names":
            return self._names([entry for entries in self._by_fact for entry in entries], _MOST_NAMES)
        if field == "pair":
            return f" {self._wording.names.pair} ".join([self._names(entries, 1) for entries in self._by_fact])
        newest = max([entry.day for entries in self._by_fact for entry in entries if entry.day], default=None)
        return f" {_DAYS[field](newest, self._as_of, self._wording.days)}" if newest else ""

    def _names(self, entries: Sequence[Evidence], most: int) -> str:
        """The distinct names, as many as a headline has room for, else what the criterion is about."""
        names = list(dict.fromkeys([entry.name for entry in entries if entry.name]))[:most]
        joined = (f"{self._wording.names.both} ".join(names[:count]) for count in range(len(names), 0, -1))
        return next((text for text in joined if len(text) <= _MOST_CHARACTERS), self._criterion.short)


_DAYS: dict[str, Callable[[DaySpan, date, NearDayWords], str]] = {
    "when": date_words,
    "ago": ago_words,
    "dated": lambda day, as_of, words: words.dated.format(date=date_words(day, as_of, words)),
    "noted": lambda day, as_of, words: words.noted.format(date=ago_words(day, as_of, words)),
}
"""How the newest entry's day is told, by the field of the phrase."""


def value_phrase(
    template: str, name: str, value: str, limit: str, day: DaySpan | None, as_of: date, wording: Wording
) -> str:
    """The phrase of a number: ``BP 172/104 on 25 Nov``."""
    when = f" {_on(day, as_of, wording.days)}" if day else ""
    return template.format(names=name, pair="", value=value, limit=limit, when=when, ago=when, dated=when, noted=when)


def _on(day: DaySpan, as_of: date, words: NearDayWords) -> str:
    written = date_words(day, as_of, words)
    return written if written in (words.today, words.yesterday) else words.measured.format(date=written)


def plain_value(value: Measurement) -> str:
    """The numbers without a unit, systolic before diastolic: ``172/104``."""
    return "/".join([f"{value.components[name]:g}" for name in sorted(value.components, reverse=True)])
