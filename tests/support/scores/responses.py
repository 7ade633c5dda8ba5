"""Builds QuestionnaireResponses the way different servers write them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mappings.schema.instruments import Instruments, link_id
from mappings.schema.instruments.model import Instrument

Answer = int | None


def answer(instruments: Instruments, instrument: Instrument, place: int, value: int, form: str) -> dict[str, Any]:
    """One answer to one item, as a code, a SNOMED CT code, a number or words."""
    options = instruments.answer_list(instrument, instrument.items[place]).options
    option = next((each for each in options if each.value == value), None)
    if form == "integer":
        return {"valueInteger": value}
    if form == "decimal":
        return {"valueDecimal": float(value)}
    assert option is not None
    if form == "coded" and not option.code:
        return {"valueInteger": value}
    if form == "words":
        return {"valueString": f" {(option.display or '').upper()} "}
    if form == "snomed":
        return {"valueCoding": {"system": option.also[0].system, "code": option.also[0].code}}
    if form == "weighted":
        extension = [{"url": "http://hl7.org/fhir/StructureDefinition/ordinalValue", "valueDecimal": value}]
        return {"valueCoding": {"system": "urn:local", "code": f"a{value}", "extension": extension}}
    return {"valueCoding": {"system": "http://loinc.org", "code": option.code, "display": option.display}}


def default_form(instruments: Instruments, instrument: Instrument) -> str:
    """Codes where the answers have them, else numbers."""
    options = instruments.answer_list(instrument, instrument.items[0]).options
    return "coded" if options[0].code else "integer"


def response(
    instruments: Instruments,
    instrument: Instrument,
    answers: Sequence[Answer],
    *,
    form: str | None = None,
    links: str | None = None,
    status: str = "completed",
    repeat: Sequence[int] = (),
    more: Mapping[str, int | str] | None = None,
    authored: str | None = None,
    questionnaire: str | None = None,
    **other: Any,
) -> bytes:
    """A QuestionnaireResponse as a server sends it."""
    form = form or default_form(instruments, instrument)
    style = links or instrument.link_styles[0]
    items: list[dict[str, Any]] = []
    for place, (item, value) in enumerate(zip(instrument.items, answers, strict=True)):
        entry: dict[str, Any] = {"linkId": link_id(style, item.number, item.code)}
        if value is not None:
            entry["answer"] = [answer(instruments, instrument, place, value, form)]
        items.append(entry)
        if place + 1 in repeat:
            items.append(entry)
    for link, given in (more or {}).items():
        value = (
            {"valueCoding": {"system": "http://loinc.org", "code": given}}
            if isinstance(given, str)
            else ({"valueInteger": given})
        )
        items.append({"linkId": link, "answer": [value]})
    body = {
        "resourceType": "QuestionnaireResponse",
        "status": status,
        "questionnaire": questionnaire or f"http://example.org/Questionnaire/{instrument.id.replace('_', '-')}",
        "item": items,
        **({"authored": authored} if authored else {}),
        **other,
    }
    return json.dumps(body).encode()
