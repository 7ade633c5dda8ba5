"""Facts compared with criteria: every statement is met, not met, or unknown. Pure.

Met and not met are claims about the record; anything that the record leaves open is unknown, with what was missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import chain
from typing import NamedTuple, TypeAlias, TypeVar

from msgspec.structs import replace

from fhir_plugin.deciding.comparing import CriterionAnswer, compare
from fhir_plugin.deciding.finding import NOT_THERE, Doubt, Finding, Verdict, all_of, any_of
from fhir_plugin.deciding.phrases import entries_phrase, value_phrase
from fhir_plugin.deciding.ready import (
    MOST_OF_NOTHING,
    NO_VALUES,
    Lack,
    ReadyCriteria,
    ReadyCriterion,
    ReadyFact,
    Shown,
)
from fhir_plugin.facts.fact import Fact
from fhir_plugin.facts.read import Facts
from mappings.schema.base.kept import keep
from mappings.schema.load import Knowledge
from mappings.schema.rules.criteria import Criterion


def assess(facts: Facts, knowledge: Knowledge, criteria: Iterable[str] | None = None) -> tuple[Finding, ...]:
    """Assess the criteria (all, or those named) by the facts, in the given order."""
    ready = knowledge.once(ReadyCriteria)
    chosen = ready.every if criteria is None else [ready.of(knowledge.criteria[name]) for name in criteria]
    return tuple([_finding(each, facts.named, facts.as_of) for each in chosen])


def assess_criterion(criterion: Criterion, facts: Mapping[str, Fact], as_of: date, knowledge: Knowledge) -> Finding:
    """Assess one criterion by the facts that it names."""
    return _finding(knowledge.once(ReadyCriteria).of(criterion), facts, as_of)


_Compared: TypeAlias = tuple[ReadyFact, Fact, CriterionAnswer]
"""One fact of a criterion, and what it answers."""


def _finding(ready: ReadyCriterion, facts: Mapping[str, Fact], as_of: date) -> Finding:
    """What its fact says; of a fact that holds nothing of the patient, what is kept, with where was looked."""
    if len(ready.facts) != 1:
        return _finding_of_several(ready, facts, as_of)
    on = ready.facts[0]
    fact = facts[on.name]
    answer = compare(ready, on, fact, facts, as_of)
    if fact.evidence or answer.values is not NO_VALUES:
        return _concluded(ready, ((on, fact, answer),), as_of)
    lacks = ((on.name, answer.doubt, fact.unread, fact.missing),)
    finding = ready.of_nothing.get(lacks) or _of_nothing(ready, lacks, ((on, fact, answer),), as_of)
    return replace(finding, looked_in=fact.looked_in)


def _finding_of_several(ready: ReadyCriterion, facts: Mapping[str, Fact], as_of: date) -> Finding:
    """The same for a criterion of several facts, of which none holds anything."""
    considered = _considered(ready, facts, as_of)
    lacks = []
    for on, fact, answer in considered:
        if fact.evidence or answer.values is not NO_VALUES:
            return _concluded(ready, considered, as_of)
        lacks.append((on.name, answer.doubt, fact.unread, fact.missing))
    key = tuple(lacks)
    finding = ready.of_nothing.get(key) or _of_nothing(ready, key, considered, as_of)
    return replace(finding, looked_in=_distinct([fact.looked_in for _, fact, _ in considered]))


def _of_nothing(ready: ReadyCriterion, lacks: tuple[Lack, ...], silent: Sequence[_Compared], as_of: date) -> Finding:
    """What follows from facts that hold nothing of the patient: worked out once, and kept with the criterion."""
    finding = replace(_concluded(ready, silent, as_of), looked_in=())
    keep(ready.of_nothing, lacks, finding, MOST_OF_NOTHING)
    return finding


def _concluded(ready: ReadyCriterion, considered: Sequence[_Compared], as_of: date) -> Finding:
    """The statement holds if it holds for one, or for all, of several facts; the facts that decide give the reason."""
    verdict = _verdict(ready.criterion, considered)
    decisive = [each for each in considered if each[2].verdict is verdict]
    lacks = _lacks(decisive) if verdict is Verdict.UNKNOWN else _NOTHING_LACKS
    told = decisive[:1] if lacks.doubt is Doubt.ASK else decisive  # a question that is still to be asked is told once
    of_facts = _only if len(ready.facts) == 1 else _distinct
    is_bare = all(answer.values is NO_VALUES for _, _, answer in decisive)
    shown = ready.bare[verdict] if is_bare else _shown(ready, decisive, verdict, as_of)
    return Finding(
        criterion=ready.criterion.id,
        verdict=verdict,
        because=" ".join([on.sentence(answer.words, answer.values, fact.missing) for on, fact, answer in told]),
        phrase=shown.phrase,
        value=shown.value,
        day=shown.day,
        doubt=lacks.doubt,
        unread=lacks.unread,
        missing=lacks.missing,
        evidence=of_facts([fact.evidence for _, fact, _ in decisive]),
        looked_in=of_facts([fact.looked_in for _, fact, _ in considered]),
        sources=ready.criterion.sources,
        local=ready.criterion.local,
    )


def _verdict(criterion: Criterion, considered: Sequence[_Compared]) -> Verdict:
    if len(considered) == 1:
        return considered[0][2].verdict
    verdicts = [answer.verdict for _, _, answer in considered]
    return all_of(verdicts) if criterion.among == "all" else any_of(verdicts)


class _Lacks(NamedTuple):
    """Why several facts leave a statement unknown."""

    doubt: Doubt | None
    """The worst of their doubts."""
    unread: tuple[str, ...]
    missing: tuple[str, ...]


_NOTHING_LACKS = _Lacks(None, (), ())


def _lacks(decisive: Sequence[_Compared]) -> _Lacks:
    doubts = [answer.doubt for _, _, answer in decisive]
    return _Lacks(
        next((doubt for doubt in Doubt if doubt in doubts), None),
        _distinct([fact.unread for _, fact, answer in decisive if answer.doubt in NOT_THERE]),
        _distinct([fact.missing for _, fact, _ in decisive]),
    )


def _considered(ready: ReadyCriterion, facts: Mapping[str, Fact], as_of: date) -> list[_Compared]:
    """The facts with their answers; of facts that are not all recorded, those that are, where that is asked."""
    compared = [(on, fact := facts[on.name], compare(ready, on, fact, facts, as_of)) for on in ready.facts]
    if ready.criterion.among == "recorded":
        return [each for each in compared if each[2].words not in _NO_VALUE] or compared
    return compared


_NO_VALUE = ("unknown", "old")
"""Answers of a fact that has no value, or none that is recent."""


_T = TypeVar("_T")


def _distinct(lists: Sequence[tuple[_T, ...]]) -> tuple[_T, ...]:
    """Each item of the lists once, in their order."""
    return tuple(dict.fromkeys(chain.from_iterable(lists)))


def _only(lists: Sequence[tuple[_T, ...]]) -> tuple[_T, ...]:
    """The items of the only list, as they stand."""
    return lists[0]


def _shown(ready: ReadyCriterion, decisive: Sequence[_Compared], verdict: Verdict, as_of: date) -> Shown:
    """What a finding shows of the entries or of the number that decides it."""
    return Shown(
        _phrase(ready, decisive, verdict, as_of),
        ", ".join(dict.fromkeys([value for _, fact, answer in decisive if (value := answer.value_of(fact))])),
        max([day for _, _, answer in decisive if (day := answer.newest)], default=None),
    )


def _phrase(ready: ReadyCriterion, decisive: Sequence[_Compared], verdict: Verdict, as_of: date) -> str:
    """The finding in a few words; of an unknown one only where an entry may mean it."""
    criterion, wording = ready.criterion, ready.wording
    entries = [answer.entries for _, _, answer in decisive if answer.entries]
    if verdict is Verdict.UNKNOWN:
        template = wording.names.possible.replace("{short}", criterion.short)
        return entries_phrase(template, entries, criterion, as_of, wording) if entries else ""
    if not ready.phrases[verdict]:
        return ""
    on, fact, answer = decisive[0]
    if entries or not answer.plain:
        return entries_phrase(ready.phrases[verdict], entries, criterion, as_of, wording)
    names = ", ".join(dict.fromkeys(evidence.name for evidence in fact.evidence if evidence.name)) or criterion.short
    return value_phrase(ready.phrases[verdict], names, answer.plain, on.phrase_limit, answer.day, as_of, wording)
