"""Facts compared with criteria: every statement is met, not met, or unknown. Pure.

Met and not met are claims about the record; anything that the record leaves open is unknown, with what was missing.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import TypeAlias, TypeVar

import msgspec

from fhir_plugin.deciding.phrases import entries_phrase, plain_value, value_phrase
from fhir_plugin.facts.fact import Count, Evidence, Fact, Measurement, Presence
from fhir_plugin.facts.read import Facts
from fhir_plugin.record.dates import DaySpan
from mappings.schema.load import Knowledge
from mappings.schema.rules.criteria import BY_COMPONENT, Asked, Comparator, Criterion
from mappings.schema.texts.wording import FINDING_FIELDS, Wording


class Verdict(StrEnum):
    """Whether a statement about the patient holds."""

    MET = "met"
    NOT_MET = "not_met"
    UNKNOWN = "unknown"


class Doubt(StrEnum):
    """Why a statement is unknown, worst first."""

    UNREAD = "unread"
    """Something that could decide it could not be read."""
    POSSIBLE = "possible"
    """An entry of the record may mean it."""
    MISSING = "missing"
    """Everything was read, and what a record should hold is not there: it has to be measured or listed."""
    ASK = "ask"
    """Everything was read, and it is learnt only by asking: no answer is on the record."""


_NOT_THERE = (Doubt.UNREAD, Doubt.MISSING)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one criterion concludes."""

    criterion: str
    verdict: Verdict
    because: str
    """One plain sentence with values, units and dates; no text of the record."""
    phrase: str = ""
    """The same in a few words, for a headline; empty where a headline has no use for it."""
    value: str = ""
    """What was found: a number without its unit, or the knowledge's names of the entries."""
    day: DaySpan | None = None
    """The day of the measurement, or of the newest entry that decides."""
    doubt: Doubt | None = None
    """Why it is unknown; ``None`` unless it is."""
    unread: tuple[str, ...] = ()
    """The inputs that would have to be read whole; empty unless it is unknown for that reason."""
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


def assess_criterion(criterion: Criterion, facts: Mapping[str, Fact], as_of: date, knowledge: Knowledge) -> Finding:
    """Assess one criterion by the facts that it names."""
    if len(criterion.facts) == 1:
        fact = facts[criterion.facts[0]]
        answer = _answer(criterion, fact, facts, as_of, knowledge)
        return Finding(
            criterion=criterion.id,
            verdict=answer.verdict,
            because=_sentence(criterion, fact, answer, knowledge),
            phrase=_phrase(criterion, [(fact, answer)], answer.verdict, as_of, knowledge),
            value=answer.value_of(fact),
            day=answer.newest,
            doubt=answer.doubt,
            unread=fact.unread if answer.doubt in _NOT_THERE else (),
            missing=fact.missing if answer.verdict is Verdict.UNKNOWN else (),
            evidence=fact.evidence,
            looked_in=fact.looked_in,
            sources=criterion.sources,
            local=criterion.local,
        )
    return _finding_of_several(criterion, facts, as_of, knowledge)


_Decisive: TypeAlias = Sequence[tuple[Fact, _CriterionAnswer]]


def _finding_of_several(criterion: Criterion, facts: Mapping[str, Fact], as_of: date, knowledge: Knowledge) -> Finding:
    """The statement holds if it holds for one, or for all, of several facts; the facts that decide give the reason."""
    answers = _considered(criterion, facts, as_of, knowledge)
    combined = _all_of if criterion.among == "all" else _any_of
    verdict = combined([answer.verdict for _, answer in answers])
    decisive = [(fact, answer) for fact, answer in answers if answer.verdict is verdict]
    return Finding(
        criterion=criterion.id,
        verdict=verdict,
        because=" ".join(_sentence(criterion, fact, answer, knowledge) for fact, answer in _told(decisive)),
        phrase=_phrase(criterion, decisive, verdict, as_of, knowledge),
        value=", ".join(_distinct(value for fact, answer in decisive if (value := answer.value_of(fact)))),
        day=_newest(decisive),
        doubt=_worst(answer.doubt for _, answer in decisive),
        unread=_unread(decisive),
        missing=_gaps(decisive, verdict),
        evidence=_distinct(piece for fact, _ in decisive for piece in fact.evidence),
        looked_in=_distinct(place for fact, _ in answers for place in fact.looked_in),
        sources=criterion.sources,
        local=criterion.local,
    )


