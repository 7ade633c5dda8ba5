"""Why a drug was stopped and what it was for, from coded reasons and from text."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fhir_plugin.record.datatypes import CodeableConcept
from mappings.schema.base.systems import system_key
from mappings.schema.medications import Medications, ReasonWords, StopReasonWords

_WORDS = re.compile(r"[a-z']+|[.;\n]")
_REACH = 3
"""How many words before a phrase are searched for a negation."""


def meanings(reasons: Iterable[CodeableConcept], notes: Iterable[str], medications: Medications) -> frozenset[str]:
    """The meanings among ``no_efficacy``, ``intolerance``, ``response`` and ``not_clinical``."""
    names: set[str] = set()
    for reason in reasons:
        names |= _of_reason(reason, medications.reasons)
    for note in notes:
        words = _split(note)
        names |= {
            name
            for name, meaning in medications.reasons.meanings.items()
            if _contains_phrase(words, meaning.words, medications.reasons.denials)
        }
    return frozenset(names)


def is_depression(indications: Iterable[CodeableConcept], medications: Medications) -> bool:
    """Whether the reason given for the drug is depression."""
    prefixes = medications.reasons.depression_code_prefixes
    for concept in indications:
        if any(
            system_key(coding.system) in medications.systems.icd10 and (coding.code or "").startswith(prefixes)
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
            if _contains_phrase(words, meaning.words + meaning.reason_words, reason_words.denials):
                names.add(name)
    return names


def _has_code(pairs: set[tuple[str | None, str | None]], meaning: StopReasonWords) -> bool:
    return any((code.system, code.code) in pairs for code in meaning.codes)


def _split(text: str) -> list[str]:
    return _WORDS.findall(text.lower().replace("-", " "))


def _contains_phrase(words: list[str], phrases: tuple[str, ...], denials: frozenset[str]) -> bool:
    for phrase in phrases:
        wanted = phrase.replace("-", " ").split()
        for at in range(len(words) - len(wanted) + 1):
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
