"""All queries to one FHIR server for one record: searches page by page, and referenced Medications."""

from __future__ import annotations

import asyncio
from codecs import BOM_UTF8
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from urllib.parse import urlencode

from fhir_plugin.errors import WrongPatient
from fhir_plugin.reading.client import FhirServer
from fhir_plugin.reading.responses import ByteAllowance, Limits, ServerResponse
from fhir_plugin.reading.scopes import OUT_OF_SCOPE, PARTIAL_SCOPE, ScopeCoverage, scope_coverage
from fhir_plugin.record.decoding import DecodedInput, decode_value
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.medication_references import medications_in
from fhir_plugin.record.record import InputState, Query
from fhir_plugin.record.resources import Medication
from fhir_plugin.record.subjects import unversioned

_IDS_PER_QUERY = 50
_MAX_MEDICATIONS = 200


@dataclass(slots=True)
class Search:
    """One search: the pages that have arrived, and how it ended."""

    pages: list[DecodedInput] = field(default_factory=list)
    finished: bool = False
    """Whether the last page was reached."""
    outcome: str = "timeout"
    temporary: bool = True
    """Whether a retry may succeed; only meaningful if not finished."""
    wrong_patient: WrongPatient | None = None

    def stop(self, outcome: str, *, temporary: bool = False) -> None:
        """End the search before its last page."""
        self.outcome, self.temporary = outcome, temporary


