"""Converts a scored response to an Observation (``$extract``), built and validated with ``fhir.resources.R4B``."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import msgspec
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.observation import Observation
from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from fhir_plugin.errors import WrongQuestionnaire
from fhir_plugin.record import lenient
from fhir_plugin.record.datatypes import Reference
from fhir_plugin.record.resources import QuestionnaireResponse
from fhir_plugin.record.subjects import reference_parts
from fhir_plugin.scales.codes import item_coding, option_coding, total_coding
from fhir_plugin.scales.questionnaires import option_weight
from fhir_plugin.scales.scoring import Score
from mappings.schema.instruments import LOCAL_CODES, Instruments
from mappings.schema.instruments.model import LOINC, Instrument, InstrumentItem, Risk

_CATEGORY = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "survey"}
_PERFORMERS = frozenset({"Organization", "Patient", "Practitioner", "PractitionerRole", "RelatedPerson"})
"""The authors of a response who may be performers of an Observation: all but a Device."""
_NAMESPACE = uuid.UUID("3f2b8c0e-6a52-5f0e-9b7e-5d2f3c1a7e44")


def build_observation(response: QuestionnaireResponse, scored: Score, instruments: Instruments) -> Observation:
    """The Observation of one scored response; :class:`WrongQuestionnaire` if it has no valid score."""
    return _validated(_observation(response, scored, instruments))


def write_observation(response: QuestionnaireResponse, scored: Score, instruments: Instruments) -> bytes:
    """The same as JSON. Validated is what it takes over from the response; the rest is ours and always valid.

    A model writes itself in ten times the time that everything else about a suggestion takes.
    """
    body = _observation(response, scored, instruments)
    taken = _validated({"resourceType": "Observation", "status": "final", "code": {}} | _taken_over(response))
    if taken.effectiveDateTime is not None:
        body["effectiveDateTime"] = to_jsonable_python(taken.effectiveDateTime)
    return msgspec.json.encode(body)


def _observation(response: QuestionnaireResponse, scored: Score, instruments: Instruments) -> dict[str, Any]:
    """The members in the order in which FHIR has them."""
    instrument = instruments[scored.instrument]
    if scored.total is None and (scored.severity is None or not isinstance(instrument.formula, Risk)):
        raise WrongQuestionnaire(f"{instrument.short}: no score may be given: {', '.join(scored.flags)}")
    components = [
        component
        for item in instrument.items
        if (component := _component(item, instrument, scored.items.get(item.key), instruments))
    ]
    interpretation = (
        {"interpretation": [{"text": scored.severity}]} if scored.severity and scored.total is not None else {}
    )
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [_CATEGORY]}],
        "code": {"coding": [total_coding(instrument)], "text": f"{instrument.short} total"},
        **_taken_over(response),
        **_value(instrument, scored),
        **interpretation,
        "derivedFrom": [_reference(response)],
        **({"component": components} if components else {}),
    }


def _validated(body: dict[str, Any]) -> Observation:
    try:
        return Observation.model_validate(body)
    except ValidationError as fault:
        places = sorted({str(error["loc"][0]) for error in fault.errors() if error["loc"]})
        raise WrongQuestionnaire(f"QuestionnaireResponse: not valid FHIR R4 in {', '.join(places)}") from fault


def _taken_over(response: QuestionnaireResponse) -> dict[str, Any]:
    """What the Observation takes over from the response: subject, encounter, time, and the author as performer."""
    body: dict[str, Any] = {}
    if response.subject and response.subject.reference:
        body["subject"] = {"reference": response.subject.reference}
    if response.encounter and response.encounter.reference:
        body["encounter"] = {"reference": response.encounter.reference}
    if response.authored:
        body["effectiveDateTime"] = response.authored
    author = lenient.read(response.author, Reference)
    if author and author.reference and reference_parts(author.reference)[1] in _PERFORMERS:
        body["performer"] = [{"reference": author.reference}]
    return body


def build_extract(response: QuestionnaireResponse, scores: Sequence[Score], instruments: Instruments) -> Bundle:
    """The transaction Bundle that creates one Observation for each score."""
    entries = []
    for scored in scores:
        # The same response always gets the same fullUrl, so that a Bundle sent twice can be detected.
        name = uuid.uuid5(_NAMESPACE, f"{response.reference}|{response.authored}|{scored.instrument}")
        entries.append(
            {
                "fullUrl": f"urn:uuid:{name}",
                "resource": build_observation(response, scored, instruments),
                "request": {"method": "POST", "url": "Observation"},
            }
        )
    return Bundle.model_validate({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def _reference(response: QuestionnaireResponse) -> dict[str, str]:
    if response.id:
        return {"reference": response.reference}
    return {"type": "QuestionnaireResponse", "display": "the response, which has no id yet"}


def _value(instrument: Instrument, scored: Score) -> dict[str, Any]:
    formula = instrument.formula
    if not isinstance(formula, Risk):
        return {"valueQuantity": {"value": scored.total, "system": "http://unitsofmeasure.org", "code": "{score}"}}
    level = next((level for level in formula.levels if level.name == scored.severity), None)
    coding = (
        {"system": LOINC, "code": level.code}
        if level
        else ({"system": LOCAL_CODES, "code": f"{instrument.id}-{formula.otherwise}"})
    )
    return {"valueCodeableConcept": {"coding": [coding], "text": scored.severity}}


def _component(
    item: InstrumentItem, instrument: Instrument, value: int | None, instruments: Instruments
) -> dict[str, Any] | None:
    if value is None:
        return None
    answers = instruments.answer_list(instrument, item)
    option = next(option for option in answers.options if option_weight(option, item, answers) == value)
    code = {"coding": [item_coding(instrument, item)], "text": item.label}
    if option.code:
        return {"code": code, "valueCodeableConcept": {"coding": [option_coding(option)]}}
    return {"code": code, "valueInteger": value}
