"""Builds the request that an EHR would send from the form: patient, hook, orders and prefetch."""

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
from fhir_plugin.reading.gather import FhirAccess
from fhir_plugin.reading.prefetching import prefetch
from fhir_plugin.record.datatypes import UNDECODABLE
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.record import Query
from mappings.schema.service.services import ServiceDefinition

_ORDER_HOOKS = frozenset({"order-select", "order-sign"})
_ENCOUNTER_HOOKS = frozenset({"encounter-start"})
_SECONDS = 10.0
"""How long the sandbox, acting as the EHR, may spend on prefetching."""


@dataclass(frozen=True, slots=True)
class BuiltRequest:
    """A request, ready to be sent."""

    service: ServiceDefinition
    request: dict[str, Any]
    """Prefetch values are the unparsed bytes that were received."""
    drafts: list[Draft]
    queries: tuple[Query, ...] = ()
    """The queries that the sandbox sent to the FHIR server in place of the EHR."""


class RequestBuilder:
    """Builds requests; keeps no data of any form."""

    def __init__(
        self,
        services: Sequence[ServiceDefinition],
        inputs: Sequence[str],
        codes: Sequence[str],
        settings: Settings,
        servers: FhirServers,
        demo_fhir: str | None,
    ) -> None:
        self._services: dict[str, ServiceDefinition] = {service.hook: service for service in services}
        self._inputs = tuple(inputs)
        self._codes = tuple(codes)
        self._settings = settings
        self._servers = servers
        self._demo_fhir = demo_fhir

    async def build(self, form: SandboxForm, patients: Mapping[str, DemoPatient]) -> BuiltRequest:
        """The request that the form describes.

        :raises BadInput: naming the field that cannot be used.
        """
        service = self._services.get(form.hook)
        if service is None:
            raise BadInput("choose one of the offered hooks")
        if form.source == "request":
            return self._from_request(form, service)
        names = self._prefetched_names(form)
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

    def _prefetched_names(self, form: SandboxForm) -> tuple[str, ...]:
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
        access = FhirAccess(server, token or None, self._settings.readable.habits)
        result = await prefetch(access, patient, names, self._codes, self._servers, _SECONDS)
        drafts = draft_orders(form, patient)
        request = _request(form, patient, drafts)
        if form.with_server:
            request["fhirServer"] = server
            if token:
                request["fhirAuthorization"] = _authorization(token)
        if result.values:
            request["prefetch"] = dict(result.values)
        return BuiltRequest(service, request, drafts, result.queries)

    def _from_bundle(
        self, form: SandboxForm, service: ServiceDefinition, names: Sequence[str], bundle: str | bytes
    ) -> BuiltRequest:
        resources = _resources(bundle)
        patient = form.patient_id if form.source == "bundle" and form.patient_id else _only_patient(resources)
        drafts = draft_orders(form, patient)
        return BuiltRequest(
            service, {**_request(form, patient, drafts), "prefetch": _prefetch(resources, names)}, drafts
        )

    def _from_request(self, form: SandboxForm, service: ServiceDefinition) -> BuiltRequest:
        try:
            request = msgspec.json.decode(form.request, type=dict[str, Any])
            context = msgspec.convert(request.get("context"), dict[str, Any])
        except UNDECODABLE:
            raise BadInput("the request must be a JSON object with a context") from None
        patient = str(context.get("patientId", ""))
        drafts = draft_orders(form, patient)
        updated = _request(form, patient, drafts)
        user = {"userId": context["userId"]} if "userId" in context else {}
        return BuiltRequest(service, {**request, **updated, "context": {**updated["context"], **user}}, drafts)


def draft_orders(form: SandboxForm, patient: str) -> list[Draft]:
    """The orders of the form: one of the list, or its JSON text. :class:`BadInput` if the text is not JSON."""
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
        content = msgspec.json.decode(bundle, type=dict[str, Any])
    except UNDECODABLE:
        raise BadInput("paste one patient's record as a FHIR Bundle in JSON") from None
    entries = content.get("entry") if content.get("resourceType") == "Bundle" else [{"resource": content}]
    if not isinstance(entries, list):
        raise BadInput("the Bundle has no entries")
    members = [entry.get("resource") for entry in entries if isinstance(entry, dict)]
    return [resource for resource in members if isinstance(resource, dict)]


def _only_patient(resources: Iterable[dict[str, Any]]) -> str:
    ids = {str(resource.get("id")) for resource in resources if resource.get("resourceType") == "Patient"}
    if len(ids) != 1:
        raise BadInput("the Bundle must hold one Patient, or the patient's id must be given")
    return ids.pop()


def _prefetch(resources: Sequence[dict[str, Any]], names: Iterable[str]) -> dict[str, Any]:
    """The prefetch of an EHR with these resources, by input; with the Medications that orders may refer to."""
    prefetched: dict[str, Any] = {}
    for name in names:
        kind = INPUTS[name].resource_type
        matching = [resource for resource in resources if resource.get("resourceType") == kind]
        if kind == "Patient":
            prefetched |= {name: matching[0]} if matching else {}
            continue
        entries: list[dict[str, Any]] = [{"resource": resource} for resource in matching]
        if kind.startswith("Medication"):
            medications = [resource for resource in resources if resource.get("resourceType") == "Medication"]
            entries += [{"resource": resource, "search": {"mode": "include"}} for resource in medications]
        prefetched[name] = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    return prefetched
