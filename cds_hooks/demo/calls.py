"""CDS Hooks requests about a demo patient, as an EHR would send them."""

from __future__ import annotations

import shlex
import uuid
from typing import Any

import msgspec

_PRACTITIONER = "Practitioner/demo"
_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


def patient_view(patient: str, fhir_server: str) -> dict[str, Any]:
    """The chart of a patient is opened; the service must read the record itself."""
    return _request("patient-view", patient, fhir_server)


def order_sign(patient: str, fhir_server: str, *drafts: dict[str, Any]) -> dict[str, Any]:
    """Orders are about to be signed; the service must read the record itself."""
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": draft} for draft in drafts]}
    return _request("order-sign", patient, fhir_server, draftOrders=bundle)


def order_select(patient: str, fhir_server: str, *drafts: dict[str, Any]) -> dict[str, Any]:
    """Orders have just been chosen; the service must read the record itself."""
    chosen = [f"{draft['resourceType']}/{draft['id']}" for draft in drafts]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": draft} for draft in drafts]}
    return _request("order-select", patient, fhir_server, selections=chosen, draftOrders=bundle)


def encounter_start(patient: str, fhir_server: str, encounter: str) -> dict[str, Any]:
    """A visit begins, such as a treatment session; the service must read the record itself."""
    return _request("encounter-start", patient, fhir_server, encounterId=encounter)


def ketamine_order(patient: str) -> dict[str, Any]:
    """A draft order for an infusion of ketamine, 0.5 mg for each kg of 100 kg over forty minutes."""
    return {
        "resourceType": "MedicationRequest",
        "id": "draft-ketamine",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": {
            "coding": [{"system": _RXNORM, "code": "6130", "display": "ketamine"}],
            "text": "ketamine 50 mg intravenous infusion over 40 minutes",
        },
        "subject": {"reference": f"Patient/{patient}"},
        "dosageInstruction": [
            {
                "text": "50 mg intravenously over 40 minutes, 3 times a week for 2 weeks",
                "route": {"text": "intravenous"},
                "doseAndRate": [{"doseQuantity": {"value": 50, "unit": "mg"}}],
            }
        ],
    }


def tms_order(patient: str) -> dict[str, Any]:
    """A draft order for a course of TMS."""
    return {
        "resourceType": "ServiceRequest",
        "id": "draft-tms",
        "status": "draft",
        "intent": "order",
        "code": {
            "coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "90867"}],
            "text": "Transcranial magnetic stimulation, left dorsolateral prefrontal cortex, 36 sessions",
        },
        "subject": {"reference": f"Patient/{patient}"},
    }


def esketamine_order(patient: str) -> dict[str, Any]:
    """A draft order for esketamine nasal spray."""
    return _medication_order(
        patient,
        "draft-esketamine",
        {"system": _RXNORM, "code": "2119390", "display": "{2 (0.2 ML) (esketamine 140 MG/ML Nasal Spray) } Pack"},
        "esketamine nasal spray",
    )


def antidepressant_order(patient: str) -> dict[str, Any]:
    """A draft order for one more antidepressant."""
    return _medication_order(
        patient,
        "draft-vortioxetine",
        {"system": _RXNORM, "code": "1439808", "display": "vortioxetine 10 MG Oral Tablet"},
        "vortioxetine 10 mg tablet",
    )


def curl(address: str, request: dict[str, Any] | None = None) -> str:
    """The call as one line for a terminal: a GET, or a POST of ``request``."""
    if request is None:
        return f"curl -s {address}"
    body = shlex.quote(msgspec.json.encode(request).decode())
    return f"curl -s {address} -H 'Content-Type: application/json' -d {body}"


def _medication_order(patient: str, identity: str, coding: dict[str, str], text: str) -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest",
        "id": identity,
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": {"coding": [coding], "text": text},
        "subject": {"reference": f"Patient/{patient}"},
    }


def _request(hook: str, patient: str, fhir_server: str, **context: Any) -> dict[str, Any]:
    return {
        "hook": hook,
        "hookInstance": str(uuid.uuid4()),
        "fhirServer": fhir_server,
        "context": {"userId": _PRACTITIONER, "patientId": patient, **context},
    }
