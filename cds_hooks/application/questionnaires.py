"""Questionnaires over FHIR: the instruments as Questionnaires, and ``$extract`` from a response to Observations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache

import msgspec
from fastapi import APIRouter, Request, Response
from fhir.resources.R4B.capabilitystatement import CapabilityStatement

from cds_hooks.protocol.outcomes import FHIR_JSON, outcome
from cds_hooks.telemetry.logs import add_log_fields
from fhir_plugin.errors import BadInput, WrongQuestionnaire
from fhir_plugin.record.datatypes import UNDECODABLE
from fhir_plugin.record.resources import Questionnaire, QuestionnaireResponse
from fhir_plugin.scales.extraction import build_extract
from fhir_plugin.scales.questionnaires import build_questionnaire
from fhir_plugin.scales.scoring import Score, score_all
from mappings.schema.instruments import Instruments

_BAD_REQUEST, _NOT_FOUND, _UNPROCESSABLE = 400, 404, 422


class Parameter(msgspec.Struct, frozen=True):
    """One parameter of an operation, its resource left as bytes."""

    name: str | None = None
    resource: msgspec.Raw = msgspec.Raw(b"")


class Parameters(msgspec.Struct, frozen=True, tag_field="resourceType"):
    """What SDC clients send to ``$extract``."""

    parameter: tuple[Parameter, ...] = ()


def router(
    instruments: Instruments,
    read_body: Callable[[Request], Awaitable[bytes]] = Request.body,
    public_url: str | None = None,
    instruments_of: Callable[[Request], Instruments] | None = None,
) -> APIRouter:
    """The routes under ``/fhir``; every error is an OperationOutcome without patient data.

    ``read_body`` reads a request within the limits of the application; ``public_url`` is where clients reach it, by
    default the address of the request. ``instruments_of`` are those by which the responses of a caller are read.
    """
    routes = APIRouter(prefix="/fhir")
    forms = {form.instrument.id.replace("_", "-"): form for form in instruments.forms.values()}

    @cache
    def written(name: str) -> str:
        return build_questionnaire(forms[name], instruments).model_dump_json()

    @routes.get("/metadata", response_class=Response)
    async def metadata() -> Response:
        return _answer(_capabilities().model_dump_json())

    @routes.get("/Questionnaire", response_class=Response)
    async def all_questionnaires(request: Request) -> Response:
        # No search parameter is supported, and the self link says so by naming none.
        here = f"{public_url or str(request.base_url).rstrip('/')}/fhir/Questionnaire"
        bundle = {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(forms),
            "link": [{"relation": "self", "url": here}],
            "entry": [
                {
                    "fullUrl": f"{here}/{name}",
                    "resource": msgspec.Raw(written(name).encode()),
                    "search": {"mode": "match"},
                }
                for name in forms
            ],
        }
        return _answer(msgspec.json.encode(bundle))

    @routes.get("/Questionnaire/{identifier}", response_class=Response)
    async def one_questionnaire(identifier: str) -> Response:
        name = identifier.replace("_", "-")
        if name not in forms:
            return outcome(_NOT_FOUND, "not-found", "Questionnaire: no instrument of that id is offered")
        return _answer(written(name))

    @routes.post("/QuestionnaireResponse/$extract", response_class=Response)
    async def extract(request: Request) -> Response:
        chosen = instruments_of(request) if instruments_of else instruments
        return _extract_response(await read_body(request), chosen)

    return routes


def _extract_response(body: bytes, instruments: Instruments) -> Response:
    try:
        response, questionnaire = read_extract(body)
        scores = score_all(response, instruments, questionnaire)
        why = [(scored, refusals(scored, instruments)) for scored in scores]
        told = tuple(scored for scored, refused in why if not refused)
        if not told:
            return outcome(_UNPROCESSABLE, "processing", *(reason for _, refused in why for reason in refused))
        return _answer(build_extract(response, told, instruments).model_dump_json())
    except BadInput as fault:
        add_log_fields(reason="body.json")
        return outcome(_BAD_REQUEST, "structure", str(fault))
    except WrongQuestionnaire as fault:
        return outcome(_UNPROCESSABLE, "processing", str(fault))


def read_extract(body: bytes) -> tuple[QuestionnaireResponse, Questionnaire | None]:
    """The response, and the Questionnaire if the client sent one: bare, or as Parameters.

    :class:`BadInput` for what is no JSON, :class:`WrongQuestionnaire` for what is another resource.
    """
    try:
        kind = msgspec.json.decode(body, type=dict[str, msgspec.Raw]).get("resourceType")
    except UNDECODABLE as fault:
        raise BadInput("the body is not a JSON object") from fault
    try:
        if kind is not None and bytes(kind).strip() == b'"Parameters"':
            return _from_parameters(msgspec.json.decode(body, type=Parameters))
        return msgspec.json.decode(body, type=QuestionnaireResponse), None
    except UNDECODABLE as fault:
        raise WrongQuestionnaire("the body is no QuestionnaireResponse that can be read") from fault


def _from_parameters(parameters: Parameters) -> tuple[QuestionnaireResponse, Questionnaire | None]:
    named = {parameter.name: parameter.resource for parameter in parameters.parameter if bytes(parameter.resource)}
    response = named.get("questionnaire-response")
    if response is None:
        raise WrongQuestionnaire("Parameters: questionnaire-response is missing")
    questionnaire = named.get("questionnaire")
    return (
        msgspec.json.decode(response, type=QuestionnaireResponse),
        msgspec.json.decode(questionnaire, type=Questionnaire) if questionnaire is not None else None,
    )


def refusals(scored: Score, instruments: Instruments) -> list[str]:
    """Why no Observation can be made of this score, naming each item; empty where one can."""
    instrument = instruments[scored.instrument]
    if scored.total is not None or (instrument.formula.kind == "risk" and scored.severity is not None):
        return []
    labels = {item.key: item.label for item in instrument.items}
    why = []
    for flag in scored.flags:
        name, _, place = flag.partition(":")
        label = f" ({labels[place]})" if place in labels else ""
        if label or name in ("status", "linkid_map_required"):
            why.append(f"{instrument.short}: {name.replace('_', ' ')}{f': {place}' if place else ''}{label}")
    return why or [f"{instrument.short}: no score may be given"]


def _capabilities() -> CapabilityStatement:
    operation = {
        "name": "extract",
        "definition": "http://hl7.org/fhir/uv/sdc/OperationDefinition/QuestionnaireResponse-extract",
    }
    return CapabilityStatement.model_validate(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": "2026-11-21",
            "kind": "instance",
            "software": {"name": "Tandem"},
            "implementation": {"description": "Questionnaires and their scores; no patient record is kept here"},
            "fhirVersion": "4.0.1",
            "format": ["json"],
            "rest": [
                {
                    "mode": "server",
                    "resource": [
                        {"type": "Questionnaire", "interaction": [{"code": "read"}, {"code": "search-type"}]},
                        {"type": "QuestionnaireResponse", "operation": [operation]},
                    ],
                }
            ],
        }
    )


def _answer(body: str | bytes, status: int = 200) -> Response:
    return Response(body, status, media_type=FHIR_JSON)
