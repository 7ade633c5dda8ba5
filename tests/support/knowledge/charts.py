"""Small synthetic charts, built from plain words of FHIR."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from fhir_plugin.record.bundles import RESOURCE_TYPES
from fhir_plugin.record.record import Input, InputState, Record
from fhir_plugin.record.resources import Resource

AS_OF = date(2026, 6, 1)
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
SCT = "http://snomed.info/sct"

PLACES = {
    "Patient": "patient",
    "Condition": "conditions",
    "Observation": "observations",
    "QuestionnaireResponse": "questionnaireResponses",
    "MedicationRequest": "medicationRequests",
    "MedicationDispense": "medicationDispenses",
    "MedicationStatement": "medicationStatements",
    "MedicationAdministration": "medicationAdministrations",
    "Procedure": "procedures",
    "Device": "devices",
    "AllergyIntolerance": "allergies",
    "ServiceRequest": "serviceRequests",
    "Coverage": "coverages",
}


def resource(content: dict[str, Any]) -> Resource:
    """One resource from its JSON."""
    return msgspec.convert(content, RESOURCE_TYPES[content["resourceType"]])


def condition(code: str, system: str = ICD, status: str | None = "active", **more: Any) -> dict[str, Any]:
    """A Condition with one code."""
    content = {
        "resourceType": "Condition",
        "id": more.pop("id", f"c-{code}-{status}"),
        "code": {"coding": [{"system": system, "code": code}], "text": "as written"},
    }
    if status:
        content["clinicalStatus"] = {"coding": [{"code": status}]}
    return content | more


def patient(born: str = "1980-02-10") -> dict[str, Any]:
    """The Patient."""
    return {"resourceType": "Patient", "id": "p", "birthDate": born}


def observation(code: str, value: float, unit: str, when: str | None, **more: Any) -> dict[str, Any]:
    """An Observation with one quantity."""
    return {
        "resourceType": "Observation",
        "id": more.pop("id", f"o-{code}-{when}-{value}"),
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "effectiveDateTime": when,
        "valueQuantity": {"value": value, "unit": unit},
    } | more


def pressure(systolic: float, diastolic: float, when: str | None, **more: Any) -> dict[str, Any]:
    """A blood pressure panel."""

    def part(code: str, value: float) -> dict[str, Any]:
        return {
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "valueQuantity": {"value": value, "code": "mm[Hg]"},
        }

    return {
        "resourceType": "Observation",
        "id": more.pop("id", f"bp-{when}-{systolic}"),
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
        "effectiveDateTime": when,
        "component": [part("8480-6", systolic), part("8462-4", diastolic)],
    } | more


def chart(*contents: dict[str, Any], without: tuple[str, ...] = (), partial: tuple[str, ...] = ()) -> Record:
    """A record in which every input is whole but those ``without`` (not retrieved) and ``partial``."""
    by_place: dict[str, list[Any]] = {place: [] for place in PLACES.values()}
    for content in contents:
        by_place[PLACES[content["resourceType"]]].append(resource(content))
    inputs = {
        place: Input(InputState.PARTIAL if place in partial else InputState.COMPLETE, tuple(found))
        for place, found in by_place.items()
        if place not in without
    }
    return Record("p", inputs)
