"""The web application: routes, and the one table that turns errors into status codes."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date
from functools import partial
from urllib.parse import urlsplit

import msgspec
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from cds_hooks.about import page as about
from cds_hooks.application import questionnaires
from cds_hooks.application.discovery import discover
from cds_hooks.application.openapi import describe
from cds_hooks.clients.admission import Admission, Caller, admission_of
from cds_hooks.clients.gate import Gate, caller_of
from cds_hooks.hooks.service import HookService
from cds_hooks.memory.routes import FeedbackRoute
from cds_hooks.operation.endpoints import Operation
from cds_hooks.operation.middleware import CORRELATION_HEADER, RequestLogMiddleware
from cds_hooks.protocol.clock import now, seconds, today
from cds_hooks.protocol.errors import BadRequest, BodyTooLarge, EncodedBody, UnknownService
from cds_hooks.protocol.limits import read_body
from cds_hooks.protocol.outcomes import outcome
from cds_hooks.protocol.requests import read_call
from cds_hooks.protocol.responses import CardsResponse
from cds_hooks.protocol.trace import SCOPE, Trace
from cds_hooks.replay.capture import Capture
from cds_hooks.sandbox.routes import Sandbox
from cds_hooks.settings.settings import Settings
from cds_hooks.smart.routes import SmartApp
from cds_hooks.telemetry import logs
from cds_hooks.web.pages import Pages
from fhir_plugin.errors import RecordUnavailable, TandemError, WrongQuestionnaire
from fhir_plugin.reading.client import FhirServers
from mappings.schema.load import Knowledge
from mappings.schema.service.services import ServiceDefinition

STATUS: dict[type[TandemError], tuple[int, str]] = {
    BadRequest: (400, "invalid"),
    UnknownService: (404, "not-found"),
    RecordUnavailable: (412, "incomplete"),
    BodyTooLarge: (413, "too-long"),
    EncodedBody: (415, "not-supported"),
    WrongQuestionnaire: (422, "processing"),
}
"""HTTP status and issue type of each error; a subclass uses those of its nearest base class."""

HTTP_ISSUES = {
    404: ("not-found", "there is nothing at this address"),
    405: ("not-supported", "this method is not offered at this address"),
}

_CARDS = msgspec.json.Encoder()

COLLECT_AFTER = 50_000
"""Allocations minus deallocations before the garbage collector looks for cycles."""


def create_app(
    settings: Settings, knowledge: Knowledge, today: Callable[[], date] = today, demo_fhir: str | None = None
) -> FastAPI:
    """The application; ``today`` is called once per call.

    ``demo_fhir`` is the FHIR server that holds the demo patients, where there is one.
    """
    logs.configure(settings.log_level, settings.log_format)
    servers = FhirServers()
    hooks = HookService(knowledge, settings, servers)
    operation = Operation(settings, knowledge, servers, today)
    memory = operation.memory
    capture = Capture(settings, knowledge)
    admission = admission_of(settings, servers, knowledge.servers)
    anybody = Caller("", "live", settings.readable)
    services = {service.id: service for service in knowledge.services.services}
    limited = partial(read_body, limit=settings.max_body_bytes)

    async def call(request: Request) -> Response:
        caller = caller_of(request, anybody)
        # A client in mode off gets 404: a 200 without cards would suggest that nothing was found.
        service = _service({} if caller.mode == "off" else services, request.path_params["service_id"])
        logs.add_log_fields(service=service.id, knowledge=knowledge.digest[:12])
        trace: Trace | None = request.scope.get(SCOPE)
        body = await limited(request)
        if trace:
            trace.begin()
        hook_call = read_call(body, service.hook)
        as_of = trace.as_of if trace and trace.as_of else today()
        answer = await hooks.answer(hook_call, service, as_of, caller.readable, trace)
        if trace:
            trace.decision = answer.decision
        cards = memory.record_shown(hook_call, service, answer, as_of, caller.name, caller.mode)
        logs.add_log_fields(cards=len(cards), quiet=len(answer.cards) - len(cards), verdicts=answer.verdicts)
        shown = cards if caller.mode == "live" else ()
        capture_task = capture.task(hook_call, answer, as_of)
        return Response(_CARDS.encode(CardsResponse(shown)), media_type="application/json", background=capture_task)

    async def feedback(request: Request) -> Response:
        caller = caller_of(request, anybody)
        service = _service(services, request.path_params["service_id"])
        logs.add_log_fields(service=service.id)
        return await answers.answer(request, service, caller.name)

    app = FastAPI(
        title="Tandem",
        lifespan=_lifespan(operation, servers, admission),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    offered = discover(knowledge)
    document = msgspec.json.encode(offered)
    app.openapi = lambda: describe(offered)  # type: ignore[method-assign]

    @app.get("/cds-services")
    async def discovery() -> Response:
        """The CDS services that are offered."""
        return Response(document, media_type="application/json")

    app.add_route("/cds-services/{service_id}", call, methods=["POST"])
    if memory.offered:
        answers = FeedbackRoute(memory, operation.metrics.feedback, limited)
        app.add_route("/cds-services/{service_id}/feedback", feedback, methods=["POST"])
    app.include_router(questionnaires.router(knowledge.instruments, limited))
    app.router.routes.extend(operation.routes)
    app.router.routes.extend(_page_routes(app, settings, knowledge, servers, today, limited, demo_fhir))
    _add_error_handlers(app)
    if admission:
        app.add_middleware(Gate, admission=admission)
    app.middleware_stack = RequestLogMiddleware(_with_cors(app, settings), operation.metrics)
    return app


def _page_routes(
    app: FastAPI,
    settings: Settings,
    knowledge: Knowledge,
    servers: FhirServers,
    today: Callable[[], date],
    limited: Callable[[Request], Awaitable[bytes]],
    demo_fhir: str | None,
) -> Iterator[BaseRoute]:
    """The routes of the enabled pages."""
    pages = Pages(root=urlsplit(settings.public_url or "").path)
    yield from pages.routes
    yield from about.routes(knowledge, pages, today)
    if settings.sandbox:
        yield from Sandbox(app, knowledge, settings, servers, pages, today, limited, demo_fhir).routes
    if settings.smart:
        yield from SmartApp(knowledge, settings, servers, pages, (today, now, seconds)).routes


def _lifespan(
    operation: Operation, servers: FhirServers, admission: Admission | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Start-up and shutdown of the application."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # Everything loaded so far lives as long as the process; frozen, it no longer slows down garbage collection.
        # Objects of a call are freed by reference counting, so the search for cycles can wait for many calls.
        gc.collect()
        gc.freeze()
        gc.set_threshold(COLLECT_AFTER)
        await operation.start()
        yield
        await operation.aclose()
        await servers.aclose()
        if admission:
            admission.close()

    return lifespan


def _with_cors(app: FastAPI, settings: Settings) -> CORSMiddleware:
    """CORS around everything else, so that browsers can read error bodies as well."""
    return CORSMiddleware(
        app.build_middleware_stack(),
        allow_origins=settings.origins,
        allow_methods=("GET", "POST"),
        allow_headers=("Authorization", "Content-Type"),
        expose_headers=(CORRELATION_HEADER,),
    )


def _service(services: dict[str, ServiceDefinition], service_id: str) -> ServiceDefinition:
    if service_id not in services:
        raise UnknownService("there is no CDS service with that id: see GET /cds-services")
    return services[service_id]


def _add_error_handlers(app: FastAPI) -> None:
    """Answer every error with an OperationOutcome; an error in no table is a bug and stays a 500."""

    async def tandem_error(_: Request, error: Exception) -> Response:
        status, code = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
        return outcome(status, code, str(error))

    async def http_error(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else None
        code, words = HTTP_ISSUES.get(status, ("processing", "the request cannot be answered"))
        return outcome(status, code, words, headers=headers)

    async def fault(_: Request, __: Exception) -> Response:
        return outcome(500, "exception", "the service failed; the fault is in its log")

    for kind in STATUS:
        app.add_exception_handler(kind, tandem_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(500, fault)
