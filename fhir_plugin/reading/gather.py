"""Completes a record: first the caller's data, then queries to the FHIR server for the gaps.

All missing inputs are requested concurrently and under one deadline. An input that has not arrived by then is "not
retrieved", one that arrived in part is "partial"; neither is ever "none".
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

import msgspec

from fhir_plugin.errors import (
    BadInput,
    PermanentlyUnavailable,
    RecordUnavailable,
    TemporarilyUnavailable,
    UnavailableReason,
)
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.scopes import REFUSALS
from fhir_plugin.reading.searches import QuerySession, Search
from fhir_plugin.reading.urls import normal_base_url
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
from fhir_plugin.record.text import MAX_TEXT, letters_of, too_long
from mappings.schema.service.servers import DEFAULT_HABITS, ServerHabits

_TOKEN = re.compile(r"[\x21-\x7e]+")
_HEADER = re.compile(r"[A-Za-z0-9-]+: [\x20-\x7e]*")
_UNAVAILABLE = frozenset({InputState.NOT_RETRIEVED, InputState.UNREADABLE})


@dataclass(frozen=True)
class FhirAccess:
    """A FHIR server that the caller has allowed, and the access token for this one record.

    Raises BadInput for an invalid base URL, and for a token or a header that cannot be sent.
    """

    base_url: str
    token: str | None = field(default=None, repr=False)
    habits: ServerHabits = DEFAULT_HABITS
    scope: str = ""
    """The SMART scopes of the token; empty if unknown."""
    good_for: float = math.inf
    """Seconds for which the token is valid."""
    refusal: str = ""
    """Why the server must not be queried at all; one of ``scopes.REFUSALS``."""
    headers: tuple[tuple[str, str], ...] = ()
    """Sent with each request, such as ``traceparent``; they replace none that is always sent."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", normal_base_url(self.base_url))
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise BadInput("the access token for the FHIR server contains characters that are not allowed in a token")
        if not all(_HEADER.fullmatch(f"{name}: {value}") for name, value in self.headers):
            raise BadInput("a header for the FHIR server contains characters that are not allowed in a header")


@dataclass(slots=True)
class _RecordReader:
    """The record while it is being read."""

    patient: str
    found: dict[str, DecodedInput]
    failures: dict[str, Search] = field(default_factory=dict)
    medications: dict[str, Medication] = field(default_factory=dict)
    requested: set[str] = field(default_factory=set)
    """References to Medications that have been requested."""
    queries: Sequence[Query] = ()
    bytes: int = 0
    """Of everything that was supplied or received."""

    def why(self, name: str) -> str:
        """Why an input is not whole, if the site can do something about it."""
        search = self.failures.get(name)
        return search.outcome if search and search.outcome in REFUSALS else ""

    def unresolved(self, name: str) -> list[str]:
        """References of one input to Medications that have been neither supplied nor requested yet."""
        if name not in MEDICATION_INPUTS or name not in self.found:
            return []
        references = unresolved_medications(self.found[name].input.resources, self.supplied())
        return [reference for reference in dict.fromkeys(references) if reference not in self.requested]

    def is_incomplete(self, name: str) -> bool:
        """Whether the server should be queried for that input."""
        return name not in self.found or self.found[name].worth_asking

    def supplied(self) -> dict[str, Medication]:
        """Every Medication that was included or fetched."""
        included = {
            key: medication for decoded in self.found.values() for key, medication in decoded.medications.items()
        }
        return included | self.medications


async def gather(
    patient_id: str,
    prefetch: Mapping[str, bytes | msgspec.Raw],
    wanted: Sequence[str],
    codes: Sequence[str],
    access: FhirAccess | None,
    servers: FhirServers,
    deadline: float = 2.5,
    noted: list[Query] | None = None,
    barred: str = "",
) -> Record:
    """The record of one patient: the inputs ``wanted``, from the prefetch and else from ``access``.

    ``prefetch`` maps input names to JSON; an absent key was not provided. ``codes`` are for the inputs that are
    searched by code. ``deadline`` is in seconds, for everything together. ``noted`` receives every query, even if the
    record is unavailable. ``barred`` says why the server that the caller named is not read. Raises RecordUnavailable if
    a required input among those wanted is available from neither, WrongPatient if a different Patient is returned,
    BadInput for an invalid patient id.
    """
    patient = patient_id_from(patient_id)
    unknown = [name for name in wanted if name not in INPUTS]
    if unknown:
        raise BadInput(f"no such input: {', '.join(unknown)}")
    base_url = access.base_url if access else None
    found = {name: decode_value(name, prefetch[name], patient, base_url) for name in wanted if name in prefetch}
    reader = _RecordReader(patient, found, bytes=sum(memoryview(prefetch[name]).nbytes for name in found))
    if access:
        try:
            await _fetch_missing(reader, wanted, codes, access, servers, deadline)
        finally:
            if noted is not None:
                noted += reader.queries
    if reader.bytes > MAX_TEXT:
        _leave_out_long(reader)
    for name in wanted:
        if INPUTS[name].required:
            _require(name, reader, barred)
    return _build_record(reader, wanted)


