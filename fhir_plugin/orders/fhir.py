"""Draft orders as FHIR R4: plain dictionaries, whose shapes the tests validate with ``fhir.resources.R4B``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

import msgspec

from fhir_plugin.orders.dosing import NumberRange, amount_of, number
from fhir_plugin.orders.filling import OrderFields
from fhir_plugin.scales.codes import panel_coding
from mappings.schema.instruments import QUESTIONNAIRES
from mappings.schema.instruments.model import Instrument
from mappings.schema.orders.model import Order, OrderCode, OrderLine, OrderSchedule
from mappings.schema.rules.protocols import ProtocolParameter

UCUM = "http://unitsofmeasure.org"
QUESTIONNAIRE_ASKED = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-servicerequest-questionnaire"
"""The extension by which a ServiceRequest names its Questionnaire."""

DRAFTS = "urn:tandem-cds:draft"
"""The system of the identifiers of drafts."""

_PERIOD = {"days": "d", "min": "min", "weeks": "wk", "years": "a"}
"""Units of parameters in UCUM."""
_REFERENCE = re.compile(r"[A-Z][A-Za-z]{1,63}/[A-Za-z0-9\-.]{1,64}")

Resource = dict[str, Any]


class OrderContext(msgspec.Struct, frozen=True, kw_only=True):
    """What all drafts of one decision have in common."""

    patient_id: str
    as_of: date
    reasons: tuple[str, ...] = ()
    """References to the conditions that are treated."""

    def head(self) -> Resource:
        """The members that make an order a draft for this patient on this day."""
        head: Resource = {
            "status": "draft",
            "intent": "proposal",
            "subject": {"reference": f"Patient/{self.patient_id}"},
            "authoredOn": self.as_of.isoformat(),
        }
        return head | ({"reasonReference": references(self.reasons)} if self.reasons else {})


def is_reference(text: str) -> bool:
    """Whether it is a relative reference that a server can resolve."""
    return bool(_REFERENCE.fullmatch(text))


def references(targets: Iterable[str]) -> list[Resource]:
    """References as FHIR writes them."""
    return [{"reference": target} for target in targets]


def notes(texts: Iterable[str]) -> list[Resource]:
    """Annotations."""
    return [{"text": text} for text in texts]


# What is ordered, independent of the patient


def questionnaire(instrument: Instrument) -> Resource:
    """An order for an instrument, naming the Questionnaire that ``/fhir/Questionnaire`` serves."""
    canonical = f"{QUESTIONNAIRES}:{instrument.id}"
    return {
        "resourceType": "ServiceRequest",
        "extension": [{"url": QUESTIONNAIRE_ASKED, "valueCanonical": canonical}],
        "code": {"coding": [panel_coding(instrument)], "text": instrument.title},
    }


def service(order: Order, fields: OrderFields) -> Resource:
    """A procedure or a measurement, with its occurrence."""
    body: Resource = {"resourceType": "ServiceRequest", "code": _concept(order.title, order.codes)}
    if order.details:
        body["orderDetail"] = [_concept(detail.title, detail.codes) for detail in order.details]
    if order.body_site:
        body["bodySite"] = [{"text": order.body_site}]
    for line in order.lines:
        if repeat := _repeat(line.schedule, fields.parameters):
            body["occurrenceTiming"] = {"repeat": repeat, "code": {"text": fields.sentence(line.says)}}
    return body


def medication(order: Order) -> Resource:
    """A drug, without its dosage."""
    return {"resourceType": "MedicationRequest", "medicationCodeableConcept": _concept(order.title, order.codes)}


def dosages(order: Order, fields: OrderFields) -> list[Resource]:
    """The lines of the template as dosage instructions."""
    return [_dosage(place, line, order, fields) for place, line in enumerate(order.lines, start=1)]


def care_plan(
    context: OrderContext, title: str, description: str, orders: Iterable[Resource], later: Iterable[str]
) -> Resource:
    """The plan: the orders, which must have been identified, and in words what is not ordered yet.

    It refers to the orders by identifier, because a client that creates one draft after the other gives them ids of
    its own, and a server refuses a reference to what it does not have.
    """
    ordered = [{"reference": _by_identifier(order)} for order in orders]
    planned = [{"detail": {"status": "not-started", "description": words}} for words in later]
    body: Resource = {
        "resourceType": "CarePlan",
        "status": "draft",
        "intent": "proposal",
        "title": title,
        "description": description,
        "subject": {"reference": f"Patient/{context.patient_id}"},
        "created": context.as_of.isoformat(),
        "activity": [*ordered, *planned],
    }
    return body | ({"addresses": references(context.reasons)} if context.reasons else {})


def identify(order: Resource, identifier: str) -> None:
    """Give an order that identifier, also as its id in a client that keeps ids."""
    order["id"] = identifier
    order["identifier"] = [{"system": DRAFTS, "value": identifier}]


def _by_identifier(order: Resource) -> Resource:
    """A logical reference."""
    (identifier,) = order["identifier"]
    named: Resource = order.get("code") or order.get("medicationCodeableConcept") or {}
    return {"type": order["resourceType"], "identifier": identifier, "display": named["text"]}


def _concept(text: str, codes: tuple[OrderCode, ...]) -> Resource:
    coding = [{"system": code.system, "code": code.code} for code in codes]
    return {"coding": coding, "text": text} if coding else {"text": text}


# Doses


def _dosage(place: int, line: OrderLine, order: Order, fields: OrderFields) -> Resource:
    body: Resource = {"sequence": place, "text": fields.sentence(line.says)}
    if repeat := _repeat(line.schedule, fields.parameters):
        body["timing"] = {"repeat": repeat}
    if order.route:
        body["route"] = {"text": order.route}
    amount = _amount(line, fields)
    if amount is not None:
        body["doseAndRate"] = [_dose(amount) | _rate(amount, line.schedule, fields)]
    return body


def _amount(line: OrderLine, fields: OrderFields) -> NumberRange | None:
    if line.dose is None:
        return None
    return fields.by_weight if line.dose.per_kg else amount_of(fields.parameters[line.dose.amount])


def _dose(amount: NumberRange) -> Resource:
    if amount.high is None:
        return {"doseQuantity": _quantity(amount.low, "mg")}
    return {"doseRange": {"low": _quantity(amount.low, "mg"), "high": _quantity(amount.high, "mg")}}


def _rate(amount: NumberRange, schedule: OrderSchedule, fields: OrderFields) -> Resource:
    """The dose divided by its duration, unrounded; empty where either is a range."""
    if not schedule.duration:
        return {}
    time = amount_of(fields.parameters[schedule.duration])
    if amount.high is not None or time.high is not None:
        return {}
    return {"rateRatio": {"numerator": _quantity(amount.low, "mg"), "denominator": _quantity(time.low, "min")}}


def _quantity(value: Any, unit: str) -> Resource:
    return {"value": number(value), "unit": unit, "system": UCUM, "code": unit}


# Times


def _repeat(schedule: OrderSchedule, parameters: Mapping[str, ProtocolParameter]) -> Resource:
    """A schedule as ``Timing.repeat``."""
    named = {use: parameters[name] for use, name in schedule if name}
    parts: Resource = {}
    for use, parameter in named.items():
        parts.update(_TIMES[use](parameter))
    return parts


def _bounds(parameter: ProtocolParameter) -> Iterator[tuple[str, Any]]:
    amount, unit = amount_of(parameter), _PERIOD[parameter.unit]
    if amount.high is None:
        yield "boundsDuration", _quantity(amount.low, unit)
    else:
        yield "boundsRange", {"low": _quantity(amount.low, unit), "high": _quantity(amount.high, unit)}


def _ends(key: str, parameter: ProtocolParameter) -> Iterator[tuple[str, Any]]:
    amount = amount_of(parameter)
    yield key, number(amount.low)
    if amount.high is not None:
        yield f"{key}Max", number(amount.high)


def _weekly(parameter: ProtocolParameter) -> Iterator[tuple[str, Any]]:
    yield from _ends("frequency", parameter)
    yield from (("period", 1), ("periodUnit", "wk"))


def _every(parameter: ProtocolParameter) -> Iterator[tuple[str, Any]]:
    yield "frequency", 1
    yield from _ends("period", parameter)
    yield "periodUnit", _PERIOD[parameter.unit]


def _lasting(parameter: ProtocolParameter) -> Iterator[tuple[str, Any]]:
    yield from _ends("duration", parameter)
    yield "durationUnit", _PERIOD[parameter.unit]


_TIMES = {
    "count": lambda parameter: _ends("count", parameter),
    "times": _weekly,
    "interval": _every,
    "length": _bounds,
    "duration": _lasting,
}
