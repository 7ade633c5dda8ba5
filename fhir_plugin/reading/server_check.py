"""What a FHIR server offers of what is needed, tried for real on one patient."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.gather import FhirSource
from fhir_plugin.reading.searches import QuerySession, Search
from fhir_plugin.record.bundles import AnyResource
from fhir_plugin.record.decoding import DecodedInput, merge_pages
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.record import InputState, Query
from fhir_plugin.record.resources import Observation
from fhir_plugin.record.subjects import patient_id_from


class InputResult(StrEnum):
    """What came of asking for one input."""

    OK = "ok"
    EMPTY = "empty"
    """An answer without a resource of this patient: none is there, or none is shown to this token."""
    SLOW = "slow"
    IGNORES = "ignores a parameter"
    """More than was asked for: what is about others or of other codes is dropped after it has been paid for."""
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
    """One input, asked for; holds no patient data."""

    input: str
    query: str
    """As it is published in the prefetch templates."""
    required: bool
    offer: InputResult
    count: int
    milliseconds: float
    detail: str = ""


def check_server(
    source: FhirSource, patient_id: str, wanted: Sequence[str], codes: Sequence[str], deadline: float, slow: float
) -> tuple[InputCheck, ...]:
    """Ask for each input once, all at the same time; ``slow`` is in seconds. BadInput for an id that is none."""
    patient = patient_id_from(patient_id)

    async def ask() -> tuple[InputCheck, ...]:
        async with FhirServers() as clients:
            server = clients.server(source.base_url, source.habits)
            asking = QuerySession(server, source.base_url, source.token, patient, clients.limits, deadline)
            searches = await asyncio.gather(*(asking.search(name, codes) for name in wanted))
            spent = {query.input: query for query in asking.queries}
            return tuple(
                _input_check(name, search, spent[name], codes, slow)
                for name, search in zip(wanted, searches, strict=True)
            )

    return asyncio.run(ask())


def _input_check(name: str, search: Search, spent: Query, codes: Sequence[str], slow: float) -> InputCheck:
    definition = INPUTS[name]
    read = merge_pages(search.pages, finished=search.finished) if search.pages else None
    if read is None:
        offer, detail = _result_without_answer(search), search.outcome
    else:
        offer, detail = _result_of_answer(read, search, codes if definition.by_code else ())
        if offer is InputResult.OK and spent.milliseconds > slow * 1000:
            offer = InputResult.SLOW
    return InputCheck(
        input=name,
        query=definition.template("{{context.patientId}}", ["..."]),
        required=definition.required,
        offer=offer,
        count=spent.count,
        milliseconds=round(spent.milliseconds, 1),
        detail=detail,
    )


def _result_without_answer(search: Search) -> InputResult:
    if search.wrong_patient:
        return InputResult.UNREADABLE
    return InputResult.REFUSED if search.outcome[:1].isdigit() else InputResult.SILENT


def _result_of_answer(read: DecodedInput, search: Search, codes: Sequence[str]) -> tuple[InputResult, str]:
    if read.input.state is InputState.UNREADABLE:
        return InputResult.UNREADABLE, _first_problem(read)
    if not read.input.whole:
        return InputResult.PARTIAL, _first_problem(read) or search.outcome
    uncalled = _count_other_codes(read.input.resources, codes)
    if read.dropped or uncalled:
        told = {"about other patients": read.dropped, "of other codes": uncalled}
        return InputResult.IGNORES, ", ".join(f"{count} {what}" for what, count in told.items() if count)
    return (InputResult.OK if read.input.resources else InputResult.EMPTY), ", ".join(dict.fromkeys(read.warnings))


def _first_problem(read: DecodedInput) -> str:
    return next((unread.why for unread in read.unread), next(iter(read.warnings), ""))


def _count_other_codes(resources: Iterable[AnyResource], codes: Sequence[str]) -> int:
    """How many Observations carry none of the codes, neither themselves nor in a component."""
    asked = {code.rpartition("|")[2] for code in codes}
    return sum(isinstance(each, Observation) and asked.isdisjoint(_codes(each)) for each in resources) if asked else 0


def _codes(observation: Observation) -> set[str | None]:
    concepts = [observation.code, *(component.code for component in observation.component)]
    return {coding.code for concept in concepts if concept for coding in concept.coding}
