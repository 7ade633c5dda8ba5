"""All that is asked of one FHIR server for one record: searches page by page, and the Medications referred to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

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
_MOST_MEDICATIONS = 200


@dataclass(slots=True)
class Search:
    """One search: the pages that have arrived, and how it ended."""

    pages: list[DecodedInput] = field(default_factory=list)
    finished: bool = False
    """Whether the last page was reached."""
    outcome: str = "timeout"
    temporary: bool = True
    """Whether trying again may help; only of meaning when not finished."""
    wrong_patient: WrongPatient | None = None

    def stop(self, outcome: str, *, temporary: bool = False) -> None:
        """End the search before its last page."""
        self.outcome, self.temporary = outcome, temporary


class QuerySession:
    """The questions of one record to one server, under one deadline and one allowance of bytes."""

    def __init__(
        self,
        server: FhirServer,
        base_url: str,
        token: str | None,
        patient: str,
        limits: Limits,
        seconds: float,
        scope: str = "",
    ) -> None:
        """``scope`` is what the token may ask for; empty where that was not said."""
        self.queries: list[Query] = []
        self.answered = False
        """Whether the server has answered anything at all, be it a refusal."""
        self._asked = False
        self._server = server
        self._base_url = base_url
        self._token = token
        self._scope = scope
        self._patient = patient
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + seconds
        self._allowance = ByteAllowance(limits)
        self._turns = asyncio.Semaphore(limits.parallel)

    async def search(self, name: str, codes: Sequence[str]) -> Search:
        """Ask for one input from its first page on."""
        definition = INPUTS[name]
        relative = definition.template(self._patient, codes)
        search = Search()
        async with self._query(name, search):
            if definition.resource_type in self._server.habits.not_offered:
                search.stop("not asked, this kind of server has none")
                return search
            allowed = scope_coverage(self._scope, definition.resource_type, search="?" in relative)
            if allowed is ScopeCoverage.NOTHING:
                search.stop(OUT_OF_SCOPE)
                return search
            counted = relative if "?" not in relative else f"{relative}&_count={self._server.habits.page_size}"
            answer = await self._ask(self._server.url(counted))
            if answer.outcome == "400" and counted != relative:
                answer = await self._ask(self._server.url(relative))
            await self._follow(name, search, answer)
            _mark_partial(search, allowed)
        return search

    async def continued(self, name: str, first: DecodedInput) -> Search:
        """Ask for the rest of an input whose first page is at hand."""
        search = Search(pages=[first])
        async with self._query(name, search):
            url = self._server.page_url(first.next_url or "")
            allowed = scope_coverage(self._scope, INPUTS[name].resource_type, search=True)
            if url is None:
                search.stop("next link refused")
            elif allowed is ScopeCoverage.NOTHING:
                search.stop(OUT_OF_SCOPE)
            else:
                await self._follow(name, search, await self._ask(url), {str(url)})
                _mark_partial(search, allowed)
        return search

    async def medications(self, references: Iterable[str]) -> dict[str, Medication]:
        """The Medications behind those references, by reference; one search for many, reads for what it leaves out."""
        named = {each: found for each in references if (found := self._server.id_of("Medication", each))}
        ids = list(dict.fromkeys(named.values()))[:_MOST_MEDICATIONS]
        groups = [ids[start : start + _IDS_PER_QUERY] for start in range(0, len(ids), _IDS_PER_QUERY)]
        read: dict[str, Medication] = {}
        await self.together([self._medications(f"Medication?_id={','.join(group)}", read) for group in groups])
        await self.together([self._medications(f"Medication/{each}", read) for each in ids if each not in read])
        return {unversioned(reference): read[each] for reference, each in named.items() if each in read}

    async def together(self, tasks: Sequence[Coroutine[None, None, object]]) -> None:
        """Run them at the same time; each ends by itself when the deadline comes."""
        await asyncio.gather(*tasks)

    def conclude(self, *, in_haste: bool) -> None:
        """Tell the server's breaker whether it answered; one that had less time than usual was not silent."""
        if self._asked and (self.answered or not in_haste) and not self._server.rests:
            self._server.note(answered=self.answered)

    async def _medications(self, relative: str, found: dict[str, Medication]) -> None:
        search = Search()
        async with self._query("medications", search):
            if scope_coverage(self._scope, "Medication", search="?" in relative) is ScopeCoverage.NOTHING:
                search.stop(OUT_OF_SCOPE)
                return
            answer = await self._ask(self._server.url(relative))
            search.stop(answer.outcome, temporary=answer.temporary)
            if answer.body is not None:
                found.update(medications_in(answer.body))

    async def _follow(self, name: str, search: Search, answer: ServerResponse, seen: set[str] | None = None) -> None:
        seen = seen or set()
        taken = 0
        while answer.body is not None:
            page = self._decoded(name, search, answer.body)
            if page is None:
                return
            search.pages.append(page)
            taken += page.offered
            if page.next_url is None:
                search.finished, search.outcome = True, answer.outcome
                return
            url = self._next(search, page.next_url, seen, taken)
            if url is None:
                return
            answer = await self._ask(url)
        search.stop(answer.outcome, temporary=answer.temporary)

    def _decoded(self, name: str, search: Search, body: bytes) -> DecodedInput | None:
        number = len(search.pages) + 1
        where = name if number == 1 else f"{name}, page {number}"
        try:
            return decode_value(name, body, self._patient, self._base_url, where)
        except WrongPatient as error:
            search.wrong_patient = error
            search.stop("another patient")
            return None

    def _next(self, search: Search, link: str, seen: set[str], taken: int) -> httpx.URL | None:
        url = self._server.page_url(link)
        if url is None:
            search.stop("next link refused")
        elif str(url) in seen:
            search.stop("next link goes in a circle")
        elif len(search.pages) >= self._limits.pages or taken >= self._limits.entries:
            search.stop("more pages than are read")
        else:
            seen.add(str(url))
            return url
        return None

    async def _ask(self, url: httpx.URL) -> ServerResponse:
        self._asked = True
        async with self._turns:
            answer = await self._server.ask(url, self._token, self._allowance, self._deadline)
        self.answered |= answer.reached
        return answer

    @asynccontextmanager
    async def _query(self, name: str, search: Search) -> AsyncIterator[None]:
        """Bound by the deadline, and noted as a query however it ends."""
        start = self._loop.time()
        try:
            async with asyncio.timeout_at(self._deadline):
                yield
        except TimeoutError:
            search.stop("timeout", temporary=True)
        finally:
            count = sum(len(page.input.resources) for page in search.pages)
            self.queries.append(Query(name, _outcome_text(search), count, (self._loop.time() - start) * 1000))


def _mark_partial(search: Search, allowed: ScopeCoverage) -> None:
    """What was found within a part of the type is not all that there is."""
    if search.finished and allowed is ScopeCoverage.A_PART:
        search.finished = False
        search.stop(PARTIAL_SCOPE)


def _outcome_text(search: Search) -> str:
    pages = len(search.pages)
    if search.finished and search.pages[-1].input.state is InputState.UNREADABLE:
        return f"{search.outcome} unreadable"
    return f"{search.outcome}, {pages} pages" if pages > 1 else search.outcome
