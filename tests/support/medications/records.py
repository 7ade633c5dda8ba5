"""Builds synthetic records from the short form of the case files."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.record.bundles import RESOURCE_TYPES
from fhir_plugin.record.dates import day_span
from fhir_plugin.record.record import Input, InputState, Record
from fhir_plugin.record.resources import Medication
from mappings.schema.medications import FOLDER

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
NDC = "http://hl7.org/fhir/sid/ndc"
INPUT_OF = {
    "MedicationRequest": "medicationRequests",
    "MedicationDispense": "medicationDispenses",
    "MedicationStatement": "medicationStatements",
    "MedicationAdministration": "medicationAdministrations",
    "Procedure": "procedures",
    "AllergyIntolerance": "allergies",
    "Condition": "conditions",
}
PATIENT = {"reference": "Patient/p1"}


@cache
def rxcuis() -> dict[str, str]:
    """RxNorm names of the product table."""
    with (FOLDER / "products.csv").open(encoding="utf-8") as lines:
        return {row["name"]: row["rxcui"] for row in csv.DictReader(lines)}


def concept(short: Mapping[str, Any]) -> dict[str, Any]:
    """``product``: an RxNorm name of the table; else ``text``, ``rxnorm``, ``ndc``, ``codings``."""
    codings = [dict(coding) for coding in short.get("codings", ())]
    if "product" in short:
        codings.append({"system": RXNORM, "code": rxcuis()[short["product"]], "display": short["product"]})
    if "rxnorm" in short:
        codings.append({"system": RXNORM, "code": str(short["rxnorm"])})
    if "ndc" in short:
        codings.append({"system": NDC, "code": str(short["ndc"])})
    found: dict[str, Any] = {"coding": codings} if codings else {}
    if "text" in short:
        found["text"] = short["text"]
    return found


def drug(short: Mapping[str, Any]) -> dict[str, Any]:
    if "reference" in short:
        return {"medicationReference": {"reference": short["reference"]}}
    return {"medicationCodeableConcept": concept(short)}


def dosages(short: Mapping[str, Any]) -> list[Any]:
    if "dosage" in short:
        return list(short["dosage"])
    return [{"text": short["sig"]}] if "sig" in short else []


def _quantity(value: Any, unit: str | None = None) -> dict[str, Any]:
    return {"value": value} | ({"unit": unit} if unit else {})


def order(short: Mapping[str, Any]) -> dict[str, Any]:
    request: dict[str, Any] = {}
    if "supply" in short:
        request["expectedSupplyDuration"] = {"value": short["supply"], "unit": "days", "code": "d"}
    if "refills" in short:
        request["numberOfRepeatsAllowed"] = short["refills"]
    if "quantity" in short:
        request["quantity"] = _quantity(short["quantity"], short.get("quantity_unit"))
    validity = {"start": short.get("valid_from"), "end": short.get("valid_until")}
    if any(validity.values()):
        request["validityPeriod"] = {key: str(value) for key, value in validity.items() if value}
    found: dict[str, Any] = {
        "resourceType": "MedicationRequest",
        "status": short.get("status", "completed"),
        "intent": short.get("intent", "order"),
        "subject": PATIENT,
        "dosageInstruction": dosages(short),
        "dispenseRequest": request,
        **drug(short),
    }
    if short.get("start"):
        found["authoredOn"] = str(short["start"])
    if "reason" in short:
        found["statusReason"] = short["reason"] if isinstance(short["reason"], dict) else {"text": short["reason"]}
    if "updated" in short:
        found["meta"] = {"lastUpdated": f"{short['updated']}T10:00:00Z"}
    return found | _shared(short)


def dispense(short: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "resourceType": "MedicationDispense",
        "status": short.get("status", "completed"),
        "subject": PATIENT,
        "dosageInstruction": dosages(short),
        **drug(short),
    }
    if short.get("start"):
        found["whenHandedOver"] = str(short["start"])
    if "prepared" in short:
        found["whenPrepared"] = str(short["prepared"])
    if "supply" in short:
        found["daysSupply"] = {"value": short["supply"], "unit": "days"}
    if "quantity" in short:
        found["quantity"] = _quantity(short["quantity"], short.get("quantity_unit"))
    if "for" in short:
        found["authorizingPrescription"] = [{"reference": f"MedicationRequest/{short['for']}"}]
    return found | _shared(short)


def statement(short: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "resourceType": "MedicationStatement",
        "status": short.get("status", "active"),
        "subject": PATIENT,
        "dosage": dosages(short),
        **drug(short),
    }
    if "day" in short:
        found["effectiveDateTime"] = str(short["day"])
    elif short.get("start"):
        period = {"start": str(short["start"])} | ({"end": str(short["stop"])} if "stop" in short else {})
        found["effectivePeriod"] = period
    if "asserted" in short:
        found["dateAsserted"] = str(short["asserted"])
    if "reason" in short:
        found["statusReason"] = [{"text": short["reason"]}]
    return found | _shared(short)


def given(short: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "resourceType": "MedicationAdministration",
        "status": short.get("status", "completed"),
        "subject": PATIENT,
        "effectiveDateTime": str(short["day"]),
        **drug(short),
    }
    if "mg" in short:
        found["dosage"] = {"dose": {"value": short["mg"], "unit": "mg"}}
    return found | _shared(short)


def procedure(short: Mapping[str, Any]) -> dict[str, Any]:
    coding = {"system": "http://www.ama-assn.org/go/cpt", "code": str(short["cpt"])}
    return {
        "resourceType": "Procedure",
        "status": short.get("status", "completed"),
        "subject": PATIENT,
        "code": {"coding": [coding]},
        "performedDateTime": str(short["day"]),
    } | _shared(short)


def allergy(short: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "AllergyIntolerance",
        "patient": PATIENT,
        "code": concept(short),
        "recordedDate": str(short["day"]),
    } | _shared(short)


def condition(short: Mapping[str, Any]) -> dict[str, Any]:
    status = {"coding": [{"code": short.get("status", "active")}]}
    coding = {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": short["icd10"]}
    found = {"resourceType": "Condition", "subject": PATIENT, "clinicalStatus": status, "code": {"coding": [coding]}}
    for key, member in (("onset", "onsetDateTime"), ("recorded", "recordedDate"), ("abated", "abatementDateTime")):
        if key in short:
            found[member] = str(short[key])
    if "text" in short:
        found["code"]["text"] = short["text"]
    return found | _shared(short)


def _shared(short: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "id" in short:
        found["id"] = short["id"]
    if "indication" in short:
        found["reasonCode"] = [{"text": short["indication"]}]
    if "note" in short:
        found["note"] = [{"text": short["note"]}]
    for name in ("contained", "doNotPerform", "extension"):
        if name in short:
            found[name] = short[name]
    return found


BUILDERS = {
    "order": order,
    "dispense": dispense,
    "statement": statement,
    "given": given,
    "procedure": procedure,
    "allergy": allergy,
    "condition": condition,
    "raw": dict,
}


def resources(case: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The FHIR resources of a case, each with an id."""
    found = []
    for at, entry in enumerate(case.get("records", ())):
        ((kind, short),) = entry.items()
        built = BUILDERS[kind](short)
        found.append({"id": f"r{at}"} | built)
    return found


def record_of(found: list[dict[str, Any]], medications: list[dict[str, Any]] = [], **states: InputState) -> Record:  # noqa: B006
    """A record with every input complete, unless ``states`` says otherwise."""
    held: dict[str, list[Any]] = {name: [] for name in INPUT_OF.values()}
    for resource in found:
        view = RESOURCE_TYPES[resource["resourceType"]]
        held[INPUT_OF[resource["resourceType"]]].append(msgspec.json.decode(json.dumps(resource), type=view))
    inputs = {name: Input(states.get(name, InputState.COMPLETE), tuple(items)) for name, items in held.items()}
    named = {f"Medication/{m['id']}": msgspec.json.decode(json.dumps(m), type=Medication) for m in medications}
    return Record("p1", inputs, named)


def assessments(case: Mapping[str, Any]) -> list[Assessment]:
    """``scores``: [instrument, day, total] each."""
    return [
        Assessment(instrument=name, day=day_span(str(day)), total=total, reference=f"Observation/s{at}")
        for at, (name, day, total) in enumerate(case.get("scores", ()))
    ]
