"""Floor (b): a plain Starlette route that parses the request into dicts with orjson and answers a constant card."""

from __future__ import annotations

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.peers.answers import CARD, settle


async def answer(request: Request) -> Response:
    """Parse, do nothing, answer."""
    orjson.loads(await request.body())
    return Response(orjson.dumps({"cards": [CARD]}), media_type="application/json")


app = Starlette(routes=[Route("/cds-services/bench", answer, methods=["POST"])])
settle()
