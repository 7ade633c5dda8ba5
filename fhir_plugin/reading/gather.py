"""The record made whole: what the caller supplied first, then the FHIR server for the gaps.

Everything that is missing is asked for at once and under one deadline. What has not arrived by then is "not
retrieved", what arrived in part is "partial"; neither is ever "none".
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from fhir_plugin.errors import BadInput, PermanentlyUnavailable, RecordUnavailable, TemporarilyUnavailable
from fhir_plugin.reading.base_url import normal_base_url
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.scopes import REFUSALS
from fhir_plugin.reading.searches import QuerySession, Search
from fhir_plugin.record.decoding import DecodedInput, decode_value, deduplicated, merge_pages
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.medication_references import (
    MEDICATION_INPUTS,
    mark_missing_medications,
    referenced_medications,
    unresolved_medications,
)
from fhir_plugin.record.record import NOT_RETRIEVED, Input, InputState, Query, Record, Unread
from fhir_plugin.record.resources import Medication
from fhir_plugin.record.subjects import patient_id_from
from mappings.schema.service.servers import DEFAULT_HABITS, ServerHabits

_TOKEN = re.compile(r"[\x21-\x7e]+")
_UNAVAILABLE = frozenset({InputState.NOT_RETRIEVED, InputState.UNREADABLE})


@dataclass(frozen=True)
class FhirSource:
    """A FHIR server that the caller has allowed, and the access token for this one record.

    Raises BadInput for a base URL that cannot be one and for a token that cannot stand in a header.
    """

    base_url: str
    token: str | None = field(default=None, repr=False)
    habits: ServerHabits = DEFAULT_HABITS
    scope: str = ""
    """What the token may ask for, as SMART writes it; empty where that was not said."""
    good_for: float = math.inf
    """Seconds for which the token is good."""
    refusal: str = ""
    """Why the server may not be asked at all; one of ``scopes.REFUSALS``."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", normal_base_url(self.base_url))
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise BadInput("the access token for the FHIR server holds characters that no token has")


@dataclass(slots=True)
class _RecordReader:
    """The record while it is being read."""

    patient: str
    found: dict[str, DecodedInput]
    failures: dict[str, Search] = field(default_factory=dict)
    medications: dict[str, Medication] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    """References to Medications that have been asked for."""
    queries: Sequence[Query] = ()

    def why(self, name: str) -> str:
        """Why an input is not whole, where the site can do something about it."""
        search = self.failures.get(name)
        return search.outcome if search and search.outcome in REFUSALS else ""

    def unresolved(self, name: str) -> list[str]:
        """References of one input to Medications that nobody has supplied or asked for yet."""
        if name not in MEDICATION_INPUTS or name not in self.found:
            return []
        references = unresolved_medications(self.found[name].input.resources, self.supplied())
        return [each for each in dict.fromkeys(references) if each not in self.asked]

    def lacks(self, name: str) -> bool:
        """Whether the server should be asked for that input."""
        return name not in self.found or self.found[name].worth_asking

    def supplied(self) -> dict[str, Medication]:
        """Every Medication that came along or was read."""
        along = {key: each for decoded in self.found.values() for key, each in decoded.medications.items()}
        return along | self.medications


async def gather(
    patient_id: str,
    prefetch: Mapping[str, bytes | msgspec.Raw],
    wanted: Sequence[str],
    codes: Sequence[str],
    source: FhirSource | None,
    clients: FhirServers,
    deadline: float = 2.5,
    noted: list[Query] | None = None,
) -> Record:
    """The record of one patient: the inputs ``wanted``, from the prefetch and else from ``source``.

    ``prefetch`` maps input names to JSON; an absent key was not provided. ``codes`` are those that inputs searched by
    code ask for. ``deadline`` is in seconds, for everything together. ``noted`` receives every query, also those for a
    record that cannot be had. Raises RecordUnavailable when a required input among those wanted can be had from
    neither, WrongPatient when another Patient answers, BadInput for an id that is none.
    """
    patient = patient_id_from(patient_id)
    unknown = [name for name in wanted if name not in INPUTS]
    if unknown:
        raise BadInput(f"no such input: {', '.join(unknown)}")
    base_url = source.base_url if source else None
    found = {name: decode_value(name, prefetch[name], patient, base_url) for name in wanted if name in prefetch}
    reading = _RecordReader(patient, found)
    if source:
        try:
            await _fetch_missing(reading, wanted, codes, source, clients, deadline)
        finally:
            if noted is not None:
                noted += reading.queries
    for name in wanted:
        if INPUTS[name].required:
            _require(name, reading)
    return _build_record(reading, wanted)


