"""The routes of the sandbox, and the steps from a submitted form to a page."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message

from cds_hooks.demo.stories import DemoPatient, demo_patients
from cds_hooks.protocol.clock import now
from cds_hooks.sandbox.building import RequestBuilder
from cds_hooks.sandbox.feedback import (
    FeedbackExchange,
    accepted,
    overridden,
    read_exchanges,
    read_reasons,
    send,
    write_exchanges,
)
from cds_hooks.sandbox.firing import CallResult, fire
from cds_hooks.sandbox.form import JSON_ORDER, SandboxForm, form_from_file, read_form, read_upload
from cds_hooks.sandbox.orders import ORDERS, Draft, apply_actions, bundle_of, read_drafts
from cds_hooks.sandbox.saving import replay_file
from cds_hooks.settings.settings import Settings
from cds_hooks.web.cards import read_cards
from cds_hooks.web.course import Drawings, sketch
from cds_hooks.web.findings import decision_view
from cds_hooks.web.origin import is_same_origin, origin_of
from cds_hooks.web.pages import Pages, page_headers
from fhir_plugin.errors import BadInput, TandemError
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.needs import observation_tokens
from fhir_plugin.record.inputs import INPUTS
from mappings.schema.load import Knowledge

T = TypeVar("T")

ADDRESS = "/sandbox"
_BAD_REQUEST, _FORBIDDEN = 400, 403
_PLACE = re.compile(r"[0-9]{1,3}")
_MOST_FIELDS = 100
_FIRST_PATIENT, _FIRST_ORDER = "two-failures", "ketamine"


@dataclass(frozen=True, slots=True)
class _ActionResult:
    """The effect of a button."""

    form: SandboxForm
    written: tuple[Draft, ...] = ()
    """Resources that an EHR would now write to the record."""
    took: str = ""
    """Label of the accepted suggestion."""


class Sandbox:
    """The sandbox pages; keeps no patient data except the last few pictures of courses."""

    def __init__(
        self,
        app: ASGIApp,
        knowledge: Knowledge,
        settings: Settings,
        clients: FhirServers,
        pages: Pages,
        today: Callable[[], date],
        read_body: Callable[[Request], Awaitable[bytes]],
        demo_fhir: str | None,
    ) -> None:
        """``app`` is called as by a client; ``read_body`` reads a request within the limits of the application.

        ``demo_fhir`` is the server with the demo patients; without it they are sent as prefetch.
        """
        services = knowledge.services.services
        self._app = app
        self._knowledge = knowledge
        self._settings = settings
        self._public_origin = origin_of(settings.public_url)
        self._pages = pages
        self._today = today
        self._read_body = read_body
        self._demo_fhir = demo_fhir
        self._request_builder = RequestBuilder(
            services, knowledge.inputs, observation_tokens(knowledge), settings, clients, demo_fhir
        )
        self._drawings = Drawings(knowledge)
        self._patients_by_day: tuple[date, dict[str, DemoPatient]] = self._patients_of(today())

    @property
    def routes(self) -> list[Route]:
        """The page and the targets of its buttons."""
        return [
            Route(ADDRESS, self.opened, methods=["GET"]),
            Route(ADDRESS, self.posted, methods=["POST"]),
            Route(f"{ADDRESS}/course.svg", self.course, methods=["POST"]),
            Route(f"{ADDRESS}/replay.json", self.replay, methods=["POST"]),
        ]

    async def opened(self, request: Request) -> Response:
        """The initial form; the query may name a demo patient and a hook."""
        form = SandboxForm(patient=_FIRST_PATIENT, order=_FIRST_ORDER, prefetched=self._knowledge.inputs)
        query = request.query_params
        if query.get("patient") in self._patients():
            form = replace(form, patient=query["patient"])
        if query.get("hook") in {service.hook for service in self._knowledge.services.services}:
            form = replace(form, hook=query["hook"])
        return self._page(request, form)

    async def posted(self, request: Request) -> Response:
        """The action of a button: fire, accept a suggestion, override a card, open a file."""
        if not is_same_origin(request, self._public_origin):
            return self._refused(request)
        form = SandboxForm()
        try:
            async with self._data(request) as data:
                form = self._checked(read_form(data))
                action = await self._perform(request, form, data)
                form = action.form
            result = await self._fire(request, form)
        except BadInput as fault:
            return self._page(request, form, problem=str(fault))
        form = replace(form, answer=result.reply.body.decode(errors="replace"), service=result.built.service.id)
        if form.order != JSON_ORDER:
            drafts = result.built.drafts
            form = replace(form, drafts=_json(bundle_of(drafts)) if drafts else "")
        return self._page(request, form, result=result, action=action)

    async def course(self, request: Request) -> Response:
        """The picture of the course that the form describes, as SVG."""
        if not is_same_origin(request, self._public_origin):
            return self._refused(request)
        try:
            async with self._data(request) as data:
                sketch_text = data.get("sketch")
            picture = await asyncio.to_thread(self._drawings.draw, sketch_text if isinstance(sketch_text, str) else "")
        except BadInput as fault:
            return self._page(request, SandboxForm(), problem=str(fault))
        return Response(picture, headers=page_headers(), media_type="image/svg+xml")

    async def replay(self, request: Request) -> Response:
        """The call that the form describes as a de-identified replay file."""
        if not is_same_origin(request, self._public_origin):
            return self._refused(request)
        form = SandboxForm()
        try:
            async with self._data(request) as data:
                form = read_form(data)
            content = await replay_file(await self._fire(request, form), self._knowledge)
        except TandemError as fault:
            return self._page(request, form, problem=str(fault))
        headers = {**page_headers(), "Content-Disposition": 'attachment; filename="tandem-replay.json"'}
        return Response(content, headers=headers, media_type="application/json")

    async def _perform(self, request: Request, form: SandboxForm, data: FormData) -> _ActionResult:
        """Perform the action of the pressed button."""
        pressed = {name: str(data[name]) for name in ("take", "override", "open") if name in data}
        if "open" in pressed:
            return _ActionResult(form_from_file(form, await read_upload(data, "file")))
        if "take" in pressed:
            return await self._take(request, form, pressed["take"])
        if "override" in pressed:
            place = pressed["override"]
            reason, comment = (str(data.get(f"{name}-{place}", "")) for name in ("reason", "comment"))
            return _ActionResult(await self._override(request, form, place, reason, comment))
        return _ActionResult(replace(form, overridden="", exchanges=""))

    async def _take(self, request: Request, form: SandboxForm, place: str) -> _ActionResult:
        card_place, _, suggestion_place = place.partition(".")
        card = _at(read_cards(form.answer), card_place)
        suggestion = _at(card.suggestions, suggestion_place)
        exchange = await send(self._app, request.scope, form, accepted(card, suggestion, now()))
        before = read_drafts(form.drafts)
        drafts, written = apply_actions(before, suggestion.actions)
        changed = replace(form, order=JSON_ORDER, drafts=_json(bundle_of(drafts))) if drafts != before else form
        return _ActionResult(_noted(changed, exchange), tuple(written), suggestion.label)

    async def _override(
        self, request: Request, form: SandboxForm, place: str, reason: str, comment: str
    ) -> SandboxForm:
        card = _at(read_cards(form.answer), place)
        exchange = await send(self._app, request.scope, form, overridden(card, reason, comment, now()))
        before = read_reasons(form.overridden)
        reasons = {**before, card.summary: comment or reason or "no reason given"}
        return replace(_noted(form, exchange), overridden=_json(reasons))

    async def _fire(self, request: Request, form: SandboxForm) -> CallResult:
        built = await self._request_builder.build(form, self._patients())
        return await fire(self._app, request.scope, built, form)

    def _page(
        self,
        request: Request,
        form: SandboxForm,
        problem: str = "",
        result: CallResult | None = None,
        action: _ActionResult | None = None,
    ) -> Response:
        decision = result.trace.decision if result else None
        return self._pages.answer(
            "sandbox.html",
            request,
            status=_BAD_REQUEST if problem else 200,
            form=form,
            problem=problem,
            fired=result,
            took=action.took if action else "",
            written=[_json(resource) for resource in action.written] if action else [],
            why=decision_view(decision, self._knowledge) if decision else None,
            sketch=sketch(decision, self._knowledge) if decision else None,
            overridden=read_reasons(form.overridden),
            exchanges=[
                (_json(exchange.sent), exchange.status, exchange.response)
                for exchange in read_exchanges(form.exchanges)
            ],
            address=str(request.base_url).rstrip("/"),
            patients=list(self._patients().values()),
            services=self._knowledge.services.services,
            orders={name: title for name, (title, _) in ORDERS.items()},
            inputs=[(name, INPUTS[name].required) for name in self._knowledge.inputs],
            demo_fhir=self._demo_fhir,
            servers=self._settings.fhir_servers,
        )

    def _refused(self, request: Request) -> Response:
        return self._pages.answer(
            "error.html",
            request,
            status=_FORBIDDEN,
            title="Not from here",
            why="This was sent from a page of another site. Open the sandbox and use its own form.",
            back=ADDRESS,
        )

    def _checked(self, form: SandboxForm) -> SandboxForm:
        """The form, if its service is one that is offered: feedback is sent there."""
        if form.service in {"", *(service.id for service in self._knowledge.services.services)}:
            return form
        raise BadInput("this service is not offered: fire the hook again")

    @asynccontextmanager
    async def _data(self, request: Request) -> AsyncIterator[FormData]:
        """The form of the request, within the limits of the application; its file is closed on exit."""
        body = await self._read_body(request)

        async def whole() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        held = Request(request.scope, whole)
        limit = self._settings.max_body_bytes
        async with held.form(max_files=1, max_fields=_MOST_FIELDS, max_part_size=limit) as data:
            yield data

    def _patients(self) -> Mapping[str, DemoPatient]:
        """The demo patients for today."""
        day = self._today()
        if self._patients_by_day[0] != day:
            self._patients_by_day = self._patients_of(day)
        return self._patients_by_day[1]

    @staticmethod
    def _patients_of(day: date) -> tuple[date, dict[str, DemoPatient]]:
        return day, {patient.id: patient for patient in demo_patients(day)}


def _at(items: Sequence[T], place: str) -> T:
    """The item at that position; :class:`BadInput` if the form has none."""
    if _PLACE.fullmatch(place) and int(place) < len(items):
        return items[int(place)]
    raise BadInput("that card is no longer there: fire the hook again")


def _noted(form: SandboxForm, exchange: FeedbackExchange) -> SandboxForm:
    return replace(form, exchanges=write_exchanges([*read_exchanges(form.exchanges), exchange]))


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
