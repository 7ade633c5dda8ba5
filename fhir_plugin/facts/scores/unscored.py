"""Questionnaires that gave no score: what they are, why, and whether they may tell of suicide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fhir_plugin.facts.fact import Evidence
from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.record.dates import day_span
from fhir_plugin.record.resources import QuestionnaireResponse, ResponseAnswer
from fhir_plugin.scales.recognition import AnsweredItem, answered_items
from mappings.schema.codes.systems import plain_system
from mappings.schema.instruments import Instruments, plain_phrase
from mappings.schema.instruments.signals import SuicideSignals

_NOT_MAPPED = "linkid_map_required"


@dataclass(frozen=True, slots=True)
class UnscoredForm:
    """One questionnaire without a score."""

    evidence: Evidence
    """Its name is that of the instrument, or empty where it is not recognised; the note says why it has no score."""
    may_tell_of_suicide: bool
    """Whether an answer about suicide may be in it that could not be read, and is not certainly a no."""


def unscored_assessments(assessments: Iterable[Assessment], instruments: Instruments) -> Iterator[UnscoredForm]:
    """The assessments of known instruments that have neither a total nor a level."""
    for assessment in assessments:
        if assessment.usable:
            continue
        instrument = instruments[assessment.instrument]
        place = instrument.suicide_place
        item = f":{instrument.keys[place]}" if place is not None else ":"
        unread = any(flag == _NOT_MAPPED or item in flag for flag in assessment.flags if not _is_blank(flag))
        evidence = Evidence(
            reference=assessment.reference,
            label=instrument.short,
            name=instrument.short,
            day=assessment.day,
            note=_why(assessment.flags, instruments.signals),
        )
        asks = instrument.suicide is not None and assessment.suicide_item_positive is None
        yield UnscoredForm(evidence, asks and unread)


def _is_blank(flag: str) -> bool:
    return flag.startswith(("missing:", "incomplete", "status:"))


def _why(flags: Iterable[str], signals: SuicideSignals) -> str:
    names = {flag.partition(":")[0] for flag in flags}
    return next((words for name, words in signals.unscored.items() if name in names), signals.unscored["other"])


def unrecognised_form(response: QuestionnaireResponse, signals: SuicideSignals) -> UnscoredForm | None:
    """A response of no known instrument; ``None`` if nobody has answered anything."""
    items = answered_items(response)
    answered = [item for item in items if item.answers]
    if not answered and (items or response.status == "in-progress"):
        return None
    evidence = Evidence(
        reference=response.reference,
        label=(response.questionnaire or "").partition("|")[0].rstrip("/").rpartition("/")[2],
        day=day_span(response.authored),
        note=signals.unscored["unrecognised"],
    )
    return UnscoredForm(evidence, _may_tell(evidence.label, answered, signals))


def _may_tell(name: str, answered: Iterable[AnsweredItem], signals: SuicideSignals) -> bool:
    """Whether a question, or the form by its name, asks about suicide, and the answer is not certainly a no."""
    items = list(answered)
    asking = [item for item in items if _mentions(f"{item.link} {item.text}", signals.asking_words)]
    if not asking and _mentions(name, signals.asking_names):
        asking = items
    return any(not _is_denied(answer, signals) for item in asking for answer in item.answers)


def _mentions(text: str, parts: Iterable[str]) -> bool:
    plain = plain_phrase(text)
    return any(part in plain for part in parts)


def _is_denied(answer: ResponseAnswer, signals: SuicideSignals) -> bool:
    """Whether an answer says no: in words, as a code, or as nothing."""
    coding = answer.value_coding
    if answer.number is not None:
        return answer.number == 0
    if answer.value_boolean is not None:
        return not answer.value_boolean
    if coding is None:
        return plain_phrase(answer.value_string or "") in signals.denied
    if coding.display:
        return plain_phrase(coding.display) in signals.denied
    return f"{plain_system(coding.system) or ''}|{coding.code}" in signals.denied_codes
