"""The routes of the app and their handlers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cds_hooks.protocol.aside import aside, is_large_record
from cds_hooks.protocol.errors import LaunchRefused
from cds_hooks.settings.settings import Settings
from cds_hooks.smart.answering import QuestionnaireForms
from cds_hooks.smart.dossiers import dossier_content
from cds_hooks.smart.frame import NOT_FOUND, SECONDS, PageFrame
from cds_hooks.smart.launching import APP, PAGES, LaunchFlow
from cds_hooks.smart.openings import AppSession, AppSessions
from cds_hooks.smart.registrations import registrations
from cds_hooks.smart.views import criteria, overview
from cds_hooks.web.course import Drawings, sketch
from cds_hooks.web.findings import decision_view
from cds_hooks.web.origin import origin_of
from cds_hooks.web.pages import Pages, page_headers
from fhir_plugin.courses.dose_drawing import describe_doses, draw_doses
from fhir_plugin.courses.drawing import describe
from fhir_plugin.deciding.decide import Decision, decide
from fhir_plugin.errors import BadInput, RecordUnavailable
from fhir_plugin.facts.trials.dose_course import read_dose_courses
from fhir_plugin.facts.trials.staging import read_staging
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.needs import data_needs
from fhir_plugin.reading.sources import ServerSource
from mappings.schema.load import Knowledge

_NARROW = "narrow"
"""Query parameter of a picture for a narrow window."""


class SmartApp:
    """The SMART app; its only state is the sessions, in memory until they expire."""

    def __init__(
        self,
        knowledge: Knowledge,
        settings: Settings,
        connections: FhirServers,
        pages: Pages,
        clock: tuple[Callable[[], date], Callable[[], datetime], Callable[[], float]],
    ) -> None:
        """``clock`` returns the day, the time, and a count of seconds.

        :raises BadInput: the key or the server profile of an EHR cannot be used.
        """
        self._knowledge = knowledge
        self._connections = connections
        self._pages = pages
        self._today, now, seconds = clock
        self._issuers = settings.smart
        self._sessions = AppSessions(seconds)
        ehrs = registrations(settings.smart, knowledge.servers)
        self._launch_flow = LaunchFlow(ehrs, settings.public_url or "", knowledge, connections, seconds)
        self._frame = PageFrame(
            knowledge, settings.smart, connections, pages, self._sessions, origin_of(settings.public_url)
        )
        self._questionnaires = QuestionnaireForms(knowledge, self._frame, connections, now)
        self._drawings = Drawings(knowledge)
        self._needs = data_needs(knowledge)

    @property
    def routes(self) -> list[Route]:
        """Every address of the app."""
        view = f"{APP}/v/{{view}}"
        return [
            Route(APP, self.start, methods=["GET"]),
            Route(f"{APP}/launch", self.launch, methods=["GET"]),
            Route(f"{APP}/callback", self.callback, methods=["GET"]),
            Route(f"{view}/leave", self.leave, methods=["POST"]),
            Route(f"{view}/course.svg", self.course, methods=["GET"]),
            Route(f"{view}/doses.svg", self.doses, methods=["GET"]),
            Route(f"{view}/questionnaires/{{form}}", self._questionnaires.questionnaire, methods=["GET"]),
            Route(f"{view}/questionnaires/{{form}}", self._questionnaires.answered, methods=["POST"]),
            Route(f"{view}/{{page}}", self.page, methods=["GET"]),
        ]

    # Launch and leave

    async def start(self, request: Request) -> Response:
        """The list of EHRs for a standalone launch."""
        return self._pages.answer("smart/start.html", request, issuers=self._issuers)

    async def launch(self, request: Request) -> Response:
        """A launch from a chart, or from the list of EHRs."""
        try:
            return await self._launch_flow.begin(request, self._sessions)
        except LaunchRefused as refused:
            return self._frame.refused(request, refused)

    async def callback(self, request: Request) -> Response:
        """The redirect back from the EHR."""
        try:
            return await self._launch_flow.finish(request, self._sessions)
        except LaunchRefused as refused:
            return self._frame.refused(request, refused)

    async def leave(self, request: Request) -> Response:
        """Delete the session and its token."""
        session = self._frame.session(request)
        if session is None or await self._frame.form(request, session) is None:
            return self._frame.expired(request)
        self._frame.close(request)
        return self._frame.error(
            request, 200, "Closed", "The app has forgotten this chart and its access to it.", session
        )

    # The pages

    async def page(self, request: Request) -> Response:
        """One page of a session."""
        session, name = self._frame.session(request), request.path_params["page"]
        if session is None:
            return self._frame.expired(request)
        if name not in PAGES:
            return self._frame.error(request, NOT_FOUND, "No such page", "There is no page at this address.", session)
        try:
            if name == "questionnaires":
                return await self._questionnaires.listed(request, session)
            decision = await self._decision(session)
        except RecordUnavailable as fault:
            return self._frame.unreadable(request, session, fault)
        content = self._content(name, session, decision, request.query_params.get("treatment", ""))
        return self._frame.shown(request, session, name, decision.record, decision, **content)

    def _content(self, name: str, session: AppSession, decision: Decision, treatment: str) -> dict[str, Any]:
        """The template values of that page; ``treatment`` is the one the user asked for."""
        knowledge = self._knowledge
        if name == "overview":
            sketched = sketch(decision, knowledge)
            session.drawn["course"] = sketched or ""
            courses = decision.facts.treatments.courses
            words = " ".join(describe(decision.facts.scores, courses, knowledge.treatments))
            return {"overview": overview(decision, knowledge), "drawn": bool(sketched), "described": words}
        if name == "criteria":
            return {"criteria": criteria(decision, knowledge, treatment)}
        if name == "trials":
            doses = read_dose_courses(decision.record, knowledge.medications, decision.facts.as_of)
            session.drawn["doses"] = doses
            history = decision.facts.trials
            staged = read_staging(decision.record, history, knowledge.medications, decision.facts.as_of)
            return {
                "why": decision_view(decision, knowledge),
                "history": history,
                "staged": staged,
                "doses": describe_doses(doses),
            }
        return dossier_content(decision, knowledge, treatment)

    async def course(self, request: Request) -> Response:
        """The picture of the course of symptoms on the overview."""
        session = self._frame.session(request)
        drawn = session.drawn.get("course") if session else None
        if session is None or not drawn:
            return self._frame.expired(request)
        return await _picture(partial(self._drawings.draw, drawn, narrow=_NARROW in request.query_params))

    async def doses(self, request: Request) -> Response:
        """The picture of the doses on the page of trials."""
        session = self._frame.session(request)
        courses = session.drawn.get("doses") if session else None
        if session is None or not courses:
            return self._frame.expired(request)
        style = self._knowledge.instruments.drawing
        style = style.narrow if _NARROW in request.query_params else style
        return await _picture(partial(draw_doses, courses, style, PAGES["trials"]))

    async def _decision(self, session: AppSession) -> Decision:
        """A decision on the chart as it is now: nothing but picture data is kept between pages."""
        knowledge = self._knowledge
        source = ServerSource(session.access, session.patient, self._needs, SECONDS, self._connections)
        record = await source.read()
        today = self._today()
        return await aside(lambda: decide(record, knowledge, as_of=today), large=is_large_record(record))


async def _picture(draw: Callable[[], str]) -> Response:
    """Draw in a thread, because it takes a third of a second; 404 if there is too much to draw."""
    try:
        svg = await asyncio.to_thread(draw)
    except BadInput:
        return Response(status_code=NOT_FOUND, headers=page_headers())
    return Response(svg, headers=page_headers(), media_type="image/svg+xml")
