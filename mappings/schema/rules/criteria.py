"""Criteria: one statement about a patient per file, as a fact and one comparison. No expression language."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, Number, Reviewed
from mappings.schema.base.files import read_named


class Comparator(StrEnum):
    """The closed set of comparisons and the kinds of fact that they apply to."""

    PRESENT = "present"
    """Presence: there is a current entry."""
    EVER = "ever"
    """Presence: there is an entry, current or past."""
    AT_LEAST = "at_least"
    """Count, or measurement of one component: the limit or more."""
    AT_MOST = "at_most"
    """Like ``at_least``: the limit or less."""
    ABOVE = "above"
    """Like ``at_least``: more than the limit."""
    BELOW = "below"
    """Like ``at_least``: less than the limit."""
    ANY_AT_LEAST = "any_at_least"
    """Measurement: at least one component reaches its own limit."""
    ANY_ABOVE = "any_above"
    """Measurement: at least one component is above its own limit."""
    RECORDED = "recorded"
    """Measurement: there is one, not older than ``max_age_days``."""


class FactKind(StrEnum):
    """The kinds of fact."""

    PRESENCE = "presence"
    MEASUREMENT = "measurement"
    COUNT = "count"


FACT_KINDS = {
    Comparator.PRESENT: {FactKind.PRESENCE},
    Comparator.EVER: {FactKind.PRESENCE},
    Comparator.AT_LEAST: {FactKind.COUNT, FactKind.MEASUREMENT},
    Comparator.AT_MOST: {FactKind.COUNT, FactKind.MEASUREMENT},
    Comparator.ABOVE: {FactKind.COUNT, FactKind.MEASUREMENT},
    Comparator.BELOW: {FactKind.COUNT, FactKind.MEASUREMENT},
    Comparator.ANY_AT_LEAST: {FactKind.MEASUREMENT},
    Comparator.ANY_ABOVE: {FactKind.MEASUREMENT},
    Comparator.RECORDED: {FactKind.MEASUREMENT},
}
"""The kinds of fact that a comparison can read."""

BY_COMPONENT = frozenset({Comparator.ANY_AT_LEAST, Comparator.ANY_ABOVE})
"""Comparisons of each component with its own limit."""


class Ask(Entry):
    """What would answer an unknown criterion."""

    datum: str
    """A key that other modules look up, such as ``blood_pressure``."""
    words: str


class Phrases(Entry):
    """How a headline names a finding; the fields are those of ``PHRASE_FIELDS`` in ``texts/wording.py``."""

    met: str = "{names}{ago}"
    not_met: str = ""
    """For a statement that is required or expected; empty for others."""


class Asked(Entry):
    """A question that has to be put to the patient: nothing on the record does not mean no."""

    answered_by: tuple[str, ...] = ()
    """Facts that answer it: a score, or a test with any result."""
    or_by_past: bool = False
    """Whether an ended entry answers it too: a use disorder in remission, but not a device that was taken out."""
    within_days: Number | None = None
    """An older answer has to be asked again; ``None`` where nothing on the record answers it."""
    may_concern: str | None = None
    """The fact without which nobody is asked, such as ``person.childbearing``; ``None``: everybody is."""

    @property
    def facts(self) -> tuple[str, ...]:
        """Every fact that it names."""
        return (*self.answered_by, *([self.may_concern] if self.may_concern else []))


class Criterion(Reviewed):
    """One statement about a patient."""

    id: str
    """``topic.statement``, also the name of the file."""
    title: str
    short: str = ""
    """What it is about in two or three words, as a headline names it: ``metal in head or neck``."""
    phrases: Phrases = Phrases()
    covers: tuple[str, ...] = ()
    """Criteria that a headline need not name beside this one, because it names what they found."""
    asked: Asked | None = None
    """Of a statement whose absence from the record proves nothing, because it is learnt only by asking."""
    statement: str
    facts: tuple[str, ...]
    """Names of facts; with several, the statement is true if it is true of one of them."""
    among: Literal["any", "recorded", "all"] = "any"
    """Of several facts: ``recorded``: only those with a recent value count, unless none has one; ``all``: the statement
    is true only if it is true of every one."""
    compare: Comparator
    limit: Number | None = None
    limits: dict[str, Number] = Field(default_factory=dict)
    """By component of the measurement; for comparisons with a single limit by fact, if the limits differ."""
    unit: str = ""
    max_age_days: Number | None = None
    """An older measurement leaves the answer unknown."""
    sources: tuple[str, ...]
    ask: Ask
    local: bool = False
    """Whether a site replaced one of its numbers; set when the site's file is read."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.compare in BY_COMPONENT and not self.limits:
            raise ValueError(f"{self.compare} needs limits")
        if self.compare in _ONE_LIMIT and self.limit is None and set(self.limits) != set(self.facts):
            raise ValueError(f"{self.compare} needs a limit, or limits for each of its facts")
        if not self.facts:
            raise ValueError("facts: at least one is needed")
        return self

    def limit_for(self, fact: str) -> Number | None:
        """The limit that applies to a fact."""
        return self.limit or self.limits.get(fact)

    @property
    def numbers(self) -> dict[str, Number]:
        """Every number of the criterion, by key in the file."""
        single = {"limit": self.limit, "max_age_days": self.max_age_days}
        numbers = {key: number for key, number in single.items() if number is not None}
        return numbers | {f"limits.{component}": number for component, number in self.limits.items()}


_ONE_LIMIT = {Comparator.AT_LEAST, Comparator.AT_MOST, Comparator.ABOVE, Comparator.BELOW}


def load_criteria(folder: Path) -> dict[str, Criterion]:
    """Every criterion of a folder by id; the name of a file is its id."""
    return read_named(folder, Criterion)
