"""The questionnaires of an opening: listed, filled, scored, and saved when that is what the button says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cds_hooks.smart.filling import FilledQuestionnaire, PatientContext, build_response, fill_questionnaire
from cds_hooks.smart.forms import read_answers
from cds_hooks.smart.frame import NOT_FOUND, PageFrame
from cds_hooks.smart.openings import AppSession
from cds_hooks.smart.permissions import WRITTEN, may_create
from cds_hooks.smart.saving import SaveResult, save
from fhir_plugin.errors import RecordUnavailable
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.record.record import Record
from fhir_plugin.scales.scoring import Score
from mappings.schema.instruments import PreparedInstrument
from mappings.schema.load import Knowledge

_FORM_EXPIRED = "This form is too old to be saved. Nothing was saved; look at the answers and save again."
_SAVED_WITH_OTHER_ANSWERS = (
    "This form was saved before, with other answers. These were not saved; save again if they should be, too."
)


class QuestionnaireForms:
    """The questionnaires that there are, and what becomes of the answers."""

    def __init__(
        self, knowledge: Knowledge, frame: PageFrame, connections: FhirServers, now: Callable[[], datetime]
    ) -> None:
        self._knowledge = knowledge
        self._frame = frame
        self._connections = connections
        self._now = now

    async def listed(self, request: Request, opening: AppSession) -> Response:
        """The page of all questionnaires."""
        forms = [form.instrument for form in self._knowledge.instruments.forms.values()]
        return self._frame.shown(request, opening, "questionnaires", await self._frame.person(opening), forms=forms)

    async def questionnaire(self, request: Request) -> Response:
        """The empty form of one instrument."""
        opening = self._frame.opening(request)
        if opening is None:
            return self._frame.over(request)
        form = self._form_of(request)
        if form is None:
            words = "There is no questionnaire of that name."
            return self._frame.error(request, NOT_FOUND, "No such questionnaire", words, opening)
        try:
            person = await self._frame.person(opening)
        except RecordUnavailable as fault:
            return self._frame.unreadable(request, opening, fault)
        empty = fill_questionnaire(form, {}, self._knowledge.instruments, _patient_context(person), self._now())
        return self._shown(request, opening, person, empty)

    async def answered(self, request: Request) -> Response:
        """What was answered: scored and shown, and saved when that is what the button says."""
        opening, form = self._frame.opening(request), self._form_of(request)
        data = await self._frame.form(request, opening) if opening else None
        if opening is None or form is None or data is None:
            return self._frame.over(request)
        try:
            person = await self._frame.person(opening)
        except RecordUnavailable as fault:
            return self._frame.unreadable(request, opening, fault)
        now = self._now()
        filling = fill_questionnaire(
            form, read_answers(data), self._knowledge.instruments, _patient_context(person), now
        )
        if data.get("do") != "save" or not filling.complete or filling.score is None or not _may_write(opening):
            return self._shown(request, opening, person, filling, answered=True)
        saved = await self._saved(opening, data.get("once", ""), filling, filling.score, _patient_context(person), now)
        return self._shown(request, opening, person, filling, answered=True, saved=saved)

    async def _saved(
        self,
        opening: AppSession,
        mark: str,
        filling: FilledQuestionnaire,
        scored: Score,
        whose: PatientContext,
        now: datetime,
    ) -> SaveResult:
        instruments, what = self._knowledge.instruments, (filling.form.instrument.id, filling.values)
        body = build_response(filling.form, filling.values, instruments, whose, now)
        sent = opening.send(mark, what, lambda: save(body, scored, instruments, opening.source, self._connections))
        if sent is None:
            return SaveResult(None, None, _FORM_EXPIRED)
        saved = await asyncio.shield(sent.saved)
        return saved if sent.what == what else SaveResult(None, None, _SAVED_WITH_OTHER_ANSWERS)

    def _shown(
        self, request: Request, opening: AppSession, person: Record, filling: FilledQuestionnaire, **more: Any
    ) -> Response:
        own = self._knowledge.cards.safety[0]
        content = {"answered": False, "saved": None, "may_write": _may_write(opening)} | more
        return self._frame.shown(
            request, opening, "questionnaires", person, template="questionnaire",
            filling=filling, once=opening.once(), safety=(own.summary, own.lead), **content,
        )  # fmt: skip

    def _form_of(self, request: Request) -> PreparedInstrument | None:
        return self._knowledge.instruments.forms.get(request.path_params["form"].replace("-", "_"))


def _patient_context(person: Record) -> PatientContext:
    return PatientContext(person.patient_id, person.patient.gender if person.patient else None)


def _may_write(opening: AppSession) -> bool:
    return opening.issuer.may_write and all(may_create(opening.granted, kind) for kind in WRITTEN)