def _told(decisive: _Decisive) -> _Decisive:
    """The answers that have a sentence of their own: a question that is still to be asked is told once."""
    only_asked = all(answer.doubt is Doubt.ASK for _, answer in decisive)
    return decisive[:1] if only_asked else decisive


def _gaps(decisive: _Decisive, verdict: Verdict) -> tuple[str, ...]:
    if verdict is not Verdict.UNKNOWN:
        return ()
    return _distinct(gap for fact, _ in decisive for gap in fact.missing)


def _newest(decisive: _Decisive) -> DaySpan | None:
    return max((answer.newest for _, answer in decisive if answer.newest), default=None)


def _unread(decisive: _Decisive) -> tuple[str, ...]:
    """The inputs that would have to be read whole, or filled."""
    return _distinct(name for fact, answer in decisive if answer.doubt in _NOT_THERE for name in fact.unread)


def _worst(doubts: Iterable[Doubt | None]) -> Doubt | None:
    present = set(doubts)
    return next((doubt for doubt in Doubt if doubt in present), None)


def _phrase(
    criterion: Criterion,
    decisive: list[tuple[Fact, _CriterionAnswer]],
    verdict: Verdict,
    as_of: date,
    knowledge: Knowledge,
) -> str:
    """The finding in a few words; of an unknown one only where an entry may mean it."""
    wording, entries = knowledge.wording, [answer.entries for _, answer in decisive if answer.entries]
    if verdict is Verdict.UNKNOWN:
        template = wording.names.possible.replace("{short}", criterion.short)
        return entries_phrase(template, entries, criterion, as_of, wording) if entries else ""
    template = criterion.phrases.met if verdict is Verdict.MET else criterion.phrases.not_met
    if not template or entries or not decisive or not decisive[0][1].plain:
        return entries_phrase(template, entries, criterion, as_of, wording) if template else ""
    fact, answer = decisive[0]
    names = ", ".join(dict.fromkeys(evidence.name for evidence in fact.evidence if evidence.name)) or criterion.short
    limit = f"{criterion.limit_for(fact.name):g}" if criterion.limit_for(fact.name) else ""
    return value_phrase(template, names, answer.plain, limit, answer.day, as_of, wording)


def _considered(
    criterion: Criterion, facts: Mapping[str, Fact], as_of: date, knowledge: Knowledge
) -> list[tuple[Fact, _CriterionAnswer]]:
    """The facts with their answers; of facts that are not all recorded, those that are, where that is asked."""
    named = map(facts.__getitem__, criterion.facts)
    answers = [(fact, _answer(criterion, fact, facts, as_of, knowledge)) for fact in named]
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


def _answer(
    criterion: Criterion, fact: Fact, facts: Mapping[str, Fact], as_of: date, knowledge: Knowledge
) -> _CriterionAnswer:
    value = fact.value
    if value is None:
        return _CriterionAnswer(Verdict.UNKNOWN, "unknown", _NO_VALUES, doubt=_doubt_without(fact))
    if isinstance(value, Presence):
        answer = _presence(criterion, value, fact)
        if answer.verdict is Verdict.NOT_MET and criterion.asked and not _is_answered(criterion, facts, as_of):
            return _CriterionAnswer(Verdict.UNKNOWN, "not_asked", _NO_VALUES, doubt=Doubt.ASK)
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
    return any(_fresh(entry.day, days, as_of) for entry in answers)


_NO_VALUES: Mapping[str, str] = dict.fromkeys(FINDING_FIELDS - {"title", "missing"}, "")
"""Every field a sentence may name beside title and gaps, empty where it does not apply."""


