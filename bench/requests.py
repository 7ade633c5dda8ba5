"""Writes CDS Hooks requests of a given number of resources, as large EHR records look: narrative, profiles, ids.

Same seed, same bytes. The record is of one invented patient with major depression, some antidepressant treatment,
blood pressures and PHQ-9 scores; the draft is a ketamine infusion.
"""

from __future__ import annotations

import json
import random
from datetime import date, timedelta
from typing import Any

AS_OF = date(2026, 1, 15)
SIZES = {"small": 10, "usual": 150, "large": 1500}
PATIENT = "bench-1"
_LOINC, _SNOMED, _ICD = "http://loinc.org", "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10-cm"
_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
_SUBJECT = {"reference": f"Patient/{PATIENT}", "display": "Bench, Patient"}
_DIAGNOSES = (("F33.2", "Major depressive disorder"), ("E78.5", "Hyperlipidemia"), ("M54.50", "Low back pain"))
_DRUGS = (("312941", "sertraline 50 MG Oral Tablet"), ("310384", "fluoxetine 10 MG Oral Capsule"))
_PHQ9 = ("44250-9", "44255-8", "44259-0", "44254-1", "44251-7", "44258-2", "44252-5", "44253-3", "44260-8")
_AMOUNTS = ("2", "two", "2 (two)", "TWO (2)")
_OFTEN = ("daily", "once daily", "every day", "every morning", "at bedtime", "nightly", "once a day", "qam", "qhs")
_REMARKS = ("with food", "with water", "after breakfast", "with meals", "as directed", "for mood", "for depression")
_ANSWERS = ("LA6568-5", "LA6569-3", "LA6570-1", "LA6571-9")


def build(resources: int, seed: int = 7, *, own_sigs: bool = False) -> bytes:
    """One order-sign request whose prefetch holds ``resources`` resources, about 1.6 kB each.

    ``own_sigs``: hardly a prescription is worded like another one, of this request or of one with another seed.
    """
    dice = random.Random(seed)
    prefetch: dict[str, Any] = {"patient": _patient()}
    prefetch |= {key: _bundle([]) for key in _MAKERS}
    for number in range(resources - 1):
        key = _MIX[number % len(_MIX)]
        resource = _MAKERS[key](number, dice)
        if own_sigs and key == "medicationRequests":
            resource["dosageInstruction"][0]["text"] = _own_sig(dice)
        prefetch[key]["entry"].append(_entry(resource))
    return json.dumps(_request(prefetch), separators=(",", ":")).encode()


def different(resources: int, count: int) -> list[bytes]:
    """Requests of one size, each with values and sigs of its own, so that no cache of earlier calls gains by it."""
    return [build(resources, seed, own_sigs=True) for seed in range(1, count + 1)]


def _own_sig(dice: random.Random) -> str:
    amount, often, remark = (dice.choice(each) for each in (_AMOUNTS, _OFTEN, _REMARKS))
    return f"Take {amount} tablets by mouth {often} {remark} for {dice.randint(14, 400)} days"


def _request(prefetch: dict[str, Any]) -> dict[str, Any]:
    draft = {
        "resourceType": "MedicationRequest",
        "id": "draft-1",
        "status": "draft",
        "intent": "order",
        "subject": _SUBJECT,
        "medicationCodeableConcept": {"coding": [{"system": _RXNORM, "code": "6130", "display": "ketamine"}]},
    }
    return {
        "hook": "order-sign",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {
            "userId": "Practitioner/bench",
            "patientId": PATIENT,
            "draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": draft}]},
        },
        "prefetch": prefetch,
    }


def _bundle(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}


def _entry(resource: dict[str, Any]) -> dict[str, Any]:
    url = f"https://ehr.example/fhir/{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": url, "resource": resource, "search": {"mode": "match"}}


def _frame(kind: str, number: int) -> dict[str, Any]:
    """What every resource of a real server carries besides what is read."""
    words = f"{kind} {number}: recorded during routine care, reviewed by the responsible clinician, no further remark. "
    return {
        "resourceType": kind,
        "id": f"{kind.lower()}-{number}",
        "meta": {
            "versionId": "3",
            "lastUpdated": "2025-12-01T08:15:00.000Z",
            "profile": [f"http://hl7.org/fhir/us/core/StructureDefinition/us-core-{kind.lower()}|6.1.0"],
        },
        "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{words * 5}</div>'},
        "identifier": [{"use": "usual", "system": "urn:oid:1.2.840.114350.1.13.0.1.7.2.1", "value": f"{number:012d}"}],
    }


