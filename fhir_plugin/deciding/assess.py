"""Facts compared with criteria: every statement is met, not met, or unknown. Pure.

Met and not met are claims about the record; anything that the record leaves open is unknown, with what was missing.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import TypeVar

import msgspec

from fhir_plugin.facts.fact import Count, Evidence, Fact, Measurement, Presence
from fhir_plugin.facts.read import Facts
from fhir_plugin.record.dates import DaySpan
from mappings.schema.load import Knowledge
from mappings.schema.rules.criteria import BY_COMPONENT, Comparator, Criterion
from mappings.schema.texts.wording import FINDING_FIELDS


class Verdict(StrEnum):
    """Whether a statement about the patient holds."""

    MET = "met"
    NOT_MET = "not_met"
    UNKNOWN = "unknown"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one criterion concludes."""

    criterion: str
    verdict: Verdict
    because: str
    """One plain sentence with values, units and dates; no text of the record."""
    missing: tuple[str, ...] = ()
    """What the verdict would have needed; empty unless it is unknown."""
    evidence: tuple[Evidence, ...] = ()
    looked_in: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    local: bool = False
    """Whether a number of the criterion is the site's own."""


def assess(facts: Facts, knowledge: Knowledge, criteria: Iterable[str] | None = None) -> tuple[Finding, ...]:
    """Assess the criteria (all, or those named) by the facts, in the given order."""
    names = knowledge.criteria if criteria is None else criteria
    return tuple(assess_criterion(knowledge.criteria[name], facts.named, facts.as_of, knowledge) for name in names)


class _CriterionAnswer(msgspec.Struct, frozen=True):
    """The result of a criterion for one fact, with the values for its sentence."""

    verdict: Verdict
    words: str
    """Which sentence of ``FindingWords``."""
    values: Mapping[str, str]


def assess_criterion(criterion: Criterion, facts: Mapping[str, Fact], as_of: date, knowledge: Knowledge) -> Finding:
    """Assess one criterion by the facts that it names."""
    if len(criterion.facts) == 1:
        fact = facts[criterion.facts[0]]
        answer = _answer(criterion, fact, as_of)
        return Finding(
            criterion=criterion.id,
            verdict=answer.verdict,
            because=_sentence(criterion, fact, answer, knowledge),
            missing=fact.missing if answer.verdict is Verdict.UNKNOWN else (),
            evidence=fact.evidence,
            looked_in=fact.looked_in,
            sources=criterion.sources,
            local=criterion.local,
        )
    return _finding_of_several(criterion, facts, as_of, knowledge)


def _finding_of_several(criterion: Criterion, facts: Mapping[str, Fact], as_of: date, knowledge: Knowledge) -> Finding:
    """The statement holds if it holds for one, or for all, of several facts; the facts that decide give the reason."""
    answers = _considered(criterion, facts, as_of)
    combined = _all_of if criterion.among == "all" else _any_of
    verdict = combined([answer.verdict for _, answer in answers])
    decisive = [(fact, answer) for fact, answer in answers if answer.verdict is verdict]
    return Finding(
        criterion=criterion.id,
        verdict=verdict,
        because=" ".join(_sentence(criterion, fact, answer, knowledge) for fact, answer in decisive),
        missing=_distinct(gap for fact, _ in decisive for gap in fact.missing) if verdict is Verdict.UNKNOWN else (),
        evidence=_distinct(piece for fact, _ in decisive for piece in fact.evidence),
        looked_in=_distinct(place for fact, _ in answers for place in fact.looked_in),
        sources=criterion.sources,
        local=criterion.local,
    )


def _considered(criterion: Criterion, facts: Mapping[str, Fact], as_of: date) -> list[tuple[Fact, _CriterionAnswer]]:
    """The facts with their answers; of facts that are not all recorded, those that are, where that is asked."""
    answers = [(fact, _answer(criterion, fact, as_of)) for fact in map(facts.__getitem__, criterion.facts)]
    if criterion.among == "recorded":
        return [(fact, answer) for fact, answer in answers if answer.words not in _NO_VALUE] or answers
    return answers


_NO_VALUE = ("unknown", "old")
"""Answers of a fact that has no value, or none that is recent."""


def _any_of(verdicts: list[Verdict]) -> Verdict:
    if Verdict.MET in verdicts:
        return Verdict.MET
    return Verdict.NOT_MET if verdicts and Verdict.UNKNOWN not in verdicts else Verdict.UNKNOWN


def _all_of(verdicts: list[Verdict]) -> Verdict:
    if Verdict.NOT_MET in verdicts:
        return Verdict.NOT_MET
    return Verdict.MET if verdicts and Verdict.UNKNOWN not in verdicts else Verdict.UNKNOWN


_T = TypeVar("_T")


def _distinct(items: Iterable[_T]) -> tuple[_T, ...]:
    kept: list[_T] = []
    for item in items:
        if item not in kept:
            kept.append(item)
    return tuple(kept)


