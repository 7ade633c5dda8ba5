"""Small FHIR material for the tests of reading: one patient, one resource of each kind, and Bundles of them."""

from __future__ import annotations

import json
from typing import Any

from fhir_plugin.record.inputs import INPUTS

PATIENT = "p1"
OTHER = "p2"
TYPES = {definition.resource_type: name for name, definition in INPUTS.items()}
Json = dict[str, Any]
_ABOUT = {"Device": "patient", "AllergyIntolerance": "patient", "Coverage": "beneficiary"}


def resource(kind: str, number: int | str = 1, about: str | None = f"Patient/{PATIENT}", **more: object) -> Json:
    """A resource of that type about that reference; ``about=None`` names nobody."""
    named = {"code": {"text": "Heart rate"}} if kind == "Observation" else {}
    made: Json = {"resourceType": kind, "id": str(number), **named, **more}
    if about is not None:
        made[_ABOUT.get(kind, "subject")] = {"reference": about}
    return made


def patient(number: str = PATIENT, **more: object) -> Json:
    """A Patient."""
    return {"resourceType": "Patient", "id": number, "birthDate": "1980-02-03", **more}


def bundle(*resources: Json | None, next_url: str | None = None, **more: object) -> bytes:
    """A searchset of those resources."""
    made: Json = {"resourceType": "Bundle", "type": "searchset", **more}
    made["entry"] = [{"resource": each} if each is not None else {} for each in resources]
    if next_url is not None:
        made["link"] = [{"relation": "self", "url": "x"}, {"relation": "next", "url": next_url}]
    return to_bytes(made)


def to_bytes(value: object) -> bytes:
    """The value as JSON."""
    return json.dumps(value).encode()


def outcome(severity: str = "error", code: str = "exception") -> Json:
    """An OperationOutcome whose text holds what must never be repeated."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": severity, "code": code, "diagnostics": "Jane Canary"}],
    }


def supplied(*without: str) -> dict[str, bytes]:
    """A prefetch with one resource of each input, some left out."""
    made = {name: bundle(resource(definition.resource_type)) for name, definition in INPUTS.items()}
    made["patient"] = to_bytes(patient())
    return {name: value for name, value in made.items() if name not in without}
