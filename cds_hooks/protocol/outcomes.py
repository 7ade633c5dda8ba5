"""Errors as FHIR says them: an OperationOutcome in every body that is not a success."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

FHIR_JSON = "application/fhir+json"


def outcome(status: int, code: str, *diagnostics: str, headers: dict[str, str] | None = None) -> Response:
    """A response with one issue for each of ``diagnostics``, which hold no patient data; ``code`` is an issue-type."""
    body = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": code, "diagnostics": each} for each in diagnostics],
    }
    return Response(msgspec.json.encode(body), status, headers, FHIR_JSON)
