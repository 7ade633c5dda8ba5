"""Criteria made ready for one knowledge: what is the same for every patient is worked out once. Pure.

Of most criteria nothing is on the record: their sentence and their phrase are here before anybody asks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from fhir_plugin.deciding.finding import Doubt, Finding, Verdict
from fhir_plugin.deciding.made_ready import RulesMadeReady
from fhir_plugin.deciding.phrases import entries_phrase
from fhir_plugin.record.dates import DaySpan
from mappings.schema.load import Knowledge
from mappings.schema.rules.criteria import Comparator, Criterion
from mappings.schema.texts.wording import FINDING_FIELDS, FindingWords, Wording

NO_VALUES: Mapping[str, str] = MappingProxyType(dict.fromkeys(FINDING_FIELDS - {"title", "missing"}, ""))
"""Every field a sentence may name beside title and gaps, empty where it does not apply."""
_GAP = "\0"


Lack: TypeAlias = tuple[str, Doubt | None, tuple[str, ...], tuple[str, ...]]
"""A fact that holds nothing of the patient: its name, its doubt, and what of the inputs is unread and missing."""
MOST_OF_NOTHING = 64
"""Kept findings of one criterion from nothing. Few are different: an input was read whole, or it was not."""


class Shown(NamedTuple):
    """What a finding shows of the entries or of the number that decides it."""

    phrase: str
    value: str = ""
    day: DaySpan | None = None


@dataclass(frozen=True, slots=True)
class ReadyFact:
    """A criterion on one of its facts: the limit, and the sentences as far as they need no patient."""

    name: str
    limit: float
    """Not a number where there is none."""
    phrase_limit: str
    """The limit as a phrase names it; empty where there is none."""
    values: Mapping[str, str]
    """The fields of a sentence about numbers, with those of the criterion filled in."""
    _templates: Mapping[str, str]
    _bare: Mapping[str, tuple[str, ...]]
    """The sentences without values, as the pieces between which the gaps are named."""
    _open: str
    """What is missing where no gap is named."""
    _tail: str

    def sentence(self, words: str, values: Mapping[str, str], gaps: tuple[str, ...]) -> str:
        """The sentence of that key in ``FindingWords``."""
        if values is NO_VALUES and len(pieces := self._bare[words]) == 1:
            return pieces[0]
        missing = "; ".join(gaps) or self._open
        if values is NO_VALUES:
            return missing.join(pieces)
        return self._templates[words].format(missing=missing, **values) + self._tail


@dataclass(frozen=True, slots=True)
class ReadyCriterion:
    """A criterion with what it needs of each of its facts."""

    criterion: Criterion
    wording: Wording
    facts: tuple[ReadyFact, ...]
    counts_past: bool
    """Whether an ended entry counts like a current one."""
    phrases: Mapping[Verdict, str]
    bare: Mapping[Verdict, Shown]
    """What a finding shows that rests on no entry and no number."""
    of_nothing: dict[tuple[Lack, ...], Finding]
    """The findings from facts that hold nothing of the patient, without where was looked; kept when first made."""


class ReadyCriteria(RulesMadeReady[Criterion, ReadyCriterion]):
    """The criteria of one knowledge, each made ready when it is first assessed."""

    def __init__(self, knowledge: Knowledge) -> None:
        super().__init__(knowledge, _ready)

    @cached_property
    def every(self) -> tuple[ReadyCriterion, ...]:
        """Every criterion of the knowledge, in its order."""
        return tuple(map(self.of, self._knowledge.criteria.values()))


def _ready(criterion: Criterion, knowledge: Knowledge) -> ReadyCriterion:
    phrases = {Verdict.MET: criterion.phrases.met, Verdict.NOT_MET: criterion.phrases.not_met, Verdict.UNKNOWN: ""}
    facts = tuple(_ready_fact(name, criterion, knowledge) for name in criterion.facts)
    return ReadyCriterion(
        criterion=criterion,
        wording=knowledge.wording,
        facts=facts,
        counts_past=criterion.compare is Comparator.EVER,
        phrases=phrases,
        bare={
            verdict: Shown(entries_phrase(template, (), criterion, date.min, knowledge.wording))
            for verdict, template in phrases.items()
        },
        of_nothing={},
    )


def _ready_fact(name: str, criterion: Criterion, knowledge: Knowledge) -> ReadyFact:
    words, wording = knowledge.sentences[criterion.id][name], knowledge.wording
    own_limit = criterion.limit_for(name)
    limit = f"{own_limit}" if own_limit else "/".join(f"{number}" for number in criterion.limits.values())
    unit = wording.units.get(criterion.unit, criterion.unit)
    tail = f" {wording.local}" if criterion.local else ""
    templates = {key: getattr(words, key) or words.unknown for key in FindingWords.model_fields}
    bare = {key: template.format(missing=_GAP, **NO_VALUES) + tail for key, template in templates.items()}
    return ReadyFact(
        name=name,
        limit=own_limit.value if own_limit else math.nan,
        phrase_limit=f"{own_limit:g}" if own_limit else "",
        values={
            **NO_VALUES,
            "limit": f"{limit} {unit}".strip(),
            "max_age": f"{criterion.max_age_days}" if criterion.max_age_days else "",
        },
        _templates=templates,
        _bare={key: tuple(sentence.split(_GAP)) for key, sentence in bare.items()},
        _open=wording.gaps["open"],
        _tail=tail,
    )