def fetch_record(
    source: FhirSource, patient_id: str, wanted: Sequence[str], codes: Sequence[str], deadline: float = 10.0
) -> Record:
    """The record of one patient from a FHIR server alone, for a caller without an event loop; errors as ``gather``."""

    async def fetch() -> Record:
        async with FhirServers() as clients:
            return await gather(patient_id, {}, wanted, codes, source, clients, deadline)

    return asyncio.run(fetch())


async def _fetch_missing(
    reading: _RecordReader,
    wanted: Sequence[str],
    codes: Sequence[str],
    source: FhirSource,
    clients: FhirServers,
    seconds: float,
) -> None:
    """Ask the server for what is missing; touches no network when nothing is."""
    tasks = [name for name in wanted if reading.lacks(name) or reading.unresolved(name)]
    if not tasks:
        return
    if source.refusal:
        reading.failures = {name: Search(outcome=source.refusal, temporary=False) for name in tasks}
        reading.queries = [Query(name, source.refusal, 0, 0.0) for name in tasks]
        return
    server = clients.server(source.base_url, source.habits)
    asking = QuerySession(
        server,
        source.base_url,
        source.token,
        reading.patient,
        clients.limits,
        min(seconds, source.good_for),
        source.scope,
    )
    reading.queries = asking.queries
    await asking.together([_complete(reading, asking, name, codes) for name in tasks])
    for search in reading.failures.values():
        if search.wrong_patient:
            raise search.wrong_patient
    asking.conclude(in_haste=source.good_for < seconds)


async def _complete(reading: _RecordReader, asking: QuerySession, name: str, codes: Sequence[str]) -> None:
    """Make one input whole, and read the Medications that it refers to without waiting for any other input."""
    if reading.lacks(name):
        await _complete_input(reading, asking, name, codes)
    references = reading.unresolved(name)
    if references:
        reading.asked.update(references)
        reading.medications |= await asking.medications(references)


async def _complete_input(reading: _RecordReader, asking: QuerySession, name: str, codes: Sequence[str]) -> None:
    """Ask for the rest of what was supplied in part, and else for all of it."""
    before = reading.found.get(name)
    if before and before.next_url:
        search = await asking.continued(name, before)
        if search.finished:
            reading.found[name] = merge_pages(search.pages, finished=True)
            return
    search = await asking.search(name, codes)
    if not search.finished:
        reading.failures[name] = search
    after = _more_complete(before, search)
    if after:
        reading.found[name] = after


def _more_complete(before: DecodedInput | None, search: Search) -> DecodedInput | None:
    """The more complete of what was supplied and what was found; both together when neither is whole."""
    if search.finished and (before is None or search.pages[-1].input.state is not InputState.UNREADABLE):
        return merge_pages(search.pages, finished=True)
    supplied = [before] if before else []
    usable = [each for each in (*supplied, *search.pages) if each.input.state not in _UNAVAILABLE]
    return merge_pages(usable, finished=False) if usable else before


def _require(name: str, reading: _RecordReader) -> None:
    """Raise RecordUnavailable, saying which input and what came of it, when a required input cannot be used."""
    decoded = reading.found.get(name)
    state = decoded.input.state if decoded else InputState.NOT_RETRIEVED
    if state not in _UNAVAILABLE:
        return
    search = reading.failures.get(name)
    words = [unread.why for unread in decoded.unread] + list(decoded.warnings) if decoded else []
    words.append(search.outcome if search else "not in the prefetch, and no FHIR server was given")
    kind: type[RecordUnavailable] = TemporarilyUnavailable if search and search.temporary else PermanentlyUnavailable
    raise kind(f"{name}: {state} ({words[0]})")


def _build_record(reading: _RecordReader, wanted: Sequence[str]) -> Record:
    medications = referenced_medications(
        (each for name in MEDICATION_INPUTS if name in reading.found for each in reading.found[name].input.resources),
        reading.supplied(),
    )
    inputs: dict[str, Input] = {}
    unread: list[Unread] = []
    for name in wanted:
        decoded = reading.found.get(name)
        if decoded is None:
            inputs[name] = replace(NOT_RETRIEVED, why=reading.why(name))
            continue
        unread += decoded.unread
        whole = Input(decoded.input.state, deduplicated(decoded.input.resources))
        found, gaps = mark_missing_medications(name, whole, medications)
        inputs[name] = replace(found, why=reading.why(name)) if reading.why(name) else found
        unread += gaps
    return Record(
        patient_id=reading.patient,
        inputs=inputs,
        medications=medications,
        unread=tuple(unread),
        dropped=sum(decoded.dropped for decoded in reading.found.values()),
        warnings=tuple(warning for decoded in reading.found.values() for warning in decoded.warnings),
        queries=tuple(reading.queries),
    )
