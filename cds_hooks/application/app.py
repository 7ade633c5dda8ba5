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
from starlette.types import ASGIApp

from cds_hooks.about import page as about
from cds_hooks.application import questionnaires
from cds_hooks.application.discovery import discover
from cds_hooks.application.hook_routes import HookRoutes
from cds_hooks.application.openapi import describe
from cds_hooks.clients.admission import Admission, Caller, admission_of
from cds_hooks.clients.gate import Gate, caller_of
from cds_hooks.clients.knowledge_in_use import KnowledgeInUse, load_in_use
from cds_hooks.operation.endpoints import Operation
from cds_hooks.operation.guard import Guard
from cds_hooks.operation.load import UNSERVED, LoadMiddleware, refusal
from cds_hooks.operation.middleware import CORRELATION_HEADER, RequestLogMiddleware
from cds_hooks.operation.refusals import RefusalPages
from cds_hooks.operation.workers import WorkerPlace
from cds_hooks.protocol.clock import now, seconds, today
from cds_hooks.protocol.errors import BadRequest, BodyTooLarge, EncodedBody, UnknownService, reason_fields
from cds_hooks.protocol.limits import read_body
from cds_hooks.protocol.outcomes import outcome
from cds_hooks.sandbox.routes import Sandbox
from cds_hooks.settings.settings import Settings
from cds_hooks.smart.routes import SmartApp
from cds_hooks.telemetry import logs
from cds_hooks.web.pages import Pages
from fhir_plugin.errors import RecordUnavailable, TandemError, WrongQuestionnaire
from fhir_plugin.reading.client import FhirServers
from mappings.schema.instruments import Instruments
from mappings.schema.load import Knowledge

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

COLLECT_AFTER = 50_000
"""Allocations minus deallocations before the garbage collector looks for cycles."""


def create_app(
    settings: Settings,
    knowledge: Knowledge | KnowledgeInUse,
    today: Callable[[], date] = today,
    demo_fhir: str | None = None,
    place: WorkerPlace | None = None,
) -> FastAPI:
    """The application; ``today`` is called once per call.

    ``knowledge`` is that of the service, and what clients have of their own is loaded here, unless it holds all of it.
    ``demo_fhir`` is the FHIR server that holds the demo patients, where there is one; ``place`` says which of several
    workers this process is.
    """
    logs.configure(settings.log_level, settings.log_format)
    used = knowledge if isinstance(knowledge, KnowledgeInUse) else load_in_use(settings, knowledge)
    servers = FhirServers()
    admission = admission_of(settings, servers, used.common.servers)
    operation = Operation(settings, used, servers, today, admission, place)
    limited = partial(read_body, limit=settings.max_body_bytes)
    app = FastAPI(
        title="Tandem",
        lifespan=_lifespan(operation, servers, admission),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Its spans and logs would carry the texts of exceptions, which may quote the record.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.router.routes.extend(HookRoutes(settings, used, servers, operation, limited, today).routes)
    _add_discovery(app, used)
    _add_questionnaires(app, settings, used, limited)
    app.router.routes.extend(operation.routes)
    pages = Pages(root=urlsplit(settings.public_url or "").path)
    app.router.routes.extend(_page_routes(app, settings, used.common, servers, pages, today, limited, demo_fhir))
    _add_error_handlers(app)
    if admission:
        app.add_middleware(Gate, admission=admission)
    refusals = RefusalPages(pages)
    limited_app = LoadMiddleware(app.build_middleware_stack(), operation.load, refusals)
    guarded = Guard(_with_cors(limited_app, settings), settings, refusals)
    app.middleware_stack = RequestLogMiddleware(guarded, operation.metrics, operation.tracing)
    return app


def _add_questionnaires(
    app: FastAPI, settings: Settings, used: KnowledgeInUse, limited: Callable[[Request], Awaitable[bytes]]
) -> None:
    """Offer the instruments as Questionnaires; responses are read as the site of their caller writes them."""
    anybody = Caller("", "live", settings.readable)

    def instruments_of(request: Request) -> Instruments:
        return used.of(caller_of(request, anybody).name).instruments

    ours = used.common.instruments
    app.include_router(questionnaires.router(ours, limited, settings.public_url, instruments_of))


def _add_discovery(app: FastAPI, used: KnowledgeInUse) -> None:
    """Offer the list of services, and the description of the interface."""
    offered = discover(used.common, used.others)
    document = msgspec.json.encode(offered)
    app.openapi = lambda: describe(offered)  # type: ignore[method-assign]

    @app.get("/cds-services")
    async def discovery() -> Response:
        """The CDS services that are offered."""
        return Response(document, media_type="application/json")


def _page_routes(
    app: FastAPI,
    settings: Settings,
    knowledge: Knowledge,
    servers: FhirServers,
    pages: Pages,
    today: Callable[[], date],
    limited: Callable[[Request], Awaitable[bytes]],
    demo_fhir: str | None,
) -> Iterator[BaseRoute]:
    """The routes of the enabled pages."""
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
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Everything loaded so far lives as long as the process; frozen, it no longer slows down garbage collection.
        # Objects of a call are freed by reference counting, so the search for cycles can wait for many calls.
        gc.collect()
        gc.freeze()
        gc.set_threshold(COLLECT_AFTER)
        try:
            await operation.start()
            if admission:
                await admission.start()
        except TandemError as fault:
            app.state.start_fault = str(fault)  # the web server would only say that something failed
            raise
        except Exception as fault:
            logs.log.error("the application cannot start", **logs.fault_fields(fault))
            raise
        yield
        await operation.aclose()
        await servers.aclose()
        if admission:
            await admission.aclose()

    return lifespan


def _with_cors(app: ASGIApp, settings: Settings) -> CORSMiddleware:
    """CORS around everything but the guard, so that browsers can read error bodies as well."""
    return CORSMiddleware(
        app,
        allow_origins=settings.origins,
        allow_methods=("GET", "POST"),
        allow_headers=("Authorization", "Content-Type"),
        expose_headers=(CORRELATION_HEADER,),
    )


def _add_error_handlers(app: FastAPI) -> None:
    """Answer every error with an OperationOutcome; an error in no table is a bug and stays a 500."""

    async def tandem_error(_: Request, error: Exception) -> Response:
        status, code = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
        logs.add_log_fields(**reason_fields(error))
        return outcome(status, code, str(error))

    async def http_error(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else None
        code, words = HTTP_ISSUES.get(status, ("processing", "the request cannot be answered"))
        return outcome(status, code, words, headers=headers)

    async def fault(_: Request, __: Exception) -> Response:
        return outcome(500, "exception", "the service failed; the fault is in its log")

    async def unserved(_: Request, error: Exception) -> Response:
        return refusal(error)

    for kind in STATUS:
        app.add_exception_handler(kind, tandem_error)
    for reason in UNSERVED:
        app.add_exception_handler(reason, unserved)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(500, fault)
