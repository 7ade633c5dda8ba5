"""Calls at the start of a treatment session: a record in plain words of FHIR, as an EHR prefetches it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fhir_plugin.record.inputs import INPUTS
from tests.support.hooks.calls import DAY, KETAMINE, check, client
from tests.support.knowledge.charts import PLACES

SERVICE = "/cds-services/treatment-session-encounter-start"
CPT = "http://www.ama-assn.org/go/cpt"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
LOINC = "http://loinc.org"
HERE = {"reference": "Patient/p1"}
ACTIVE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}


def ago(days: int) -> str:
    """A day before the call, as FHIR writes it."""
    return (DAY - timedelta(days=days)).isoformat()


def tms(*days: int) -> list[dict[str, Any]]:
    """Sessions of TMS, so many days ago."""
    code = {"coding": [{"system": CPT, "code": "90868"}]}
    head = {"resourceType": "Procedure", "status": "completed", "code": code, "subject": HERE}
    return [head | {"id": f"tms-{day}", "performedDateTime": ago(day)} for day in days]


def ketamine(*days: int, code: dict[str, Any] = KETAMINE, route: str = "") -> list[dict[str, Any]]:
    """Doses, so many days ago."""
    head = {"resourceType": "MedicationAdministration", "status": "completed", "subject": HERE}
    dosage = {"dosage": {"route": {"text": route}}} if route else {}
    return [
        head
        | {"id": f"dose-{day}", "medicationCodeableConcept": code, "effectiveDateTime": f"{ago(day)}T10:00:00Z"}
        | dosage
        for day in days
    ]


def diagnosis(code: str, days: int, text: str = "") -> dict[str, Any]:
    """An active diagnosis by its ICD-10-CM code, or in words alone."""
    concept = {"coding": [{"system": ICD, "code": code}]} if code else {}
    return {
        "resourceType": "Condition",
        "id": f"{code or 'words'}-{days}".replace(".", "-"),
        "subject": HERE,
        "clinicalStatus": ACTIVE,
        "code": concept | ({"text": text} if text else {}),
        "onsetDateTime": ago(days),
    }


def pressure(systolic: float, diastolic: float, days: int = 0) -> dict[str, Any]:
    """A blood pressure."""
    parts = (("8480-6", systolic), ("8462-4", diastolic))
    return {
        "resourceType": "Observation",
        "id": f"bp-{days}",
        "status": "final",
        "subject": HERE,
        "code": {"coding": [{"system": LOINC, "code": "85354-9"}]},
        "effectiveDateTime": ago(days),
        "component": [
            {
                "code": {"coding": [{"system": LOINC, "code": code}]},
                "valueQuantity": {"value": value, "system": "http://unitsofmeasure.org", "code": "mm[Hg]"},
            }
            for code, value in parts
        ],
    }


def phq9(total: int, days: int) -> dict[str, Any]:
    """A PHQ-9 total."""
    return {
        "resourceType": "Observation",
        "id": f"phq9-{days}",
        "status": "final",
        "subject": HERE,
        "code": {"coding": [{"system": LOINC, "code": "44261-6"}]},
        "effectiveDateTime": ago(days),
        "valueInteger": total,
    }


def prefetch(*contents: dict[str, Any]) -> dict[str, Any]:
    """Everything that the service may read: what is given, a depression, and nothing else."""
    person = {"resourceType": "Patient", "id": "p1", "birthDate": "1980-05-10", "gender": "female"}
    bundles = {name: {"resourceType": "Bundle", "type": "searchset", "entry": []} for name in INPUTS}
    for content in (diagnosis("F33.1", 300), *contents):
        bundles[PLACES[content["resourceType"]]]["entry"].append({"resource": content})
    return bundles | {"patient": person}


def session_call(given: dict[str, Any]) -> list[dict[str, Any]]:
    """The checked cards when an encounter starts."""
    context = {"userId": "Practitioner/1", "patientId": "p1", "encounterId": "e1"}
    request = {"hook": "encounter-start", "hookInstance": "1", "context": context, "prefetch": given}
    answer = client().post(SERVICE, json=request)
    assert answer.status_code == 200, answer.text
    return check(answer.json())


def session_cards(*contents: dict[str, Any]) -> list[dict[str, Any]]:
    """The cards for a record."""
    return session_call(prefetch(*contents))
