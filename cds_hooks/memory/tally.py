"""Counts of rule outcomes, kept in memory and handed on by day. Holds no patient data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import NamedTuple

LIVE = "live"
"""The mode in which cards are shown."""
CALLS, ANSWERED = "calls", "answered"
"""The pseudo-rule under which every call is counted, and its outcome."""


_STANDING = "standing:"
"""Before the treatments whose standings are counted, so that they are told from rules."""


UNKNOWN_CARD = "feedback:unknown"
"""The pseudo-rule under which feedback on cards that are not known is counted, by its outcome."""
TOOK, ANY_TIME = "calls:took", "any"
"""The pseudo-rule under which calls are counted by how long they took, and its outcome for every call."""
SLOWER_THAN = (0.5, 1.0, 2.0)
"""Seconds: an EHR may no longer show the cards of a call that takes longer. Each is an outcome of its own."""
_APART = (_STANDING, "feedback:", "calls:")


def is_apart(rule: str) -> bool:
    """Whether something else than a rule is counted under this name."""
    return rule.startswith(_APART)


def times(seconds: float) -> Iterator[tuple[str, str]]:
    """How long one call took, as outcomes."""
    yield TOOK, ANY_TIME
    for limit in SLOWER_THAN:
        if seconds > limit:
            yield TOOK, slower(limit)


def slower(limit: float) -> str:
    """The outcome of a call that took longer than so many seconds."""
    return f"over {limit:g} s"


def standing_rule(treatment: str) -> str:
    """The pseudo-rule under which the standings of a treatment are counted."""
    return f"{_STANDING}{treatment}"


def treatment_of(rule: str) -> str:
    """The treatment whose standings are counted under this pseudo-rule; empty for a rule."""
    return rule.removeprefix(_STANDING) if rule.startswith(_STANDING) else ""


class TallyKey(NamedTuple):
    """Tenant, service, and whether the answer was shown (``live``) or only counted (``silent``)."""

    tenant: str
    service: str
    mode: str


RuleOutcome = tuple[str, str]
"""A rule and its outcome: a card's rule and indicator, a criterion and its verdict, or a treatment and its standing."""
DailyCounts = Mapping[tuple[date, TallyKey, RuleOutcome], int]


class Tally:
    """Counts since the start of the process, and since the last write to the database."""

    def __init__(self) -> None:
        self._day = date.min
        self._fresh: dict[TallyKey, Counter[RuleOutcome]] = {}
        self._total: Counter[tuple[TallyKey, RuleOutcome]] = Counter()
        self._unsaved: Counter[tuple[date, TallyKey, RuleOutcome]] = Counter()

    def count(self, day: date, key: TallyKey, outcomes: Iterable[RuleOutcome]) -> None:
        """Count one call and its rule outcomes."""
        counter = self._counter(day, key)
        counter.update(outcomes)
        counter[CALLS, ANSWERED] += 1

    def add(self, day: date, key: TallyKey, outcomes: Iterable[RuleOutcome]) -> None:
        """Count what is not an outcome of a rule."""
        self._counter(day, key).update(outcomes)

    def _counter(self, day: date, key: TallyKey) -> Counter[RuleOutcome]:
        if day != self._day:
            self._merge()
            self._day = day
        counter = self._fresh.get(key)
        if counter is None:
            counter = self._fresh[key] = Counter()
        return counter

    def _merge(self) -> None:
        for key, counter in self._fresh.items():
            for outcome, number in counter.items():
                self._total[key, outcome] += number
                self._unsaved[self._day, key, outcome] += number
        self._fresh = {}

    @property
    def total(self) -> Mapping[tuple[TallyKey, RuleOutcome], int]:
        """All counts since the start of the process."""
        self._merge()
        return self._total

    def unsaved(self) -> DailyCounts:
        """Counts that are not in the database yet."""
        self._merge()
        return dict(self._unsaved)

    def saved(self, counts: DailyCounts) -> None:
        """Subtract counts that were written to the database."""
        self._unsaved.subtract(counts)
        self._unsaved = +self._unsaved