def _values(criterion: Criterion, fact: Fact, wording: Wording, value: str, day: str = "") -> Mapping[str, str]:
    """The values of a sentence about numbers."""
    own_limit = criterion.limit_for(fact.name)
    limit = f"{own_limit}" if own_limit else "/".join(f"{number}" for number in criterion.limits.values())
    age = f"{criterion.max_age_days}" if criterion.max_age_days else ""
    unit = wording.units.get(criterion.unit, criterion.unit)
    return {**_NO_VALUES, "limit": f"{limit} {unit}".strip(), "max_age": age, "value": value, "day": day}


def _presence(criterion: Criterion, presence: Presence, fact: Fact) -> _CriterionAnswer:
    entries = presence.current
    if criterion.compare is Comparator.EVER:
        entries += presence.past
    if entries:
        return _CriterionAnswer(Verdict.MET, "met", {**_NO_VALUES, **_entries(entries)}, entries=entries)
    if presence.possible:
        values, doubt = {**_NO_VALUES, **_entries(presence.possible)}, Doubt.POSSIBLE
        return _CriterionAnswer(Verdict.UNKNOWN, "unsure", values, doubt, entries=presence.possible)
    if fact.missing:
        return _CriterionAnswer(Verdict.UNKNOWN, "unknown", _NO_VALUES, _doubt_without(fact))
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


def _count(criterion: Criterion, count: Count, fact: Fact, wording: Wording) -> _CriterionAnswer:
    """Met when the comparison holds at both bounds, not met when at neither; no upper bound means any number."""
    holds, limit = _HOLDS[criterion.compare], _limit(criterion, fact)
    high = math.inf if count.high is None else count.high
    at_low, at_high = holds(count.low, limit), holds(high, limit)
    plain = _range(count)
    values = _values(criterion, fact, wording, value=plain)
    if at_low and at_high:
        return _CriterionAnswer(Verdict.MET, "met", values, plain=plain)
    if at_low or at_high:
        return _CriterionAnswer(Verdict.UNKNOWN, "unsure", values, Doubt.UNREAD)
    return _CriterionAnswer(Verdict.NOT_MET, "not_met", values, plain=plain)


def _limit(criterion: Criterion, fact: Fact) -> float:
    limit = criterion.limit_for(fact.name)
    return limit.value if limit else math.nan


def _range(count: Count) -> str:
    if count.high is None:
        return f"≥ {count.low}"
    return f"{count.low}" if count.low == count.high else f"{count.low}-{count.high}"


def _measurement(
    criterion: Criterion, value: Measurement, fact: Fact, as_of: date, wording: Wording
) -> _CriterionAnswer:
    day = f" on {value.day}" if value.day else ""
    values = _values(criterion, fact, wording, value=_formatted(value, wording), day=day)
    if criterion.max_age_days is not None and not _fresh(value.day, criterion.max_age_days.value, as_of):
        return _CriterionAnswer(Verdict.UNKNOWN, "old", values, Doubt.UNREAD if fact.missing else Doubt.MISSING)
    plain, on = plain_value(value), value.day
    met = _CriterionAnswer(Verdict.MET, "met", values, plain=plain, day=on)
    if criterion.compare is Comparator.RECORDED:
        return met
    holds = _reached(criterion, value, fact)
    if holds and (criterion.compare in BY_COMPONENT or not fact.missing):
        return met
    if holds is None or fact.missing:
        return _CriterionAnswer(Verdict.UNKNOWN, "unsure", values, Doubt.UNREAD)
    return _CriterionAnswer(Verdict.NOT_MET, "not_met", values, plain=plain, day=on)


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


def _formatted(value: Measurement, wording: Wording) -> str:
    """The numbers with their unit as clinicians write it, without UCUM annotations such as ``{score}``."""
    unit = "" if value.unit.startswith("{") else wording.units.get(value.unit, value.unit)
    return f"{plain_value(value)} {unit}".strip()
