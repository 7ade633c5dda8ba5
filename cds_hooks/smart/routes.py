"""The addresses of the app, and who may see what is behind them."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cds_hooks.errors import BodyTooLarge, LaunchRefused
from cds_hooks.limits import read_body
from cds_hooks.logs import note
from cds_hooks.settings import Settings
from cds_hooks.smart.dossiers import dossier_of
from cds_hooks.smart.filling import Filled, filled, response_of, save
from cds_hooks.smart.forms import read_answers, read_form
from cds_hooks.smart.launching import APP, Launching
from cds_hooks.smart.openings import Opening, Openings
from cds_hooks.smart.permissions import WRITTEN, may_create, may_read
from cds_hooks.smart.views import criteria, overview, warning
from cds_hooks.web.pages import NOBODY, Pages, page_headers
from cds_hooks.web.sandbox.course import Drawings, sketch
from cds_hooks.web.sandbox.findings import why
from fhir_plugin.client import Clients
from fhir_plugin.decide import Decision, decide
from fhir_plugin.dose_drawing import draw_doses, told
from fhir_plugin.dossier_record import person
from fhir_plugin.drawing import describe
from fhir_plugin.errors import RecordUnavailable
from fhir_plugin.facts.medications.dose_course import read_dose_courses
from fhir_plugin.facts.staging import read_staging
from fhir_plugin.gather import gather
from fhir_plugin.inputs import INPUTS
from fhir_plugin.needs import observation_tokens
from fhir_plugin.record import Record
from mappings.load import Knowledge

_BAD_REQUEST, _FORBIDDEN, _NOT_FOUND, _UNAVAILABLE = 400, 403, 404, 502
_SECONDS = 10.0
_MOST_FORM_BYTES = 50_000
PAGES = {
    "overview": "Overview",
    "criteria": "Criteria",
    "trials": "Trials",
    "questionnaires": "Questionnaires",
    "dossier": "Dossier",
}


class SmartApp:
    """The app: what it keeps is the openings, in memory, until they are over."""

    def __init__(
        self,
        knowledge: Knowledge,
        settings: Settings,
        connections: Clients,
        pages: Pages,
        clock: tuple[Callable[[], date], Callable[[], datetime], Callable[[], float]],
    ) -> None:
        """``clock`` gives the day, the moment, and a count of seconds."""
        self._knowledge = knowledge
        self._connections = connections
        self._pages = pages
        self._today, self._now, seconds = clock
        self._issuers = {each.issuer: each for each in settings.smart}
        self._openings = Openings(seconds)
        self._launching = Launching(self._issuers, settings.public_url or "", knowledge, connections)
        self._drawings = Drawings(knowledge)
        self._codes = observation_tokens(knowledge)
        self._ancestors = tuple(dict.fromkeys(each for issuer in settings.smart for each in issuer.frame_ancestors))

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
            Route(f"{view}/questionnaires/{{form}}", self.questionnaire, methods=["GET"]),
            Route(f"{view}/questionnaires/{{form}}", self.answered, methods=["POST"]),
            Route(f"{view}/{{page}}", self.page, methods=["GET"]),
        ]

    # The way in and out

    async def start(self, request: Request) -> Response:
        """The EHRs in which a patient can be chosen."""
        return self._pages.answer("smart/start.html", request, issuers=list(self._issuers.values()))

    async def launch(self, request: Request) -> Response:
        """The launch from a chart, or from the page above."""
        try:
            return await self._launching.begin(request, self._openings)
        except LaunchRefused as refused:
            return self._refused(request, refused)

    async def callback(self, request: Request) -> Response:
        """The way back from the EHR."""
        try:
            return await self._launching.finish(request, self._openings)
        except LaunchRefused as refused:
            return self._refused(request, refused)

    async def leave(self, request: Request) -> Response:
        """Forget the opening and its token."""
        opening = self._opening(request)
        if opening is None or not await self._form(request, opening):
            return self._over(request)
        view = request.path_params["view"]
        self._openings.views.take(view, request.cookies.get(f"tandem-{view}", ""))
        words = "The app has forgotten this chart and its access to it."
        return self._error(request, 200, "Closed", words, opening.issuer.frame_ancestors)

    # The pages

    async def page(self, request: Request) -> Response:
        """One page of an opening."""
        opening, name = self._opening(request), request.path_params["page"]
        if opening is None:
            return self._over(request)
        if name not in PAGES:
            return self._error(request, _NOT_FOUND, "No such page", "There is no page at this address.")
        try:
            if name == "questionnaires":
                forms = self._knowledge.instruments.forms.values()
                return self._shown(
                    request, opening, name, await self._person(opening), forms=[f.instrument for f in forms]
                )
            decision = await self._decision(opening)
        except RecordUnavailable as fault:
            return self._unreadable(request, opening, fault)
        content = self._content(name, request, opening, decision)
        return self._shown(request, opening, name, decision.record, decision, **content)

    def _content(self, name: str, request: Request, opening: Opening, decision: Decision) -> dict[str, Any]:
        knowledge = self._knowledge
        if name == "overview":
            drawn = sketch(decision, knowledge)
            opening.drawn["course"] = drawn or ""
            courses = decision.facts.treatments.courses
            words = " ".join(describe(decision.facts.scores, courses, knowledge.treatments))
            return {"overview": overview(decision, knowledge), "drawn": bool(drawn), "described": words}
        if name == "criteria":
            return {"criteria": criteria(decision, knowledge, request.query_params.get("treatment", ""))}
        if name == "trials":
            doses = read_dose_courses(decision.record, knowledge.medications, decision.facts.as_of)
            opening.drawn["doses"] = doses
            history = decision.facts.trials
            staged = read_staging(decision.record, history, knowledge.medications, decision.facts.as_of)
            return {"why": why(decision, knowledge), "history": history, "staged": staged, "doses": told(doses)}
        return dossier_of(decision, knowledge, request.query_params.get("for", ""))

    async def course(self, request: Request) -> Response:
        """The picture of the course of symptoms that the overview told of."""
        opening = self._opening(request)
        drawn = opening.drawn.get("course") if opening else None
        if opening is None or not isinstance(drawn, str) or not drawn:
            return self._over(request)
        return _picture(await asyncio.to_thread(self._drawings.draw, drawn))

    async def doses(self, request: Request) -> Response:
        """The picture of the doses that the page of trials told of."""
        opening = self._opening(request)
        courses = opening.drawn.get("doses") if opening else None
        if opening is None or not isinstance(courses, tuple) or not courses:
            return self._over(request)
        style = self._knowledge.instruments.drawing
        return _picture(await asyncio.to_thread(draw_doses, courses, style, PAGES["trials"]))

    # Questionnaires

    async def questionnaire(self, request: Request) -> Response:
        """The empty form of one instrument."""
        opening, form = self._opening(request), self._form_of(request)
        if opening is None:
            return self._over(request)
        if form is None:
            return self._error(request, _NOT_FOUND, "No such questionnaire", "There is no questionnaire of that name.")
        empty = filled(form, {}, self._knowledge.instruments, opening, self._now())
        return await self._filling(request, opening, empty)

    async def answered(self, request: Request) -> Response:
        """What was answered: scored and shown, and saved when that is what the button says."""
        opening, form = self._opening(request), self._form_of(request)
        data = await self._form(request, opening) if opening else None
        if opening is None or form is None or data is None:
            return self._over(request)
        now, instruments = self._now(), self._knowledge.instruments
        given = read_answers(data)
        answered = filled(form, given, instruments, opening, now)
        if data.get("do") != "save" or not answered.complete or answered.score is None or not _may_write(opening):
            return await self._filling(request, opening, answered, answered=True)
        if not opening.spend(data.get("once", "")):
            return await self._filling(request, opening, answered, answered=True, problem="This form was sent already.")
        body = response_of(form, answered.values, instruments, opening, now)
        saved = await save(body, answered.score, instruments, opening, self._connections)
        return await self._filling(request, opening, answered, answered=True, problem=saved.problem, saved=saved)

    async def _filling(
        self, request: Request, opening: Opening, filling: Filled, *, answered: bool = False, **more: Any
    ) -> Response:
        signals = filling.score is not None and bool(filling.score.suicide_positive)
        values = {"problem": "", "saved": None, "signals": signals, "may_write": _may_write(opening)} | more
        own = self._knowledge.cards.safety[0]
        try:
            person = await self._person(opening)
        except RecordUnavailable as fault:
            return self._unreadable(request, opening, fault)
        return self._shown(
            request, opening, "questionnaires", person, template="questionnaire",
            filling=filling, answered=answered, once=opening.once(), safety=(own.summary, own.lead), **values,
        )  # fmt: skip

    def _form_of(self, request: Request) -> Any:
        name = request.path_params["form"].replace("-", "_")
        return self._knowledge.instruments.forms.get(name)

    # What every page needs

    async def _decision(self, opening: Opening) -> Decision:
        """The chart as it is now: nothing of it is kept from one page to the next but what a picture shows."""
        knowledge = self._knowledge
        record = await gather(
            opening.patient, {}, knowledge.inputs, self._codes, opening.source, self._connections, _SECONDS
        )
        return decide(record, knowledge, knowledge.protocol, self._today())

    async def _person(self, opening: Opening) -> Record:
        """The record with nothing but the patient, to say whose chart it is."""
        return await gather(opening.patient, {}, ("patient",), (), opening.source, self._connections, _SECONDS)

    def _opening(self, request: Request) -> Opening | None:
        view = request.path_params["view"]
        opening = self._openings.views.get(view, request.cookies.get(f"tandem-{view}", ""))
        if opening is not None:
            note(tenant=opening.issuer.name)
        return opening

    async def _form(self, request: Request, opening: Opening) -> dict[str, str] | None:
        """The fields of a form of our own; ``None`` for one that another page sent."""
        try:
            body = await read_body(request, _MOST_FORM_BYTES)
        except BodyTooLarge:
            return None
        fields = read_form(body)
        return fields if hmac.compare_digest(fields.get("token", "").encode(), opening.form_token.encode()) else None

    def _shown(
        self,
        request: Request,
        opening: Opening,
        name: str,
        record: Record,
        decision: Decision | None = None,
        template: str = "",
        **content: Any,
    ) -> Response:
        knowledge = self._knowledge
        types = sorted({INPUTS[each].resource_type for each in knowledge.inputs})
        missing = [kind for kind in types if not may_read(opening.granted, kind)]
        return self._pages.answer(
            f"smart/{template or name}.html",
            request,
            frame_ancestors=opening.issuer.frame_ancestors or NOBODY,
            view=request.path_params["view"],
            pages=PAGES,
            current=name,
            who=person(record, knowledge),
            form_token=opening.form_token,
            warning=warning(decision, knowledge) if decision else "",
            gaps=record.gaps(knowledge.inputs) if decision else (),
            dropped=record.dropped,
            missing=missing,
            knowledge=knowledge,
            **content,
        )

    def _unreadable(self, request: Request, opening: Opening, fault: RecordUnavailable) -> Response:
        words = f"What every page needs could not be read from the EHR: {fault}."
        ancestors = opening.issuer.frame_ancestors
        return self._error(request, _UNAVAILABLE, "The chart could not be read", words, ancestors)

    def _refused(self, request: Request, refused: LaunchRefused) -> Response:
        note(reason=f"launch.{refused.reason}")
        return self._error(request, _BAD_REQUEST, "The app could not be opened", str(refused))

    def _over(self, request: Request) -> Response:
        words = "This opening of the app is over, or belongs to another browser. Open the app again from the chart."
        return self._error(request, _FORBIDDEN, "Open the app again", words)

    def _error(
        self, request: Request, status: int, title: str, words: str, ancestors: tuple[str, ...] = ()
    ) -> Response:
        allowed = ancestors or self._ancestors or NOBODY
        return self._pages.answer(
            "error.html", request, status=status, frame_ancestors=allowed, title=title, why=words, back=""
        )


def _may_write(opening: Opening) -> bool:
    return opening.issuer.may_write and all(may_create(opening.granted, kind) for kind in WRITTEN)


def _picture(svg: str) -> Response:
    return Response(svg, headers=page_headers(), media_type="image/svg+xml")
