"""What an Observation of a survey is about: by its codes, else by its words."""

from __future__ import annotations

import re

from fhir_plugin.record.coded import words_of
from fhir_plugin.record.datatypes import CodeableConcept
from mappings.schema.codes.systems import plain_system
from mappings.schema.instruments import LOCAL_CODES, Instruments, plain_phrase, plain_words
from mappings.schema.instruments.model import LOINC

_SYSTEMS = (LOINC, LOCAL_CODES)
_WORD = re.compile(r"[a-z0-9]+")


def own_codes(concept: CodeableConcept | None) -> list[str]:
    """The codes of LOINC and of our own, without their system."""
    if concept is None:
        return []
    return [coding.code for coding in concept.coding if coding.code and plain_system(coding.system) in _SYSTEMS]


def survey_codes(concept: CodeableConcept | None, instruments: Instruments) -> list[str]:
    """The codes of a concept as the instruments know them; where it has none of LOINC, those that its words mean.

    ``PHQ-9``, ``PHQ-9 total score`` and the published question of an item are as good as a code; with more words around
    them they are not.
    """
    codes = own_codes(concept)
    if codes or concept is None:
        return codes
    known = ((plain_system(coding.system) or "", coding.code or "") for coding in concept.coding)
    codes = [instruments.other_totals[code] for code in known if code in instruments.other_totals]
    for text in () if codes else words_of((concept,)):
        if code := instruments.by_wording.get(plain_words(text)) or _total_named(text, instruments):
            return [code]
    return codes


def _total_named(text: str, instruments: Instruments) -> str | None:
    """The total of an instrument whose name the text is, alone or with words such as ``total score``."""
    words = _WORD.findall(text.lower())
    named = [word for word in words if word not in instruments.words_of_a_total]
    name = plain_phrase("".join(named))
    return next((f"{identifier}-total" for part, identifier in instruments.names if part == name), None)
