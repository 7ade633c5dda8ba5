"""Turns a call and its gathered record into a complete, de-identified request."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import msgspec
from pydantic import SecretStr

from cds_hooks.hooks.service import HookService
from cds_hooks.protocol.requests import HookCall, read_call
from cds_hooks.protocol.responses import Card
from cds_hooks.replay.deidentify import NEXT_PAGE, Deidentifier
from cds_hooks.replay.files import Replay, comparable
from cds_hooks.settings.readable import ReadableServers
from cds_hooks.settings.settings import Settings
from fhir_plugin.errors import BadInput
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.medication_references import MEDICATION_INPUTS
from fhir_plugin.record.record import Input, InputState, Record
from mappings.schema.codes.vocabulary import load_vocabulary
from mappings.schema.load import Knowledge
from mappings.schema.service.services import ServiceDefinition

_LEFT_OUT = frozenset({"Coverage"})
"""Resource types that contain little except who the patient is."""


class ReplayRunner:
    """Answers requests from their prefetch alone: no FHIR server is read."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        self._services: dict[str, ServiceDefinition] = {
            service.hook: service for service in knowledge.services.services
        }
        self._hooks = HookService(knowledge, Settings(database=SecretStr("off")), FhirServers())

    async def cards(self, hook: str, request: dict[str, Any], as_of: date) -> tuple[Card, ...]:
        """The cards for a request.

        :raises BadInput: there is no service for the hook.
        :raises BadRequest: the request cannot be read.
        :raises RecordUnavailable: a required input is missing.
        """
        if hook not in self._services:
            raise BadInput("no service is offered for the hook of the request")
        body = {name: value for name, value in request.items() if name not in ("fhirServer", "fhirAuthorization")}
        call = read_call(msgspec.json.encode(body), hook)
        return (await self._hooks.answer(call, self._services[hook], as_of, ReadableServers(()))).cards


class Recorder:
    """Creates replay files of calls."""

    def __init__(self, knowledge: Knowledge, secret: bytes) -> None:
        """``secret`` is the key for pseudonyms and date shifts."""
        self._runner = ReplayRunner(knowledge)
        self._deidentifier = Deidentifier(secret, load_vocabulary(), knowledge.medications)

    async def replay(self, call: HookCall, record: Record, as_of: date) -> Replay:
        """The de-identified call, and the cards that it gets in this form."""
        request = self._deidentifier.request(complete_request(call, record), record.patient_id, as_of)
        day = as_of + self._deidentifier.calendar(record.patient_id, as_of).shift
        cards = await self._runner.cards(call.hook, request, day)
        digest = self._runner.knowledge.digest
        return Replay(hook=call.hook, as_of=day, knowledge=digest, request=request, cards=comparable(cards))


def complete_request(call: HookCall, record: Record) -> dict[str, Any]:
    """The call with the whole record in its prefetch, so that no FHIR server is needed."""
    prefetch = {
        name: value
        for name, input_ in record.inputs.items()
        if INPUTS[name].resource_type not in _LEFT_OUT and input_.state is not InputState.NOT_RETRIEVED
        for value in (_value(name, input_, record),)
    }
    _add_foreign_resources(prefetch, record.dropped)
    return {"hook": call.hook, "context": _plain(call.context), "prefetch": prefetch}


def _value(name: str, input_: Input, record: Record) -> dict[str, Any] | None:
    if input_.state is InputState.NONE:
        return None
    if input_.state is InputState.UNREADABLE:
        return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
    resources = [_plain(resource) for resource in input_.resources]
    if name == "patient":
        return resources[0] if resources else {"resourceType": "Bundle", "type": "searchset"}
    entries: list[dict[str, Any]] = [{"resource": resource} for resource in resources]
    if name in MEDICATION_INPUTS:
        entries += [
            {"fullUrl": reference, "resource": _plain(medication), "search": {"mode": "include"}}
            for reference, medication in record.medications.items()
        ]
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    if input_.state is InputState.PARTIAL:
        bundle["link"] = [{"relation": "next", "url": NEXT_PAGE}]
    return bundle


def _add_foreign_resources(prefetch: dict[str, Any], dropped: int) -> None:
    """Add as many resources about another patient as were dropped: cards state their number."""
    bundle = next((value for value in prefetch.values() if value and value.get("resourceType") == "Bundle"), None)
    if bundle is None or not dropped:
        return
    kind = next(INPUTS[name].resource_type for name, value in prefetch.items() if value is bundle)
    about = "patient" if kind in ("Device", "AllergyIntolerance") else "subject"
    somebody = {"resourceType": kind, about: {"reference": "Patient/somebody-else"}}
    bundle.setdefault("entry", []).extend({"resource": {**somebody, "id": f"other-{n}"}} for n in range(dropped))


def _plain(view: Any) -> dict[str, Any]:
    """A view as JSON types, without absent members."""
    content = _filled(msgspec.json.decode(msgspec.json.encode(view)))
    return content if isinstance(content, dict) else {}


def _filled(node: Any) -> Any:
    if isinstance(node, dict):
        return dict(_pairs(node))
    return [_filled(item) for item in node] if isinstance(node, list) else node


def _pairs(node: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        kept = _filled(value)
        if kept not in (None, [], {}):
            yield key, kept