def _day(number: int) -> str:
    return (AS_OF - timedelta(days=7 * (number % 50) + 1)).isoformat()


def _patient() -> dict[str, Any]:
    return _frame("Patient", 1) | {"id": PATIENT, "birthDate": "1980-05-05", "gender": "female"}


def _condition(number: int, dice: random.Random) -> dict[str, Any]:
    code, text = _DIAGNOSES[0] if number < len(_MIX) // 2 else dice.choice(_DIAGNOSES)
    status = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    verified = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    return _frame("Condition", number) | {
        "clinicalStatus": {"coding": [{"system": status, "code": "active"}]},
        "verificationStatus": {"coding": [{"system": verified, "code": "confirmed"}]},
        "code": {"coding": [{"system": _ICD, "code": code, "display": text}], "text": text},
        "subject": _SUBJECT,
        "onsetDateTime": "2024-11-01",
        "recordedDate": _day(number),
    }


def _observation(number: int, dice: random.Random) -> dict[str, Any]:
    resource = _frame("Observation", number) | {
        "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category"}]}],
        "subject": _SUBJECT,
        "effectiveDateTime": f"{_day(number)}T09:00:00-05:00",
    }
    if number % 3 == 0:
        total = {"system": _LOINC, "code": "44261-6", "display": "PHQ-9 total"}
        return resource | {"code": {"coding": [total]}, "valueInteger": dice.randint(12, 22)}
    parts = (("8480-6", dice.randint(112, 136)), ("8462-4", dice.randint(68, 86)))
    panel = {"system": _LOINC, "code": "85354-9", "display": "Blood pressure"}
    return resource | {
        "code": {"coding": [panel]},
        "component": [
            {
                "code": {"coding": [{"system": _LOINC, "code": code}]},
                "valueQuantity": {
                    "value": value,
                    "unit": "mmHg",
                    "system": "http://unitsofmeasure.org",
                    "code": "mm[Hg]",
                },
            }
            for code, value in parts
        ],
    }


def _response(number: int, dice: random.Random) -> dict[str, Any]:
    return _frame("QuestionnaireResponse", number) | {
        "status": "completed",
        "questionnaire": "http://loinc.org/q/44249-1",
        "subject": _SUBJECT,
        "authored": f"{_day(number)}T08:30:00-05:00",
        "item": [
            {"linkId": f"/{code}", "answer": [{"valueCoding": {"system": _LOINC, "code": dice.choice(_ANSWERS[:3])}}]}
            for code in _PHQ9
        ],
    }


def _medication_request(number: int, dice: random.Random) -> dict[str, Any]:
    code, text = dice.choice(_DRUGS)
    return _frame("MedicationRequest", number) | {
        "status": "completed",
        "intent": "order",
        "medicationCodeableConcept": {"coding": [{"system": _RXNORM, "code": code, "display": text}], "text": text},
        "subject": _SUBJECT,
        "authoredOn": _day(number),
        "dosageInstruction": [
            {
                "text": "Take 2 tablets by mouth once daily",
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": {"value": 2, "unit": "tablet"}}],
            }
        ],
        "dispenseRequest": {
            "numberOfRepeatsAllowed": 1,
            "expectedSupplyDuration": {"value": 30, "unit": "d", "code": "d"},
        },
    }


def _procedure(number: int, _: random.Random) -> dict[str, Any]:
    code = {"coding": [{"system": _SNOMED, "code": "76601001", "display": "Intramuscular injection"}]}
    return _frame("Procedure", number) | {
        "status": "completed",
        "code": code,
        "subject": _SUBJECT,
        "performedDateTime": _day(number),
    }


_MAKERS = {
    "conditions": _condition,
    "observations": _observation,
    "questionnaireResponses": _response,
    "medicationRequests": _medication_request,
    "procedures": _procedure,
}

_MIX = (
    *("conditions", "observations", "medicationRequests", "observations", "procedures"),
    *("observations", "medicationRequests", "conditions", "observations", "questionnaireResponses"),
)
"""What the prefetch templates bring of an ordinary record: four scores and vital signs for every questionnaire."""
