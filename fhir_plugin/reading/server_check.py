"""Checks whether a FHIR server supports the required queries, with real queries for one patient."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.gather import FhirAccess
from fhir_plugin.reading.searches import QuerySession, Search
from fhir_plugin.record.bundles import AnyResource
from fhir_plugin.record.decoding import DecodedInput, merge_pages
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.record import InputState, Query
from fhir_plugin.record.resources import Observation
from fhir_plugin.record.subjects import patient_id_from


class InputResult(StrEnum):
    """The result of querying one input."""

    OK = "ok"
    EMPTY = "empty"
    """A response without a resource of this patient: there is none, or none is visible to this token."""
    SLOW = "slow"
    IGNORES = "ignores a parameter"
    """More than was requested: resources about others or with other codes are transferred and then dropped."""
    PARTIAL = "partial"
    UNREADABLE = "unreadable"
    REFUSED = "refused"
    SILENT = "no answer"

    @property
    def usable(self) -> bool:
        """Whether absence from the answer means absence from the record."""
        return self in (InputResult.OK, InputResult.EMPTY, InputResult.SLOW, InputResult.IGNORES)


@dataclass(frozen=True, slots=True)
class InputCheck:
    """The check of one input; contains no patient data."""

    input: str
    query: str
    """As published in the prefetch templates."""
    required: bool
    offer: InputResult
    count: int
    milliseconds: float
    detail: str = ""


def check_server(
    access: FhirAccess, patient_id: str, wanted: Sequence[str], codes: Sequence[str], deadline: float, slow: float
) -> tuple[InputCheck, ...]:
    """Query every input once, concurrently; ``slow`` is in seconds. BadInput for an invalid patient id."""
    patient = patient_id_from(patient_id)

    async def ask() -> tuple[InputCheck, ...]:
        async with FhirServers() as servers:
            server = servers.server(access.base_url, access.habits)
            session = QuerySession(server, access.base_url, access.token, patient, servers.limits, deadline)
            searches = await asyncio.gather(*(session.search(name, codes) for name in wanted))
            queries = {query.input: query for query in session.queries}
            return tuple(
                _input_check(name, search, queries[name], codes, slow)
                for name, search in zip(wanted, searches, strict=True)
            )

    return asyncio.run(ask())


def _input_check(name: str, search: Search, query: Query, codes: Sequence[str], slow: float) -> InputCheck:
    definition = INPUTS[name]
    decoded = merge_pages(search.pages, finished=search.finished) if search.pages else None
    if decoded is None:
        offer, detail = _result_without_answer(search), search.outcome
    else:
        offer, detail = _result_of_answer(decoded, search, codes if definition.by_code else ())
        if offer is InputResult.OK and query.milliseconds > slow * 1000:
            offer = InputResult.SLOW
    return InputCheck(
        input=name,
        query=definition.template("{{context.patientId}}", ["..."]),
        required=definition.required,
        offer=offer,
        count=query.count,
        milliseconds=round(query.milliseconds, 1),
        detail=detail,
    )


def _result_without_answer(search: Search) -> InputResult:
    if search.wrong_patient:
        return InputResult.UNREADABLE
    return InputResult.REFUSED if search.outcome[:1].isdigit() else InputResult.SILENT


def _result_of_answer(decoded: DecodedInput, search: Search, codes: Sequence[str]) -> tuple[InputResult, str]:
    if decoded.input.state is InputState.UNREADABLE:
        return InputResult.UNREADABLE, _first_problem(decoded)
    if not decoded.input.whole:
        return InputResult.PARTIAL, _first_problem(decoded) or search.outcome
    other_codes = _count_other_codes(decoded.input.resources, codes)
    if decoded.dropped or other_codes:
        surplus = {"about other patients": decoded.dropped, "of other codes": other_codes}
        return InputResult.IGNORES, ", ".join(f"{count} {what}" for what, count in surplus.items() if count)
    return (InputResult.OK if decoded.input.resources else InputResult.EMPTY), ", ".join(
        dict.fromkeys(decoded.warnings)
    )


def _first_problem(decoded: DecodedInput) -> str:
    return next((unread.why for unread in decoded.unread), next(iter(decoded.warnings), ""))


def _count_other_codes(resources: Iterable[AnyResource], codes: Sequence[str]) -> int:
    """Number of Observations with none of the codes, neither their own nor in a component."""
    wanted = {code.rpartition("|")[2] for code in codes}
    if not wanted:
        return 0
    return sum(isinstance(resource, Observation) and wanted.isdisjoint(_codes(resource)) for resource in resources)


def _codes(observation: Observation) -> set[str | None]:
    concepts = [observation.code, *(component.code for component in observation.component)]
    return {coding.code for concept in concepts if concept for coding in concept.coding}
