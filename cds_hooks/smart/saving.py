"""Saving a filled questionnaire on the EHR's FHIR server: the response, then the Observation derived from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from cds_hooks.smart.filling import read_back
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.gather import FhirAccess
from fhir_plugin.reading.responses import ServerResponse
from fhir_plugin.record.subjects import is_fhir_id
from fhir_plugin.scales.extraction import write_observation
from fhir_plugin.scales.scoring import Score
from mappings.schema.instruments import Instruments

_SECONDS = 10.0
_CREATED = "201"


@dataclass(frozen=True, slots=True)
class SaveResult:
    """The result of saving."""

    response: str | None
    """Reference of the response on the FHIR server; ``None`` where it is not known to be saved."""
    observation: str | None
    problem: str = ""


async def save(
    body: dict[str, Any], scored: Score, instruments: Instruments, access: FhirAccess, to: FhirServers
) -> SaveResult:
    """Create both, sending each once; nothing is reported as saved unless the server confirmed it."""
    kind = "QuestionnaireResponse"
    answer = await _create(kind, msgspec.json.encode(body), access, to)
    if answer.outcome != _CREATED:
        return SaveResult(None, None, _problem(answer, "the answers"))
    identifier = _id_of(kind, answer.location)
    response = f"{kind}/{identifier}" if identifier else kind
    stored = read_back(body | ({"id": identifier} if identifier else {}))
    observation = write_observation(stored, scored, instruments)
    answer = await _create("Observation", observation, access, to)
    if answer.outcome != _CREATED:
        return SaveResult(response, None, f"The answers are saved. {_problem(answer, 'the score')}")
    number = _id_of("Observation", answer.location)
    return SaveResult(response, f"Observation/{number}" if number else "Observation")


async def _create(kind: str, body: bytes, access: FhirAccess, to: FhirServers) -> ServerResponse:
    return await to.create(access.base_url, kind, body, access.token or "", _SECONDS)


def _problem(answer: ServerResponse, what: str) -> str:
    """After a refusal nothing was saved; without an answer it is unknown."""
    if answer.outcome.startswith("4"):
        return f"The EHR refused {what} ({answer.outcome}); nothing of it was saved."
    return f"It is not known whether the EHR saved {what} ({answer.outcome}). Check the chart before saving again."


def _id_of(kind: str, location: str | None) -> str | None:
    """The id in a Location header such as ``.../Observation/1/_history/1``."""
    parts = (location or "").partition("/_history/")[0].split("/")
    identifier = parts[-1] if len(parts) > 1 and parts[-2] == kind else ""
    return identifier if is_fhir_id(identifier) else None
