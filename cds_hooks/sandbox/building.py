"""From the form to the request that an EHR would send: who, which hook, which orders, and what is prefetched."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from cds_hooks.demo.stories import DemoPatient
from cds_hooks.sandbox.form import JSON_ORDER, SandboxForm
from cds_hooks.sandbox.orders import ORDERS, Draft, bundle_of, read_drafts, selections
from cds_hooks.settings.readable import may_read
from cds_hooks.settings.settings import Settings
from fhir_plugin.errors import BadInput
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.gather import FhirSource
from fhir_plugin.reading.prefetching import prefetch
from fhir_plugin.record.datatypes import UNDECODABLE
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.record import Query
from mappings.schema.service.services import ServiceDefinition

_ORDER_HOOKS = frozenset({"order-select", "order-sign"})
_ENCOUNTER_HOOKS = frozenset({"encounter-start"})
_SECONDS = 10.0
"""The time that the sandbox, as the EHR, gives itself to prefetch."""


@dataclass(frozen=True, slots=True)
class BuiltRequest:
    """A request, ready to be sent."""

    service: ServiceDefinition
    request: dict[str, Any]
    """Prefetch values are left as the bytes that came."""
    drafts: list[Draft]
    queries: tuple[Query, ...] = ()
    """What the sandbox itself asked the FHIR server, as the EHR."""


class RequestBuilder:
    """Builds requests; holds nothing of any form."""

    def __init__(
        self,
        services: Sequence[ServiceDefinition],
        inputs: Sequence[str],
        codes: Sequence[str],
        settings: Settings,
        clients: FhirServers,
        demo_fhir: str | None,
    ) -> None:
        self._services: dict[str, ServiceDefinition] = {each.hook: each for each in services}
        self._inputs = tuple(inputs)
        self._codes = tuple(codes)
        self._settings = settings
        self._clients = clients
        self._demo_fhir = demo_fhir

    async def build(self, form: SandboxForm, patients: Mapping[str, DemoPatient]) -> BuiltRequest:
        """The request that the form describes.

        :raises BadInput: saying which field cannot be used.
        """
        service = self._services.get(form.hook)
        if service is None:
            raise BadInput("choose one of the hooks that are offered")
        if form.source == "request":
            return self._opened(form, service)
        names = self._wanted(form)
        if form.source == "server":
            return await self._from_server(form, service, names, form.server, form.patient_id)
        if form.source == "bundle":
            return self._from_bundle(form, service, names, form.bundle)
        patient = patients.get(form.patient)
        if patient is None:
            raise BadInput("choose one of the demo patients")
        if self._demo_fhir is None:
            return self._from_bundle(form, service, names, patient.bundle)
        return await self._from_server(form, service, names, self._demo_fhir, patient.id)

    def _wanted(self, form: SandboxForm) -> tuple[str, ...]:
        chosen = {"all": self._inputs, "none": (), "some": form.prefetched}[form.prefetching]
        return tuple(name for name in self._inputs if name in chosen)

    async def _from_server(
        self, form: SandboxForm, service: ServiceDefinition, names: Sequence[str], server: str, patient: str
    ) -> BuiltRequest:
        if not server or not patient:
            raise BadInput("give the address of the FHIR server and the id of the patient")
        if not may_read(server, self._settings.readable):
            raise BadInput("this FHIR server is not on the list of those that may be read (setting fhir_servers)")
        token = form.token if form.source == "server" else ""
        source = FhirSource(server, token or None, self._settings.readable.habits)
        found = await prefetch(source, patient, names, self._codes, self._clients, _SECONDS)
        drafts = draft_orders(form, patient)
        request = _request(form, patient, drafts)
        if form.with_server:
            request["fhirServer"] = server
            if token:
                request["fhirAuthorization"] = _authorization(token)
        if found.values:
            request["prefetch"] = dict(found.values)
        return BuiltRequest(service, request, drafts, found.queries)

    def _from_bundle(
        self, form: SandboxForm, service: ServiceDefinition, names: Sequence[str], bundle: str | bytes
    ) -> BuiltRequest:
        resources = _resources(bundle)
        patient = form.patient_id if form.source == "bundle" and form.patient_id else _only_patient(resources)
        drafts = draft_orders(form, patient)
        return BuiltRequest(
            service, {**_request(form, patient, drafts), "prefetch": _prefetch(resources, names)}, drafts
        )

    def _opened(self, form: SandboxForm, service: ServiceDefinition) -> BuiltRequest:
        try:
            given = msgspec.json.decode(form.request, type=dict[str, Any])
            context = msgspec.convert(given.get("context"), dict[str, Any])
        except UNDECODABLE:
            raise BadInput("the request must be a JSON object with a context") from None
        patient = str(context.get("patientId", ""))
        drafts = draft_orders(form, patient)
        made = _request(form, patient, drafts)
        kept = {"userId": context["userId"]} if "userId" in context else {}
        return BuiltRequest(service, {**given, **made, "context": {**made["context"], **kept}}, drafts)


def draft_orders(form: SandboxForm, patient: str) -> list[Draft]:
    """The orders of the form: one of the list, or what stands in its text. :class:`BadInput` where that is no JSON."""
    if form.order == JSON_ORDER:
        return read_drafts(form.drafts)
    return [ORDERS[form.order][1](patient)] if form.order in ORDERS else []


def _request(form: SandboxForm, patient: str, drafts: list[Draft]) -> dict[str, Any]:
    context: dict[str, Any] = {"userId": form.user, "patientId": patient}
    if form.encounter or form.hook in _ENCOUNTER_HOOKS:
        context["encounterId"] = form.encounter or f"{patient}-visit-1"
    if form.hook == "order-select":
        context["selections"] = selections(drafts)
    if form.hook in _ORDER_HOOKS:
        context["draftOrders"] = bundle_of(drafts)
    return {"hook": form.hook, "hookInstance": str(uuid.uuid4()), "context": context}


def _authorization(token: str) -> dict[str, Any]:
    return {"access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": "", "subject": "tandem"}


def _resources(bundle: str | bytes) -> list[dict[str, Any]]:
    """The resources of a pasted Bundle."""
    try:
        found = msgspec.json.decode(bundle, type=dict[str, Any])
    except UNDECODABLE:
        raise BadInput("paste one patient's record as a FHIR Bundle in JSON") from None
    entries = found.get("entry") if found.get("resourceType") == "Bundle" else [{"resource": found}]
    if not isinstance(entries, list):
        raise BadInput("the Bundle has no entries")
    inside = [each.get("resource") for each in entries if isinstance(each, dict)]
    return [each for each in inside if isinstance(each, dict)]


def _only_patient(resources: Iterable[dict[str, Any]]) -> str:
    ids = {str(each.get("id")) for each in resources if each.get("resourceType") == "Patient"}
    if len(ids) != 1:
        raise BadInput("the Bundle must hold one Patient, or the patient's id must be given")
    return ids.pop()


def _prefetch(resources: Sequence[dict[str, Any]], names: Iterable[str]) -> dict[str, Any]:
    """What an EHR that holds these resources sends: by input, Medications beside the orders that may name them."""
    made: dict[str, Any] = {}
    for name in names:
        kind = INPUTS[name].resource_type
        mine = [each for each in resources if each.get("resourceType") == kind]
        if kind == "Patient":
            made |= {name: mine[0]} if mine else {}
            continue
        entries: list[dict[str, Any]] = [{"resource": each} for each in mine]
        if kind.startswith("Medication"):
            beside = [each for each in resources if each.get("resourceType") == "Medication"]
            entries += [{"resource": each, "search": {"mode": "include"}} for each in beside]
        made[name] = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    return made