class QuerySession:
    """The queries of one record to one server, under one deadline and one byte allowance."""

    def __init__(
        self,
        server: FhirServer,
        base_url: str,
        token: str | None,
        patient: str,
        limits: Limits,
        seconds: float,
        scope: str = "",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """``scope`` holds the SMART scopes of the token; empty if unknown. ``headers`` are sent with each request."""
        self.queries: list[Query] = []
        self.answered = False
        """Whether the server has responded at all, even with a refusal."""
        self._asked = False
        self._server = server
        self._base_url = base_url
        self._token = token
        self._scope = scope
        self._headers = headers
        self._patient = patient
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + seconds
        self._allowance = ByteAllowance(limits)
        self.received = 0
        """Bytes of everything that could be read."""
        self._slots = asyncio.Semaphore(limits.parallel)

    async def search(self, name: str, codes: Sequence[str]) -> Search:
        """Search for one input from its first page on."""
        definition = INPUTS[name]
        relative = definition.query(self._patient, codes, self._server.habits.page_size)
        search = Search()
        async with self._query(name, search):
            if definition.resource_type in self._server.habits.not_offered:
                search.stop("not asked, this kind of server has none")
                return search
            allowed = scope_coverage(self._scope, definition.resource_type, search="?" in relative)
            if allowed is ScopeCoverage.NOTHING:
                search.stop(OUT_OF_SCOPE)
                return search
            response = await self._ask(self._server.url(relative))
            if response.outcome == "400" and "?" in relative:
                response = await self._ask(self._server.url(definition.query(self._patient, codes)))
            await self._follow(name, search, response)
            _mark_partial(search, allowed)
        return search

    async def continue_search(self, name: str, first: DecodedInput) -> Search:
        """Fetch the remaining pages of an input whose first page was supplied."""
        search = Search(pages=[first])
        async with self._query(name, search):
            url = self._server.page_url(first.next_url or "")
            allowed = scope_coverage(self._scope, INPUTS[name].resource_type, search=True)
            if url is None:
                search.stop("next link refused")
            elif allowed is ScopeCoverage.NOTHING:
                search.stop(OUT_OF_SCOPE)
            else:
                await self._follow(name, search, await self._ask(url), {url})
                _mark_partial(search, allowed)
        return search

    async def medications(self, references: Iterable[str]) -> dict[str, Medication]:
        """The referenced Medications, by reference: one search for many, then reads for those it did not return."""
        id_by_reference = {
            reference: identifier
            for reference in references
            if (identifier := self._server.id_of("Medication", reference))
        }
        ids = list(dict.fromkeys(id_by_reference.values()))[:_MAX_MEDICATIONS]
        groups = [ids[start : start + _IDS_PER_QUERY] for start in range(0, len(ids), _IDS_PER_QUERY)]
        found: dict[str, Medication] = {}
        searches = [f"Medication?{urlencode({'_id': ','.join(group)})}" for group in groups]
        await self.run_together([self._medications(relative, found) for relative in searches])
        missing = [identifier for identifier in ids if identifier not in found]
        await self.run_together([self._medications(f"Medication/{identifier}", found) for identifier in missing])
        return {
            unversioned(reference): found[identifier]
            for reference, identifier in id_by_reference.items()
            if identifier in found
        }

    async def run_together(self, tasks: Sequence[Coroutine[None, None, object]]) -> None:
        """Run the tasks concurrently; a task ends by itself at the deadline."""
        await asyncio.gather(*tasks)

    def conclude(self, *, shortened: bool) -> None:
        """Report to the server's circuit breaker whether it answered; no answer in a shortened time does not count."""
        if self._asked and (self.answered or not shortened) and not self._server.is_resting:
            self._server.note(answered=self.answered)

    async def _medications(self, relative: str, found: dict[str, Medication]) -> None:
        search = Search()
        async with self._query("medications", search):
            if scope_coverage(self._scope, "Medication", search="?" in relative) is ScopeCoverage.NOTHING:
                search.stop(OUT_OF_SCOPE)
                return
            response = await self._ask(self._server.url(relative))
            search.stop(response.outcome, temporary=response.temporary)
            if response.body is not None:
                found.update(medications_in(response.body))

    async def _follow(self, name: str, search: Search, response: ServerResponse, seen: set[str] | None = None) -> None:
        seen = seen or set()
        taken = 0
        while response.body is not None:
            page = self._decoded(name, search, response.body)
            if page is None:
                return
            search.pages.append(page)
            taken += page.offered
            if page.next_url is None:
                search.finished, search.outcome = True, response.outcome
                return
            url = self._next(search, page.next_url, seen, taken)
            if url is None:
                return
            response = await self._ask(url)
        search.stop(response.outcome, temporary=response.temporary)

    def _decoded(self, name: str, search: Search, body: bytes) -> DecodedInput | None:
        number = len(search.pages) + 1
        where = name if number == 1 else f"{name}, page {number}"
        try:
            return decode_value(
                name, body.removeprefix(BOM_UTF8), self._patient, self._base_url, where, search.pages, answered=True
            )
        except WrongPatient as error:
            search.wrong_patient = error
            search.stop("another patient")
            return None

    def _next(self, search: Search, link: str, seen: set[str], taken: int) -> str | None:
        url = self._server.page_url(link)
        if url is None:
            search.stop("next link refused")
        elif url in seen:
            search.stop("next link goes in a circle")
        elif len(search.pages) >= self._limits.pages or taken >= self._limits.entries:
            search.stop("more pages than are read")
        else:
            seen.add(url)
            return url
        return None

    async def _ask(self, url: str) -> ServerResponse:
        self._asked = True
        async with self._slots:
            response = await self._server.ask(url, self._token, self._allowance, self._deadline, self._headers)
        self.answered |= response.reached
        self.received += len(response.body or b"")
        return response

    @asynccontextmanager
    async def _query(self, name: str, search: Search) -> AsyncIterator[None]:
        """Limit the block to the deadline, and record it as a query however it ends."""
        start = monotonic()  # the time of the loop is that of the beginning of its turn
        try:
            async with asyncio.timeout_at(self._deadline):
                yield
        except TimeoutError:
            search.stop("timeout", temporary=True)
        finally:
            count = sum(len(page.input.resources) for page in search.pages)
            self.queries.append(Query(name, _outcome_text(search), count, (monotonic() - start) * 1000, start))


def _mark_partial(search: Search, allowed: ScopeCoverage) -> None:
    """Mark a search as unfinished if the token covers only a part of the resource type."""
    if search.finished and allowed is ScopeCoverage.A_PART:
        search.finished = False
        search.stop(PARTIAL_SCOPE)


def _outcome_text(search: Search) -> str:
    pages = len(search.pages)
    if search.finished and search.pages[-1].input.state is InputState.UNREADABLE:
        return f"{search.outcome} unreadable"
    return f"{search.outcome}, {pages} pages" if pages > 1 else search.outcome
