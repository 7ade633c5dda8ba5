"""The questionnaire pages of a session: list, fill, score and save."""

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

_FORM_EXPIRED = "This form has expired. Nothing was saved; check the answers and save again."
_SAVED_WITH_OTHER_ANSWERS = (
    "This form was already saved with other answers. These answers were not saved; save again to add them."
)


class QuestionnaireForms:
    """Lists the questionnaires, shows their forms, and scores and saves the answers."""

    def __init__(
        self, knowledge: Knowledge, frame: PageFrame, connections: FhirServers, now: Callable[[], datetime]
    ) -> None:
        self._knowledge = knowledge
        self._frame = frame
        self._connections = connections
        self._now = now

    async def listed(self, request: Request, session: AppSession) -> Response:
        """The list of all questionnaires."""
        forms = [form.instrument for form in self._knowledge.instruments.forms.values()]
        return self._frame.shown(
            request, session, "questionnaires", await self._frame.patient_record(session), forms=forms
        )

    async def questionnaire(self, request: Request) -> Response:
        """The empty form of one instrument."""
        session = self._frame.session(request)
        if session is None:
            return self._frame.expired(request)
        form = self._form_of(request)
        if form is None:
            words = "There is no questionnaire with that name."
            return self._frame.error(request, NOT_FOUND, "No such questionnaire", words, session)
        try:
            patient_record = await self._frame.patient_record(session)
        except RecordUnavailable as fault:
            return self._frame.unreadable(request, session, fault)
        empty = fill_questionnaire(
            form, {}, self._knowledge.instruments, _patient_context(session, patient_record), self._now()
        )
        return self._shown(request, session, patient_record, empty)

    async def answered(self, request: Request) -> Response:
        """The submitted answers, scored and shown; saved if the user pressed that button."""
        session, form = self._frame.session(request), self._form_of(request)
        data = await self._frame.form(request, session) if session else None
        if session is None or form is None or data is None:
            return self._frame.expired(request)
        try:
            patient_record = await self._frame.patient_record(session)
        except RecordUnavailable as fault:
            return self._frame.unreadable(request, session, fault)
        now = self._now()
        filling = fill_questionnaire(
            form, read_answers(data), self._knowledge.instruments, _patient_context(session, patient_record), now
        )
        if data.get("do") != "save" or not filling.complete or filling.score is None or not _may_write(session):
            return self._shown(request, session, patient_record, filling, answered=True)
        saved = await self._saved(
            session, data.get("once", ""), filling, filling.score, _patient_context(session, patient_record), now
        )
        return self._shown(request, session, patient_record, filling, answered=True, saved=saved)

    async def _saved(
        self,
        session: AppSession,
        mark: str,
        filling: FilledQuestionnaire,
        scored: Score,
        patient: PatientContext,
        now: datetime,
    ) -> SaveResult:
        instruments, content = self._knowledge.instruments, (filling.form.instrument.id, filling.values)
        body = build_response(filling.form, filling.values, instruments, patient, now)
        submitted = session.send(
            mark, content, lambda: save(body, scored, instruments, session.access, self._connections)
        )
        if submitted is None:
            return SaveResult(None, None, _FORM_EXPIRED)
        saved = await asyncio.shield(submitted.saved)
        return saved if submitted.content == content else SaveResult(None, None, _SAVED_WITH_OTHER_ANSWERS)

    def _shown(
        self, request: Request, session: AppSession, patient_record: Record, filling: FilledQuestionnaire, **more: Any
    ) -> Response:
        card, today = self._knowledge.cards.safety[0], self._knowledge.wording.days.today
        summary = card.summary.format(signals=f"{filling.form.instrument.short} {today}")
        content = {"answered": False, "saved": None, "may_write": _may_write(session)} | more
        return self._frame.shown(
            request, session, "questionnaires", patient_record, template="questionnaire",
            filling=filling, once=session.new_form_mark(), safety=(summary, card.lead), **content,
        )  # fmt: skip

    def _form_of(self, request: Request) -> PreparedInstrument | None:
        return self._knowledge.instruments.forms.get(request.path_params["form"].replace("-", "_"))


def _patient_context(session: AppSession, patient_record: Record) -> PatientContext:
    sex = patient_record.patient.gender if patient_record.patient else None
    return PatientContext(patient_record.patient_id, sex, session.encounter, session.author)


def _may_write(session: AppSession) -> bool:
    return session.issuer.may_write and all(may_create(session.scopes, kind) for kind in WRITTEN)