async def _fetch_missing(
    reader: _RecordReader,
    wanted: Sequence[str],
    codes: Sequence[str],
    access: FhirAccess,
    servers: FhirServers,
    seconds: float,
) -> None:
    """Query the server for what is missing; no network access if nothing is."""
    missing = [name for name in wanted if reader.is_incomplete(name) or reader.unresolved(name)]
    if not missing:
        return
    if access.refusal:
        reader.failures = {name: Search(outcome=access.refusal, temporary=False) for name in missing}
        now = monotonic()
        reader.queries = [Query(name, access.refusal, 0, 0.0, now) for name in missing]
        return
    server = servers.server(access.base_url, access.habits)
    session = QuerySession(
        server,
        access.base_url,
        access.token,
        reader.patient,
        servers.limits,
        min(seconds, access.good_for),
        access.scope,
        access.headers,
    )
    reader.queries = session.queries
    await session.run_together([_complete(reader, session, name, codes) for name in missing])
    reader.bytes += session.received
    for search in reader.failures.values():
        if search.wrong_patient:
            raise search.wrong_patient
    session.conclude(shortened=access.good_for < seconds)


async def _complete(reader: _RecordReader, session: QuerySession, name: str, codes: Sequence[str]) -> None:
    """Complete one input and fetch its referenced Medications, without waiting for any other input."""
    if reader.is_incomplete(name):
        await _complete_input(reader, session, name, codes)
    references = reader.unresolved(name)
    if references:
        reader.requested.update(references)
        reader.medications |= await session.medications(references)


async def _complete_input(reader: _RecordReader, session: QuerySession, name: str, codes: Sequence[str]) -> None:
    """Fetch the rest of an input that was supplied in part, or else all of it."""
    before = reader.found.get(name)
    if before and before.next_url:
        search = await session.continue_search(name, before)
        if search.finished:
            reader.found[name] = merge_pages(search.pages, finished=True)
            return
    search = await session.search(name, codes)
    if not search.finished:
        reader.failures[name] = search
    after = _more_complete(before, search)
    if after:
        reader.found[name] = after


def _more_complete(before: DecodedInput | None, search: Search) -> DecodedInput | None:
    """The more complete of the supplied input and the search result; both merged if neither is whole."""
    if search.finished and (before is None or search.pages[-1].input.state is not InputState.UNREADABLE):
        return merge_pages(search.pages, finished=True)
    supplied = [before] if before else []
    usable = [page for page in (*supplied, *search.pages) if page.input.state not in _UNAVAILABLE]
    return merge_pages(usable, finished=False) if usable else before


def _leave_out_long(reader: _RecordReader) -> None:
    """Read nothing of the inputs whose texts are far longer than those of real charts; they are unknown."""
    letters = {
        name: letters_of((*decoded.input.resources, *decoded.medications.values()))
        for name, decoded in reader.found.items()
    }
    for name in too_long(letters):
        why = f"more than {MAX_TEXT} letters of text in the record: not read"
        reader.found[name] = DecodedInput(Input(InputState.UNREADABLE), (Unread(name, why),), flawed=True)


def _require(name: str, reader: _RecordReader, barred: str) -> None:
    """Raise RecordUnavailable, with the input and the outcome, if a required input cannot be used."""
    decoded = reader.found.get(name)
    state = decoded.input.state if decoded else InputState.NOT_RETRIEVED
    if state not in _UNAVAILABLE:
        return
    search = reader.failures.get(name)
    reasons = [unread.why for unread in decoded.unread] + list(decoded.warnings) if decoded else []
    reasons.append(search.outcome if search else f"not in the prefetch, and {barred or 'no FHIR server was given'}")
    kind: type[RecordUnavailable] = TemporarilyUnavailable if search and search.temporary else PermanentlyUnavailable
    raise kind(f"{name}: {state} ({reasons[0]})", _reason(search, supplied=decoded is not None, barred=bool(barred)))


def _reason(search: Search | None, *, supplied: bool, barred: bool) -> UnavailableReason:
    """Why a required input is unavailable, as a code."""
    if search is not None and search.outcome in REFUSALS:
        return "token"
    if search is not None:
        return "server-failed" if search.temporary else "server-refused"
    if supplied:
        return "unreadable"
    return "server-not-listed" if barred else "not-supplied"


def _build_record(reader: _RecordReader, wanted: Sequence[str]) -> Record:
    medications = referenced_medications(
        (order for name in MEDICATION_INPUTS if name in reader.found for order in reader.found[name].input.resources),
        reader.supplied(),
    )
    inputs: dict[str, Input] = {}
    unread: list[Unread] = []
    for name in wanted:
        decoded = reader.found.get(name)
        if decoded is None:
            inputs[name] = replace(NOT_RETRIEVED, why=reader.why(name))
            continue
        unread += decoded.unread
        combined = replace(decoded.input, resources=deduplicated(decoded.input.resources))
        marked, gaps = mark_missing_medications(name, combined, medications)
        inputs[name] = replace(marked, why=reader.why(name)) if reader.why(name) else marked
        unread += gaps
    return Record(
        patient_id=reader.patient,
        inputs=inputs,
        medications=medications,
        unread=tuple(unread),
        dropped=sum(decoded.dropped for decoded in reader.found.values()),
        warnings=tuple(warning for decoded in reader.found.values() for warning in decoded.warnings),
        queries=tuple(reader.queries),
    )
