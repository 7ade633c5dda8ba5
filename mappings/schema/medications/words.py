"""Schemas of the words read from sigs and reasons, and of the words shown to clinicians."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import NamedTuple, TypeAlias

from mappings.schema.base.entries import Entry, Verification
from mappings.schema.medications.model import MedicationCode

PhrasesByWord: TypeAlias = Mapping[str, tuple[list[str], ...]]
"""Phrases, each as its words, by the first of them: a text is read once for all."""


def phrases_by_word(phrases: Iterable[str]) -> PhrasesByWord:
    """The phrases by their first word; a hyphen separates words."""
    found: dict[str, tuple[list[str], ...]] = {}
    for phrase in phrases:
        if words := phrase.replace("-", " ").split():
            found[words[0]] = (*found.get(words[0], ()), words)
    return found


class StopReasonWords(Entry):
    """The words and codes for the reason a drug was stopped."""

    words: tuple[str, ...]
    """Phrases matched in a status reason and in a note."""
    reason_words: tuple[str, ...]
    """Phrases matched in a status reason only."""
    codes: tuple[MedicationCode, ...]

    @cached_property
    def phrases(self) -> PhrasesByWord:
        """``words``, by their first word."""
        return phrases_by_word(self.words)

    @cached_property
    def reason_phrases(self) -> PhrasesByWord:
        """``words`` and ``reason_words``, by their first word."""
        return phrases_by_word(self.words + self.reason_words)


class OtherIndications(Entry):
    """Reasons other than depression for which antidepressants are ordered."""

    source: str
    verification: Verification
    code_prefixes: tuple[str, ...]
    words: tuple[str, ...]
    """Beginnings of words."""
    open_words: tuple[str, ...]
    """Beginnings of words in a sig that leave it open whether depression is treated."""
    neutral_words: tuple[str, ...]
    """Beginnings of words in a sig that say nothing against depression."""


class ToldTrials(Entry):
    """Words of a note that tell of a trial of a drug named beside them."""

    source: str
    verification: Verification
    words: tuple[str, ...]
    """Beginnings of words."""
    class_words: tuple[str, ...]
    """Beginnings of words for antidepressants in general."""

    @cached_property
    def starts(self) -> tuple[str, ...]:
        """``words`` behind a space, their hyphens as spaces."""
        return tuple(f" {word.replace('-', ' ')}" for word in self.words)


class ReasonWords(Entry):
    """How reasons and notes are read."""

    source: str
    verification: Verification
    denials: frozenset[str]
    meanings: dict[str, StopReasonWords]
    other_indications: OtherIndications
    told_trials: ToldTrials
    depression_indications: tuple[str, ...]
    depression_code_prefixes: tuple[str, ...]

    @cached_property
    def told_by_sigs(self) -> re.Pattern[str]:
        """Finds, behind a space, whatever words of a sig are read for what the drug is for: most have none of them."""
        other = self.other_indications
        begin = "|".join(map(re.escape, (*other.words, *other.open_words, *other.neutral_words)))
        return re.compile("|".join((f" (?:{begin})", *map(re.escape, self.depression_indications))))


class SigWords(Entry):
    """The vocabulary of text sigs."""

    numbers: dict[str, float]
    per_day: dict[str, float]
    periods: dict[str, float]
    moments: dict[str, str]
    weekdays: tuple[str, ...]
    weekday_groups: dict[str, tuple[str, ...]]
    words: dict[str, tuple[str, ...]]


class SigToken(NamedTuple):
    """A part of a text sig with a role in the grammar."""

    kind: str
    """Its role: ``number``, ``per_day``, ``period``, ``unit``, ``ml``, ``mg``, ``verb``, ..."""
    value: float = 0.0
    """The number, the administrations per day, the days of a period or the factor of a unit."""
    name: str = ""
    """The moment of the day; the days of a ``weekday``; ``word`` for a fraction in words; ``plural`` of a period."""


class SigWord(NamedTuple):
    """One phrase of a text sig."""

    words: tuple[str, ...]
    token: SigToken


class TrialWording(Entry):
    """Format strings for the text shown to clinicians."""

    line: str
    adequate: dict[str, str]
    no_dose: str
    no_minimum: str
    dose: str
    period: str
    ongoing: str
    no_start: str
    evidence: dict[str, str]
    outcomes: dict[str, str]
    because: dict[str, str]
    flags: dict[str, str]
    missing: dict[str, str]
    """Why a count is open."""
