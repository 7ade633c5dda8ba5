"""One criterion held against one fact: a comparison from a small closed set. Pure."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from datetime import date

import msgspec

from fhir_plugin.deciding.finding import Doubt, Verdict
from fhir_plugin.deciding.phrases import plain_value
from fhir_plugin.facts.fact import Count, Evidence, Fact, Measurement, Presence
from fhir_plugin.record.dates import DaySpan, is_within
from mappings.schema.load import Knowledge
from mappings.schema.rules.criteria import BY_COMPONENT, Asked, Comparator, Criterion
from mappings.schema.texts.wording import FINDING_FIELDS, Wording


class CriterionAnswer(msgspec.Struct, frozen=True):
    """The result of a criterion for one fact, with the values for its sentence."""

    verdict: Verdict
    words: str
    """Which sentence of ``FindingWords``."""
    values: Mapping[str, str]
    doubt: Doubt | None = None
    entries: tuple[Evidence, ...] = ()
    """The entries that decide it."""
    plain: str = ""
    """The number that decides it, without its unit."""
    day: DaySpan | None = None

    def value_of(self, fact: Fact) -> str:
        """The number with the names of what was measured or counted, or the names of the entries."""
        names = ", ".join(dict.fromkeys(entry.name for entry in self.entries or fact.evidence if entry.name))
        if not self.plain:
            return names if self.entries else ""
        if isinstance(fact.value, Count):
            return f"{self.plain}: {names}" if names else self.plain
        return f"{names} {self.plain}".strip()

    @property
    def newest(self) -> DaySpan | None:
        """The day of the measurement, or of the newest entry."""
        return self.day or max((entry.day for entry in self.entries if entry.day), default=None)


def compare(
    criterion: Criterion, fact: Fact, facts: Mapping[str, Fact], as_of: date, knowledge: Knowledge
) -> CriterionAnswer:
    """The answer of a criterion for one of its facts; ``facts`` may answer a question that it asks."""
    value = fact.value
    if value is None:
        return CriterionAnswer(Verdict.UNKNOWN, "unknown", _NO_VALUES, doubt=_doubt_without(fact))
    if isinstance(value, Presence):
        answer = _presence(criterion, value, fact)
        if answer.verdict is Verdict.NOT_MET and criterion.asked and not _is_answered(criterion, facts, as_of):
            return CriterionAnswer(Verdict.UNKNOWN, "not_asked", _NO_VALUES, doubt=Doubt.ASK)
        return answer
    if isinstance(value, Count):
        return _count(criterion, value, fact, knowledge.wording)
    return _measurement(criterion, value, fact, as_of, knowledge.wording)


def _doubt_without(fact: Fact) -> Doubt:
    """Why a fact without any entry or value leaves a statement unknown."""
    return Doubt.MISSING if fact.absent else Doubt.UNREAD


def _is_answered(criterion: Criterion, facts: Mapping[str, Fact], as_of: date) -> bool:
    """Whether the question was answered recently, or need not be put to this patient."""
    asked = criterion.asked or Asked()
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


_NO_VALUES: Mapping[str, str] = dict.fromkeys(FINDING_FIELDS - {"title", "missing"}, "")
"""Every field a sentence may name beside title and gaps, empty where it does not apply."""


def _values(criterion: Criterion, fact: Fact, wording: Wording, value: str, day: str = "") -> Mapping[str, str]:
    """The values of a sentence about numbers."""
    own_limit = criterion.limit_for(fact.name)
    limit = f"{own_limit}" if own_limit else "/".join(f"{number}" for number in criterion.limits.values())
    age = f"{criterion.max_age_days}" if criterion.max_age_days else ""
    unit = wording.units.get(criterion.unit, criterion.unit)
    return {**_NO_VALUES, "limit": f"{limit} {unit}".strip(), "max_age": age, "value": value, "day": day}


def _presence(criterion: Criterion, presence: Presence, fact: Fact) -> CriterionAnswer:
    entries = presence.current
    if criterion.compare is Comparator.EVER:
        entries += presence.past
    if entries:
        return CriterionAnswer(Verdict.MET, "met", {**_NO_VALUES, **_entries(entries)}, entries=entries)
    if presence.possible:
        values, doubt = {**_NO_VALUES, **_entries(presence.possible)}, Doubt.POSSIBLE
        return CriterionAnswer(Verdict.UNKNOWN, "unsure", values, doubt, entries=presence.possible)
    if fact.missing:
        return CriterionAnswer(Verdict.UNKNOWN, "unknown", _NO_VALUES, _doubt_without(fact))
    return CriterionAnswer(Verdict.NOT_MET, "not_met", _NO_VALUES)


def _entries(entries: tuple[Evidence, ...]) -> dict[str, str]:
    days = [entry.day for entry in entries if entry.day]
    return {"count": str(len(entries)), "when": f" ({max(days)})" if days else ""}


_HOLDS: dict[Comparator, Callable[[float, float], bool]] = {
    Comparator.AT_LEAST: operator.ge,
    Comparator.AT_MOST: operator.le,
    Comparator.ABOVE: operator.gt,
    Comparator.BELOW: operator.lt,
    Comparator.ANY_AT_LEAST: operator.ge,
    Comparator.ANY_ABOVE: operator.gt,
}


def _count(criterion: Criterion, count: Count, fact: Fact, wording: Wording) -> CriterionAnswer:
    """Met when the comparison holds at both bounds, not met when at neither; no upper bound means any number."""
    holds, limit = _HOLDS[criterion.compare], _limit(criterion, fact)
    high = math.inf if count.high is None else count.high
    at_low, at_high = holds(count.low, limit), holds(high, limit)
    plain = _range(count)
    values = _values(criterion, fact, wording, value=plain)
    if at_low and at_high:
        return CriterionAnswer(Verdict.MET, "met", values, plain=plain)
    if at_low or at_high:
        return CriterionAnswer(Verdict.UNKNOWN, "unsure", values, Doubt.UNREAD)
    return CriterionAnswer(Verdict.NOT_MET, "not_met", values, plain=plain)


def _limit(criterion: Criterion, fact: Fact) -> float:
    limit = criterion.limit_for(fact.name)
    return limit.value if limit else math.nan


def _range(count: Count) -> str:
    if count.high is None:
        return f"≥ {count.low}"
    return f"{count.low}" if count.low == count.high else f"{count.low}-{count.high}"


def _measurement(
    criterion: Criterion, value: Measurement, fact: Fact, as_of: date, wording: Wording
) -> CriterionAnswer:
    day = f" on {value.day}" if value.day else ""
    values = _values(criterion, fact, wording, value=_formatted(value, wording), day=day)
    if criterion.max_age_days is not None and not is_within(value.day, criterion.max_age_days.value, as_of):
        return CriterionAnswer(Verdict.UNKNOWN, "old", values, Doubt.UNREAD if fact.missing else Doubt.MISSING)
    plain, on = plain_value(value), value.day
    met = CriterionAnswer(Verdict.MET, "met", values, plain=plain, day=on)
    if criterion.compare is Comparator.RECORDED:
        return met
    holds = _reached(criterion, value, fact)
    if holds and (criterion.compare in BY_COMPONENT or not fact.missing):
        return met
    if holds is None or fact.missing:
        return CriterionAnswer(Verdict.UNKNOWN, "unsure", values, Doubt.UNREAD)
    return CriterionAnswer(Verdict.NOT_MET, "not_met", values, plain=plain, day=on)


def _reached(criterion: Criterion, value: Measurement, fact: Fact) -> bool | None:
    """Whether the comparison holds; ``None`` when a component that could decide it is missing.

    A reached limit of one component counts even where a newer reading may exist.
    """
    holds = _HOLDS[criterion.compare]
    if criterion.compare not in BY_COMPONENT:
        (only,) = value.components.values()
        return holds(only, _limit(criterion, fact))
    reached = [
        holds(value.components[component], number.value)
        for component, number in criterion.limits.items()
        if component in value.components
    ]
    if any(reached):
        return True
    return False if reached and len(reached) == len(criterion.limits) else None


def _formatted(value: Measurement, wording: Wording) -> str:
    """The numbers with their unit as clinicians write it, without UCUM annotations such as ``{score}``."""
    unit = "" if value.unit.startswith("{") else wording.units.get(value.unit, value.unit)
    return f"{plain_value(value)} {unit}".strip()