def _sentence(criterion: Criterion, fact: Fact, answer: _CriterionAnswer, knowledge: Knowledge) -> str:
    words = knowledge.sentences[criterion.id][fact.name]
    sentence: str = getattr(words, answer.words) or words.unknown
    if "{" in sentence:
        missing = "; ".join(fact.missing) or knowledge.wording.gaps["open"]
        sentence = sentence.format(missing=missing, **answer.values)
    return f"{sentence} {knowledge.wording.local}" if criterion.local else sentence


def _answer(criterion: Criterion, fact: Fact, as_of: date) -> _CriterionAnswer:
    value = fact.value
    if value is None:
        return _CriterionAnswer(Verdict.UNKNOWN, "unknown", _NO_VALUES)
    if isinstance(value, Presence):
        return _presence(criterion, value, fact)
    if isinstance(value, Count):
        return _count(criterion, value, fact)
    return _measurement(criterion, value, fact, as_of)


_NO_VALUES: Mapping[str, str] = dict.fromkeys(FINDING_FIELDS - {"title", "missing"}, "")
"""Every field a sentence may name beside title and gaps, empty where it does not apply."""


def _values(criterion: Criterion, fact: Fact, value: str, day: str = "") -> Mapping[str, str]:
    """The values of a sentence about numbers."""
    own_limit = criterion.limit_for(fact.name)
    limit = f"{own_limit}" if own_limit else "/".join(f"{number}" for number in criterion.limits.values())
    age = f"{criterion.max_age_days}" if criterion.max_age_days else ""
    return {**_NO_VALUES, "limit": f"{limit} {criterion.unit}".strip(), "max_age": age, "value": value, "day": day}


def _presence(criterion: Criterion, presence: Presence, fact: Fact) -> _CriterionAnswer:
    entries = presence.current
    if criterion.compare is Comparator.EVER:
        entries += presence.past
    if entries:
        return _CriterionAnswer(Verdict.MET, "met", {**_NO_VALUES, **_entries(entries)})
    if presence.possible:
        return _CriterionAnswer(Verdict.UNKNOWN, "unsure", {**_NO_VALUES, **_entries(presence.possible)})
    if fact.missing:
        return _CriterionAnswer(Verdict.UNKNOWN, "unknown", _NO_VALUES)
    return _CriterionAnswer(Verdict.NOT_MET, "not_met", _NO_VALUES)


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


def _count(criterion: Criterion, count: Count, fact: Fact) -> _CriterionAnswer:
    """Met when the comparison holds at both bounds, not met when at neither; no upper bound means any number."""
    holds, limit = _HOLDS[criterion.compare], _limit(criterion, fact)
    high = math.inf if count.high is None else count.high
    at_low, at_high = holds(count.low, limit), holds(high, limit)
    values = _values(criterion, fact, value=_range(count))
    if at_low and at_high:
        return _CriterionAnswer(Verdict.MET, "met", values)
    if at_low or at_high:
        return _CriterionAnswer(Verdict.UNKNOWN, "unsure", values)
    return _CriterionAnswer(Verdict.NOT_MET, "not_met", values)


def _limit(criterion: Criterion, fact: Fact) -> float:
    limit = criterion.limit_for(fact.name)
    return limit.value if limit else math.nan


def _range(count: Count) -> str:
    if count.high is None:
        return f"≥ {count.low}"
    return f"{count.low}" if count.low == count.high else f"{count.low}-{count.high}"


def _measurement(criterion: Criterion, value: Measurement, fact: Fact, as_of: date) -> _CriterionAnswer:
    values = _values(criterion, fact, value=_formatted(value), day=f" on {value.day}" if value.day else "")
    if criterion.max_age_days is not None and not _fresh(value.day, criterion.max_age_days.value, as_of):
        return _CriterionAnswer(Verdict.UNKNOWN, "old", values)
    if criterion.compare is Comparator.RECORDED:
        return _CriterionAnswer(Verdict.MET, "met", values)
    holds = _reached(criterion, value, fact)
    if holds and (criterion.compare in BY_COMPONENT or not fact.missing):
        return _CriterionAnswer(Verdict.MET, "met", values)
    if holds is None or fact.missing:
        return _CriterionAnswer(Verdict.UNKNOWN, "unsure", values)
    return _CriterionAnswer(Verdict.NOT_MET, "not_met", values)


def _fresh(day: DaySpan | None, days: float, as_of: date) -> bool:
    return day is not None and day.days_before(as_of)[1] <= days


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


def _formatted(value: Measurement) -> str:
    """The numbers with their unit, without UCUM annotations such as ``{score}``."""
    order = sorted(value.components.items(), key=lambda item: item[0], reverse=True)
    unit = "" if value.unit.startswith("{") else value.unit
    return f"{'/'.join(f'{number:g}' for _, number in order)} {unit}".strip()
