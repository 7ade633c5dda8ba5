"""Facts compared with criteria: every statement is met, not met, or unknown. Pure.

Met and not met are claims about the record; anything that the record leaves open is unknown, with what was missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TypeAlias, TypeVar

from fhir_plugin.deciding.comparing import CriterionAnswer, compare
from fhir_plugin.deciding.finding import NOT_THERE, Doubt, Finding, Verdict
from fhir_plugin.deciding.phrases import entries_phrase, value_phrase
from fhir_plugin.facts.fact import Fact
from fhir_plugin.facts.read import Facts
from fhir_plugin.record.dates import DaySpan
from mappings.schema.load import Knowledge
from mappings.schema.rules.criteria import Criterion


def assess(facts: Facts, knowledge: Knowledge, criteria: Iterable[str] | None = None) -> tuple[Finding, ...]:
    """Assess the criteria (all, or those named) by the facts, in the given order."""
    names = knowledge.criteria if criteria is None else criteria
    return tuple(assess_criterion(knowledge.criteria[name], facts.named, facts.as_of, knowledge) for name in names)


def assess_criterion(criterion: Criterion, facts: Mapping[str, Fact], as_of: date, knowledge: Knowledge) -> Finding:
    """Assess one criterion by the facts that it names."""
    if len(criterion.facts) == 1:
        fact = facts[criterion.facts[0]]
        answer = compare(criterion, fact, facts, as_of, knowledge)
        return Finding(
            criterion=criterion.id,
            verdict=answer.verdict,
            because=_sentence(criterion, fact, answer, knowledge),
            phrase=_phrase(criterion, [(fact, answer)], answer.verdict, as_of, knowledge),
            value=answer.value_of(fact),
            day=answer.newest,
            doubt=answer.doubt,
            unread=fact.unread if answer.doubt in NOT_THERE else (),
            missing=fact.missing if answer.verdict is Verdict.UNKNOWN else (),
            evidence=fact.evidence,
            looked_in=fact.looked_in,
            sources=criterion.sources,
            local=criterion.local,
        )
    return _finding_of_several(criterion, facts, as_of, knowledge)


_Decisive: TypeAlias = Sequence[tuple[Fact, CriterionAnswer]]


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
    return _distinct(name for fact, answer in decisive if answer.doubt in NOT_THERE for name in fact.unread)


def _worst(doubts: Iterable[Doubt | None]) -> Doubt | None:
    present = set(doubts)
    return next((doubt for doubt in Doubt if doubt in present), None)


def _phrase(
    criterion: Criterion,
    decisive: list[tuple[Fact, CriterionAnswer]],
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
) -> list[tuple[Fact, CriterionAnswer]]:
    """The facts with their answers; of facts that are not all recorded, those that are, where that is asked."""
    named = map(facts.__getitem__, criterion.facts)
    answers = [(fact, compare(criterion, fact, facts, as_of, knowledge)) for fact in named]
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


def _sentence(criterion: Criterion, fact: Fact, answer: CriterionAnswer, knowledge: Knowledge) -> str:
    words = knowledge.sentences[criterion.id][fact.name]
    sentence: str = getattr(words, answer.words) or words.unknown
    if "{" in sentence:
        missing = "; ".join(fact.missing) or knowledge.wording.gaps["open"]
        sentence = sentence.format(missing=missing, **answer.values)
    return f"{sentence} {knowledge.wording.local}" if criterion.local else sentence
