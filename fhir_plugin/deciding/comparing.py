"""One criterion held against one fact: a comparison from a small closed set. Pure."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from datetime import date

import msgspec

from fhir_plugin.deciding.finding import Doubt, Verdict
from fhir_plugin.deciding.phrases import plain_value
from fhir_plugin.deciding.ready import NO_VALUES, ReadyCriterion, ReadyFact
from fhir_plugin.facts.fact import ABSENT, Count, Evidence, Fact, Measurement, Presence
from fhir_plugin.record.dates import DaySpan, is_within
from mappings.schema.rules.criteria import BY_COMPONENT, Asked, Comparator, Criterion
from mappings.schema.texts.wording import Wording


class CriterionAnswer(msgspec.Struct, frozen=True):
    """The result of a criterion for one fact, with the values for its sentence."""

    verdict: Verdict
    words: str
    """Which sentence of ``FindingWords``."""
    values: Mapping[str, str] = NO_VALUES
    """``NO_VALUES`` where it rests on no entry and no number."""
    doubt: Doubt | None = None
    entries: tuple[Evidence, ...] = ()
    """The entries that decide it."""
    plain: str = ""
    """The number that decides it, without its unit."""
    day: DaySpan | None = None

    def value_of(self, fact: Fact) -> str:
        """The number with the names of what was measured or counted, or the names of the entries."""
        if not self.entries and not self.plain:
            return ""
        names = ", ".join(dict.fromkeys(entry.name for entry in self.entries or fact.evidence if entry.name))
        if not self.plain:
            return names
        if isinstance(fact.value, Count):
            return f"{self.plain}: {names}" if names else self.plain
        return f"{names} {self.plain}".strip()

    @property
    def newest(self) -> DaySpan | None:
        """The day of the measurement, or of the newest entry."""
        return self.day or max((entry.day for entry in self.entries if entry.day), default=None)


NOTHING = CriterionAnswer(Verdict.NOT_MET, "not_met")
"""All was read, and nothing is there."""
_NOT_READ = CriterionAnswer(Verdict.UNKNOWN, "unknown", doubt=Doubt.UNREAD)
_NOT_THERE = CriterionAnswer(Verdict.UNKNOWN, "unknown", doubt=Doubt.MISSING)
_NOT_ASKED = CriterionAnswer(Verdict.UNKNOWN, "not_asked", doubt=Doubt.ASK)


def compare(
    criterion: ReadyCriterion, on: ReadyFact, fact: Fact, facts: Mapping[str, Fact], as_of: date
) -> CriterionAnswer:
    """The answer of a criterion for one of its facts; ``facts`` may answer a question that it asks."""
    value = fact.value
    if value is None or (value is ABSENT and fact.missing):
        return _without_value(fact)
    if isinstance(value, Presence):
        answer = NOTHING if value is ABSENT else _presence(criterion, value, fact)
        asked = criterion.criterion.asked
        if answer is NOTHING and asked and not _is_answered(criterion.criterion, asked, facts, as_of):
            return _NOT_ASKED
        return answer
    if isinstance(value, Count):
        return _count(criterion.criterion, on, value)
    return _measurement(criterion, on, value, fact, as_of)


def _without_value(fact: Fact) -> CriterionAnswer:
    """Nothing is known: because nothing is on the record, or because it was not read whole."""
    return _NOT_THERE if fact.absent else _NOT_READ


def _is_answered(criterion: Criterion, asked: Asked, facts: Mapping[str, Fact], as_of: date) -> bool:
    """Whether the question was answered recently, or need not be put to this patient."""
    values = (facts[name].value for name in criterion.facts)
    if asked.or_by_past and any(isinstance(value, Presence) and value.past for value in values):
        return True
    if asked.may_concern:
        concerned = facts[asked.may_concern].value
        if isinstance(concerned, Presence) and not concerned.current:
            return True
    days = asked.within_days.value if asked.within_days else 0
    answers = (entry for name in asked.answered_by for entry in facts[name].evidence)
    return any(is_within(entry.day, days, as_of) for entry in answers)


def _presence(criterion: ReadyCriterion, presence: Presence, fact: Fact) -> CriterionAnswer:
    entries = presence.current
    if criterion.counts_past:
        entries += presence.past
    if entries:
        return CriterionAnswer(Verdict.MET, "met", _entries(entries), entries=entries)
    if presence.possible:
        values, doubt = _entries(presence.possible), Doubt.POSSIBLE
        return CriterionAnswer(Verdict.UNKNOWN, "unsure", values, doubt, entries=presence.possible)
    return _without_value(fact) if fact.missing else NOTHING


def _entries(entries: tuple[Evidence, ...]) -> Mapping[str, str]:
    """The values of a sentence about entries."""
    days = [entry.day for entry in entries if entry.day]
    return {**NO_VALUES, "count": str(len(entries)), "when": f" ({max(days)})" if days else ""}


_HOLDS: dict[Comparator, Callable[[float, float], bool]] = {
    Comparator.AT_LEAST: operator.ge,
    Comparator.AT_MOST: operator.le,
    Comparator.ABOVE: operator.gt,
    Comparator.BELOW: operator.lt,
    Comparator.ANY_AT_LEAST: operator.ge,
    Comparator.ANY_ABOVE: operator.gt,
}


def _count(criterion: Criterion, on: ReadyFact, count: Count) -> CriterionAnswer:
    """Met when the comparison holds at both bounds, not met when at neither; no upper bound means any number."""
    holds = _HOLDS[criterion.compare]
    high = math.inf if count.high is None else count.high
    at_low, at_high = holds(count.low, on.limit), holds(high, on.limit)
    plain = _range(count)
    values = {**on.values, "value": plain}
    if at_low and at_high:
        return CriterionAnswer(Verdict.MET, "met", values, plain=plain)
    if at_low or at_high:
        return CriterionAnswer(Verdict.UNKNOWN, "unsure", values, Doubt.UNREAD)
    return CriterionAnswer(Verdict.NOT_MET, "not_met", values, plain=plain)


def _range(count: Count) -> str:
    if count.high is None:
        return f"≥ {count.low}"
    return f"{count.low}" if count.low == count.high else f"{count.low}-{count.high}"


def _measurement(ready: ReadyCriterion, on: ReadyFact, value: Measurement, fact: Fact, as_of: date) -> CriterionAnswer:
    criterion, plain, day = ready.criterion, plain_value(value), value.day
    said_day = f" on {day}" if day else ""
    values = {**on.values, "value": f"{plain} {_unit(value, ready.wording)}".strip(), "day": said_day}
    if criterion.max_age_days is not None and not is_within(day, criterion.max_age_days.value, as_of):
        return CriterionAnswer(Verdict.UNKNOWN, "old", values, Doubt.UNREAD if fact.missing else Doubt.MISSING)
    met = CriterionAnswer(Verdict.MET, "met", values, plain=plain, day=day)
    if criterion.compare is Comparator.RECORDED:
        return met
    holds = _reached(criterion, on, value)
    if holds and (criterion.compare in BY_COMPONENT or not fact.missing):
        return met
    if holds is None or fact.missing:
        return CriterionAnswer(Verdict.UNKNOWN, "unsure", values, Doubt.UNREAD)
    return CriterionAnswer(Verdict.NOT_MET, "not_met", values, plain=plain, day=day)


def _reached(criterion: Criterion, on: ReadyFact, value: Measurement) -> bool | None:
    """Whether the comparison holds; ``None`` when a component that could decide it is missing.

    A reached limit of one component counts even where a newer reading may exist.
    """
    holds = _HOLDS[criterion.compare]
    if criterion.compare not in BY_COMPONENT:
        (only,) = value.components.values()
        return holds(only, on.limit)
    reached = [
        holds(value.components[component], number.value)
        for component, number in criterion.limits.items()
        if component in value.components
    ]
    if any(reached):
        return True
    return False if reached and len(reached) == len(criterion.limits) else None


def _unit(value: Measurement, wording: Wording) -> str:
    """The unit as clinicians write it; none for UCUM annotations such as ``{score}``."""
    return "" if value.unit.startswith("{") else wording.units.get(value.unit, value.unit)
