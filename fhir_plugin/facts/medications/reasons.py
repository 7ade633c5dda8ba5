"""Why a drug was stopped and what it was for, from coded reasons and from text."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fhir_plugin.record.datatypes import CodeableConcept
from mappings.schema.base.systems import system_key
from mappings.schema.medications import Medications, ReasonWords, StopReasonWords
from mappings.schema.medications.words import PhrasesByWord

_WORDS = re.compile(r"[a-z']+|[.;\n]")
_REACH = 3
"""How many words before a phrase are searched for a negation."""


def meanings(reasons: Iterable[CodeableConcept], notes: Iterable[str], medications: Medications) -> frozenset[str]:
    """The meanings among ``no_efficacy``, ``intolerance``, ``response``, ``not_clinical`` and ``not_taken``."""
    names: set[str] = set()
    for reason in reasons:
        names |= _of_reason(reason, medications.reasons)
    for note in notes:
        words = _split(note)
        names |= {
            name
            for name, meaning in medications.reasons.meanings.items()
            if _contains_phrase(words, meaning.phrases, medications.reasons.denials)
        }
    return frozenset(names)


NOT_TAKEN = "not_taken"
"""The meaning by which the days of an order are only possible."""
STATED_DEPRESSION, STATED_OTHER, STATED_OPEN, NOT_STATED = "depression", "other", "open", ""


def indication_of(indications: Iterable[CodeableConcept], medications: Medications) -> str:
    """What a drug was ordered for: depression, another reason, an open one (also an empty one), or not stated."""
    concepts = list(indications)
    if not concepts:
        return NOT_STATED
    if is_depression(concepts, medications):
        return STATED_DEPRESSION
    return STATED_OTHER if all(_is_other(concept, medications) for concept in concepts) else STATED_OPEN


def indication_in_sig(text: str, medications: Medications) -> str:
    """The same for the words of a sig: ``for sleep``, ``to quit smoking``."""
    reasons = medications.reasons
    stated = " ".join(purposes(text))
    if not stated or not reasons.told_by_sigs.search(f" {stated}"):
        return NOT_STATED
    other = reasons.other_indications
    if any(word in stated for word in reasons.depression_indications):
        return STATED_DEPRESSION
    if _begin(stated, other.neutral_words):
        return NOT_STATED
    if _begin(stated, other.open_words):
        return STATED_OPEN
    return STATED_OTHER if _begin(stated, other.words) else NOT_STATED


_FOR = re.compile(r"(?:for(?<!\wfor)|to(?<!\wto)) ([^.;,\n()]*)")
"""Behind one of these words. What stands before the word is looked at last, so that the search skips to its letters."""


def purposes(text: str) -> list[str]:
    """What the words of a sig say that the drug is for, in lower case: ``seizures`` in ``1 tab BID for seizures``."""
    return _FOR.findall(text.lower())


def _is_other(concept: CodeableConcept, medications: Medications) -> bool:
    other = medications.reasons.other_indications
    if any(
        system_key(coding.system) in medications.systems.icd10 and _has_code_below(coding.code, other.code_prefixes)
        for coding in concept.coding
    ):
        return True
    return _begin(" ".join(filter(None, (concept.text, *(coding.display for coding in concept.coding)))), other.words)


def _has_code_below(code: str | None, prefixes: Iterable[str]) -> bool:
    """Whether an ICD-10-CM code, with or without its dot, is one of these or below one."""
    plain = (code or "").replace(".", "")
    return any(plain.startswith(prefix.replace(".", "")) for prefix in prefixes)


def _begin(text: str, beginnings: tuple[str, ...]) -> bool:
    """Whether a word of the text begins with one of these."""
    padded = f" {text.lower()}"
    return any(f" {beginning}" in padded for beginning in beginnings)


def is_depression(indications: Iterable[CodeableConcept], medications: Medications) -> bool:
    """Whether the reason given for the drug is depression."""
    prefixes, excluded = medications.reasons.depression_code_prefixes, medications.episodes.icd10_excluded
    for concept in indications:
        if any(
            system_key(coding.system) in medications.systems.icd10
            and _has_code_below(coding.code, prefixes)
            and not _has_code_below(coding.code, excluded)
            for coding in concept.coding
        ):
            return True
        text = " ".join(filter(None, (concept.text, *(coding.display for coding in concept.coding)))).lower()
        if any(word in text for word in medications.reasons.depression_indications):
            return True
    return False


def _of_reason(reason: CodeableConcept, reason_words: ReasonWords) -> set[str]:
    pairs = {(coding.system, coding.code) for coding in reason.coding}
    names = {name for name, meaning in reason_words.meanings.items() if _has_code(pairs, meaning)}
    for text in (reason.text, *(coding.display for coding in reason.coding)):
        words = _split(text or "")
        for name, meaning in reason_words.meanings.items():
            if _contains_phrase(words, meaning.reason_phrases, reason_words.denials):
                names.add(name)
    return names


def _has_code(pairs: set[tuple[str | None, str | None]], meaning: StopReasonWords) -> bool:
    return any((code.system, code.code) in pairs for code in meaning.codes)


def _split(text: str) -> list[str]:
    return _WORDS.findall(text.lower().replace("-", " ").replace("\u2019", "'"))


def _contains_phrase(words: list[str], phrases: PhrasesByWord, denials: frozenset[str]) -> bool:
    for at, word in enumerate(words):
        for wanted in phrases.get(word, ()):
            if words[at : at + len(wanted)] == wanted and not _denied(words[max(at - _REACH, 0) : at], denials):
                return True
    return False


def _denied(before: list[str], denials: frozenset[str]) -> bool:
    for word in reversed(before):
        if word in (".", ";", "\n"):
            return False
        if word in denials:
            return True
    return False
