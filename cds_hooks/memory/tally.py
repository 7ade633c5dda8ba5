"""How often each rule says what, counted in memory and handed on by the day. About no one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

CALLS, ANSWERED = "calls", "answered"
"""The rule under which every call is counted, and what it says."""


class TallyKey(NamedTuple):
    """Who asked which service, and whether the answer was shown (``live``) or only counted (``silent``)."""

    tenant: str
    service: str
    mode: str


RuleOutcome = tuple[str, str]
"""A rule and what it said: a card's rule and its indicator, or a criterion and its verdict."""
DailyCounts = Mapping[tuple[date, TallyKey, RuleOutcome], int]


class Tally:
    """Counts since the start of the process, and since they were last put into the database."""

    def __init__(self) -> None:
        self._day = date.min
        self._fresh: dict[TallyKey, Counter[RuleOutcome]] = {}
        self._total: Counter[tuple[TallyKey, RuleOutcome]] = Counter()
        self._unsaved: Counter[tuple[date, TallyKey, RuleOutcome]] = Counter()

    def count(self, day: date, place: TallyKey, said: Iterable[RuleOutcome]) -> None:
        """Count one call and what the rules said in it."""
        if day != self._day:
            self._settle()
            self._day = day
        counter = self._fresh.get(place)
        if counter is None:
            counter = self._fresh[place] = Counter()
        counter.update(said)
        counter[CALLS, ANSWERED] += 1

    def _settle(self) -> None:
        for place, counter in self._fresh.items():
            for said, number in counter.items():
                self._total[place, said] += number
                self._unsaved[self._day, place, said] += number
        self._fresh = {}

    @property
    def total(self) -> Mapping[tuple[TallyKey, RuleOutcome], int]:
        """Everything since the start of the process."""
        self._settle()
        return self._total

    def unsaved(self) -> DailyCounts:
        """What is not in the database yet."""
        self._settle()
        return dict(self._unsaved)

    def saved(self, counts: DailyCounts) -> None:
        """Take off what was put into the database."""
        self._unsaved.subtract(counts)
        self._unsaved = +self._unsaved
