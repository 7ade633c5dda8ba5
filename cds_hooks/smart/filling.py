"""Filling a questionnaire: the answers of a form as a QuestionnaireResponse, scored by the server. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from fhir.resources.R4B.questionnaireresponse import QuestionnaireResponse

from fhir_plugin.record.resources import QuestionnaireResponse as ReadResponse
from fhir_plugin.scales.codes import item_link, option_coding
from fhir_plugin.scales.scoring import Score, score
from mappings.schema.instruments import QUESTIONNAIRES, Instruments, PreparedInstrument
from mappings.schema.instruments.model import Instrument, InstrumentItem, Risk


@dataclass(frozen=True, slots=True)
class PatientContext:
    """The patient of the session, and who fills in where, reduced to what a response and a score need."""

    id: str
    sex: str | None
    """FHIR ``Patient.gender``."""
    encounter: str = ""
    """Reference to the encounter; empty if the launch had none."""
    author: str = ""
    """Reference to the user; empty if the launch named none."""


@dataclass(frozen=True, slots=True)
class FormQuestion:
    """One question as shown in the form."""

    number: str
    text: str
    options: tuple[tuple[str, str], ...]
    """Submitted value and displayed text."""
    only_if: str
    """The condition for asking it, in words; empty if it is always asked."""
    answer: str


@dataclass(frozen=True, slots=True)
class FilledQuestionnaire:
    """A questionnaire with its answers and its score."""

    form: PreparedInstrument
    questions: tuple[FormQuestion, ...]
    score: Score | None
    """``None`` if nothing was answered."""
    missing: tuple[str, ...]
    """Numbers of the applicable questions without an answer."""
    values: Mapping[str, int]
    """The answers by item number."""

    @property
    def complete(self) -> bool:
        """Whether there is a score that may be recorded."""
        if self.score is None or self.missing:
            return False
        return self.score.total is not None or isinstance(self.form.instrument.formula, Risk)


def fill_questionnaire(
    form: PreparedInstrument,
    answers_given: Mapping[str, str],
    instruments: Instruments,
    patient: PatientContext,
    now: datetime,
) -> FilledQuestionnaire:
    """The questionnaire with the answers by item number; a value that is not an option is ignored."""
    instrument = form.instrument
    answers = _answers(instrument, answers_given, instruments)
    questions = tuple(_question(item, instrument, instruments, answers) for item in instrument.items)
    asked = [item for item in instrument.items if _is_asked(item, answers)]
    scored = None
    if answers:
        scored = score(
            read_back(build_response(form, answers, instruments, patient, now)), instruments, sex=patient.sex
        )
    return FilledQuestionnaire(
        form, questions, scored, tuple(item.number for item in asked if item.number not in answers), answers
    )


def build_response(
    form: PreparedInstrument,
    answers: Mapping[str, int],
    instruments: Instruments,
    patient: PatientContext,
    now: datetime,
) -> dict[str, Any]:
    """The answers as a QuestionnaireResponse of the patient of the session."""
    instrument = form.instrument
    launch = {"encounter": patient.encounter, "author": patient.author}
    body: dict[str, Any] = {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": f"{QUESTIONNAIRES}:{instrument.id}",
        "status": "completed",
        "subject": {"reference": f"Patient/{patient.id}"},
        **{name: {"reference": reference} for name, reference in launch.items() if reference},
        "authored": now.isoformat(timespec="seconds"),
        "item": [
            _item(item, instrument, instruments, answers[item.number])
            for item in instrument.items
            if item.number in answers
        ],
    }
    QuestionnaireResponse.model_validate(body)
    return body


def read_back(body: dict[str, Any]) -> ReadResponse:
    """The response as it is when read from the record."""
    return msgspec.json.decode(msgspec.json.encode(body), type=ReadResponse)


def _answers(instrument: Instrument, answers_given: Mapping[str, str], instruments: Instruments) -> dict[str, int]:
    chosen = {
        item.number: option.value
        for item in instrument.items
        for option in instruments.answer_list(instrument, item).options
        if answers_given.get(item.number) == str(option.value)
    }
    return {item.number: chosen[item.number] for item in instrument.items
            if item.number in chosen and _is_asked(item, chosen)}  # fmt: skip


def _is_asked(item: InstrumentItem, answers: Mapping[str, int]) -> bool:
    return item.asked_if is None or answers.get(item.asked_if.item) == item.asked_if.value


def _question(
    item: InstrumentItem, instrument: Instrument, instruments: Instruments, answers: Mapping[str, int]
) -> FormQuestion:
    options = instruments.answer_list(instrument, item).options
    return FormQuestion(
        number=item.number,
        text=item.wording or item.label,
        options=tuple((str(option.value), option.display or str(option.value)) for option in options),
        only_if=_condition(item, instrument, instruments),
        answer=str(answers[item.number]) if item.number in answers else "",
    )


def _condition(item: InstrumentItem, instrument: Instrument, instruments: Instruments) -> str:
    if item.asked_if is None:
        return ""
    condition = instrument.item(item.asked_if.item)
    options = instruments.answer_list(instrument, condition).options
    option = next(option for option in options if option.value == item.asked_if.value)
    return f"Only if question {condition.number} is answered with {option.display or option.value}."


def _item(item: InstrumentItem, instrument: Instrument, instruments: Instruments, value: int) -> dict[str, Any]:
    answers = instruments.answer_list(instrument, item)
    option = next(option for option in answers.options if option.value == value)
    coded = option.code or option.display or not answers.integers
    answer = {"valueCoding": option_coding(option)} if coded else {"valueInteger": value}
    text = item.wording or item.label
    return {"linkId": item_link(instrument, item), "text": text, "answer": [answer]}
