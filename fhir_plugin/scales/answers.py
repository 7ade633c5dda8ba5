"""The weight of one answer: never guessed; a fault instead of a number if it cannot be read."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fhir_plugin.record.datatypes import Coding, Extension
from fhir_plugin.record.resources import QuestionnaireItem, ResponseAnswer
from mappings.schema.codes.systems import plain_system
from mappings.schema.instruments import ScoredItem, plain_phrase, plain_words

_WEIGHT_EXTENSIONS = (
    "http://hl7.org/fhir/StructureDefinition/ordinalValue",
    "http://hl7.org/fhir/StructureDefinition/itemWeight",
)
_ABSENT_SYSTEM = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_PUBLISHED_SYSTEMS = ("http://loinc.org", "http://snomed.info/sct")
_UNKNOWN = "unknown_answer"
_DIGITS = re.compile(r"\d+")


class AnswerFault(str):
    """Why an answer has no weight: the first word of a flag, such as ``out_of_range``."""

    __slots__ = ()


def answer_value(
    answers: tuple[ResponseAnswer, ...],
    item: ScoredItem,
    question: QuestionnaireItem | None,
    *,
    from_zero: bool = False,
) -> int | AnswerFault | None:
    """The weight of the answers to one item; ``None`` if it was left blank or declined.

    ``from_zero``: whether a number that is a site's own code is known to be the weight.
    """
    if len(answers) == 1:
        return _value(answers[0], item, question, from_zero=from_zero)
    values = {value for answer in answers if (value := _value(answer, item, question, from_zero=from_zero)) is not None}
    if not values:
        return None
    faults = sorted(value for value in values if isinstance(value, AnswerFault))
    if faults:
        return faults[0]
    if len(values) > 1:
        return AnswerFault("duplicate_conflict")
    return values.pop()


def highest_claim(answers: tuple[ResponseAnswer, ...], item: ScoredItem, question: QuestionnaireItem | None) -> int:
    """The highest weight among answers that contradict each other; 0 if none can be read."""
    values = (_value(answer, item, question, from_zero=False) for answer in answers)
    return max((value for value in values if isinstance(value, int)), default=0)


def is_counted_from_zero(answers: Iterable[ResponseAnswer]) -> bool:
    """Whether a form has 0 among answers that are a site's own codes or text, so that 1 is not the first option."""
    return any(
        answer.value_coding.code == "0" and plain_system(answer.value_coding.system) not in _PUBLISHED_SYSTEMS
        if answer.value_coding
        else answer.value_string == "0"
        for answer in answers
    )


def _value(
    answer: ResponseAnswer, item: ScoredItem, question: QuestionnaireItem | None, *, from_zero: bool
) -> int | AnswerFault | None:
    if answer.value_coding:
        return _coded(answer, answer.value_coding, item, question, from_zero=from_zero)
    number = answer.number
    if number is None and answer.value_quantity:
        number = answer.value_quantity.value
    if number is not None:
        return _numeric(number, item)
    if answer.value_boolean is not None:
        return item.words.get("yes" if answer.value_boolean else "no", AnswerFault(_UNKNOWN))
    if answer.value_string is not None and (written := answer.value_string.strip()):
        if from_zero and _DIGITS.fullmatch(written):
            return _numeric(float(written), item)
        return _in_words(written, item)
    return None


def _in_words(written: str, item: ScoredItem) -> int | AnswerFault:
    """The value of words, alone or with their weight: ``Several days``, ``1 - Several days``, ``Several days (1)``."""
    if (whole := item.words.get(plain_phrase(written))) is not None:
        return whole
    value = item.words.get(plain_words(written))
    digits = _DIGITS.findall(written)
    if value is None or not digits:
        return AnswerFault(_UNKNOWN) if value is None else value
    return value if item.numbers.get(float(digits[0])) == value else AnswerFault("weight_conflict")


def _numeric(number: float, item: ScoredItem) -> int | AnswerFault | None:
    if number == item.not_assessed:
        return None
    if not item.numbers:
        return AnswerFault(_UNKNOWN)
    return item.numbers.get(number, AnswerFault("out_of_range"))


def _coded(
    answer: ResponseAnswer,
    coding: Coding,
    item: ScoredItem,
    question: QuestionnaireItem | None,
    *,
    from_zero: bool,
) -> int | AnswerFault | None:
    system = plain_system(coding.system)
    if system == _ABSENT_SYSTEM:
        return None
    listed = item.codes.get((system, coding.code or ""))
    if listed is not None and not (question or answer.extension or coding.extension):
        return listed
    if listed is None:
        listed = _by_words(coding, system, item, from_zero=from_zero)
    weight = _stated_weight(answer, coding, question)
    if weight is None:
        return AnswerFault(_UNKNOWN) if listed is None else listed
    if listed is not None and weight != listed:
        return AnswerFault("weight_conflict")
    if weight == item.not_assessed:
        return None
    return int(weight) if weight in item.values else AnswerFault("out_of_range")


def _by_words(coding: Coding, system: str | None, item: ScoredItem, *, from_zero: bool) -> int | None:
    """The value by the words of an answer whose code is not listed.

    A published code that the item's list does not have is another answer, whatever its words; where the list has no
    such codes, only the words tell. A site's own code may spell the words, or be the weight.
    """
    published = system in _PUBLISHED_SYSTEMS
    if coding.display and not (published and any(listed == system for listed, _ in item.codes)):
        value = _in_words(coding.display, item)
        if not isinstance(value, AnswerFault):
            return value
    if published or not coding.code:
        return None
    spelled = item.words.get(plain_words(coding.code)) if not _DIGITS.search(coding.code) else None
    if spelled is None and from_zero and _DIGITS.fullmatch(coding.code):
        return item.numbers.get(float(coding.code))
    return spelled


def _stated_weight(answer: ResponseAnswer, coding: Coding, question: QuestionnaireItem | None) -> float | None:
    """The weight that the answer states, else that of the question's option."""
    weight = _weight((*answer.extension, *coding.extension)) if answer.extension or coding.extension else None
    return _option_weight(coding, question) if weight is None and question else weight


def _option_weight(coding: Coding, question: QuestionnaireItem) -> float | None:
    for option in question.answer_option:
        offered = option.value_coding
        if offered and offered.code == coding.code and offered.system == coding.system:
            return _weight((*option.extension, *offered.extension))
    return None


def _weight(extensions: Iterable[Extension]) -> float | None:
    for extension in extensions:
        if extension.url in _WEIGHT_EXTENSIONS:
            return extension.value_decimal if extension.value_decimal is not None else extension.value_integer
    return None
