"""Errors as FHIR represents them: an OperationOutcome in the body of every unsuccessful response."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

FHIR_JSON = "application/fhir+json"


def outcome(status: int, code: str, *diagnostics: str, headers: dict[str, str] | None = None) -> Response:
    """A response with one issue per item of ``diagnostics``, which hold no patient data; ``code`` is an issue-type."""
    body = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": code, "diagnostics": text} for text in diagnostics],
    }
    return Response(msgspec.json.encode(body), status, headers, FHIR_JSON)
