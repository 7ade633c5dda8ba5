"""``GET /about`` and ``/about/{service}``: the same content as a page and as JSON."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cds_hooks.about.content import about
from cds_hooks.protocol.errors import UnknownService
from cds_hooks.web.pages import Pages
from mappings.schema.load import Knowledge

_JSON = ".json"
_ENCODER = msgspec.json.Encoder(order="deterministic")


def routes(knowledge: Knowledge, pages: Pages, today: Callable[[], date]) -> list[Route]:
    """The routes; ``today`` determines which reviews are overdue."""
    services = {service.id: service for service in knowledge.services.services}

    async def answer(request: Request) -> Response:
        name = request.path_params.get("service_id", "").removesuffix(_JSON)
        if name and name not in services:
            raise UnknownService("there is no CDS service with that id: see GET /about")
        content = about(knowledge, today(), services.get(name))
        if _wants_json(request):
            headers = {"Vary": "Accept", "X-Content-Type-Options": "nosniff"}
            return Response(_ENCODER.encode(content), media_type="application/json", headers=headers)
        page = pages.answer("about.html", request, about=content)
        page.headers["Vary"] = "Accept"
        return page

    return [
        Route("/about", answer, methods=["GET"]),
        Route(f"/about{_JSON}", answer, methods=["GET"]),
        Route("/about/{service_id}", answer, methods=["GET"]),
    ]


def _wants_json(request: Request) -> bool:
    """By the address first, then by the Accept header; a page if both are accepted."""
    chosen = request.query_params.get("format")
    if request.url.path.endswith(_JSON) or chosen:
        return chosen in (None, "json")
    accepted = request.headers.get("accept", "")
    return "json" in accepted and "text/html" not in accepted
