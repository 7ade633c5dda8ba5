"""The instruments as FHIR R4 Questionnaires, built and validated with ``fhir.resources.R4B``."""

from __future__ import annotations

from typing import Any

from fhir.resources.R4B.questionnaire import Questionnaire

from fhir_plugin.scales.codes import item_coding, item_link, option_coding, panel_coding, total_coding
from mappings.schema.instruments import QUESTIONNAIRES, Instruments, PreparedInstrument
from mappings.schema.instruments.model import LOINC, AnswerList, Instrument, InstrumentItem, Option, Risk, SumOfMaxima

ORDINAL_VALUE = "http://hl7.org/fhir/StructureDefinition/ordinalValue"
CALCULATED_EXPRESSION = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-calculatedExpression"
OBSERVATION_EXTRACT = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-observationExtract"


def build_questionnaire(form: PreparedInstrument, instruments: Instruments) -> Questionnaire:
    """One instrument as a Questionnaire: published wording if its licence allows, else our short labels."""
    instrument = form.instrument
    body: dict[str, Any] = {
        "resourceType": "Questionnaire",
        "id": instrument.id.replace("_", "-"),
        "url": f"{QUESTIONNAIRES}:{instrument.id}",
        "version": instrument.reviewed.isoformat(),
        "name": _computable_name(instrument),
        "title": instrument.title,
        "status": "active",
        "subjectType": ["Patient"],
        "date": instrument.reviewed.isoformat(),
        "copyright": instrument.licence.terms,
        "item": [_item(item, instrument, instruments) for item in instrument.items],
    }
    if instrument.loinc:
        body["code"] = [panel_coding(instrument)]
    if instrument.stem:
        body["description"] = instrument.stem
    if not isinstance(instrument.formula, Risk):
        body["item"].append(_total_item(instrument, instruments))
    return Questionnaire.model_validate(body)


def _computable_name(instrument: Instrument) -> str:
    """The id as FHIR wants a name (constraint ``que-0``): a capital first, no hyphens, such as ``CssrsScreener``."""
    return "".join(part[:1].upper() + part[1:] for part in instrument.id.split("_"))


def _item(item: InstrumentItem, instrument: Instrument, instruments: Instruments) -> dict[str, Any]:
    answers = instruments.answer_list(instrument, item)
    body: dict[str, Any] = {
        "linkId": item_link(instrument, item),
        "code": [item_coding(instrument, item)],
        "prefix": item.number,
        "text": item.wording or item.label,
        "type": "choice",
        "answerOption": [_option(option, option_weight(option, item, answers), answers) for option in answers.options],
    }
    if item.asked_if:
        condition_item = instrument.item(item.asked_if.item)
        option = next(option for option in answers.options if option.value == item.asked_if.value)
        body["enableWhen"] = [
            {"question": item_link(instrument, condition_item), "operator": "=", "answerCoding": option_coding(option)}
        ]
    return body


def option_weight(option: Option, item: InstrumentItem, answers: AnswerList) -> int:
    """The weight of an option for this item, inverted if the item is reversed."""
    values = [answer.value for answer in answers.options]
    return max(values) + min(values) - option.value if item.reversed else option.value


def _option(option: Option, option_value: int, answers: AnswerList) -> dict[str, Any]:
    ordinal = {"extension": [{"url": ORDINAL_VALUE, "valueDecimal": option_value}]}
    if option.code or option.display or not answers.integers:
        return {**ordinal, "valueCoding": option_coding(option)}
    return {**ordinal, "valueInteger": option.value}


def _total_item(instrument: Instrument, instruments: Instruments) -> dict[str, Any]:
    coding = total_coding(instrument)
    expression = {"language": "text/fhirpath", "expression": total_expression(instrument, instruments)}
    return {
        "extension": [
            {"url": CALCULATED_EXPRESSION, "valueExpression": expression},
            {"url": OBSERVATION_EXTRACT, "valueBoolean": True},
        ],
        "linkId": f"/{coding['code']}" if coding["system"] == LOINC else coding["code"],
        "code": [coding],
        "text": f"{instrument.short} total",
        "type": "integer",
        "readOnly": True,
    }


def total_expression(instrument: Instrument, instruments: Instruments) -> str:
    """The total in FHIRPath; empty, never a partial sum, while a scored item is unanswered."""
    links = {item.number: item_link(instrument, item) for item in instrument.items}
    if isinstance(instrument.formula, SumOfMaxima):
        parts = [[links[number] for number in domain] for domain in instrument.formula.domains.values()]
        answered = " and ".join(f"{_answers(part)}.exists()" for part in parts)
        total = " + ".join(f"{_answers(part)}.max()" for part in parts)
    else:
        all_links = list(links.values())
        answered = f"{_answers(all_links)}.count() = {len(all_links)}"
        coded = any(
            option.code or option.display
            for item in instrument.items
            for option in instruments.answer_list(instrument, item).options
        )
        total = f"{_answers(all_links)}{'.ordinal()' if coded else ''}.sum()"
    return f"iif({answered}, {total}, {{}})"


def _answers(links: list[str]) -> str:
    quoted = " | ".join(f"'{link}'" for link in links)
    return f"%resource.item.where(linkId in ({quoted})).answer.value"
