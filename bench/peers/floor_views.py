"""Floor (a): a plain Starlette route that decodes the request into Tandem's views and answers a constant card."""

from __future__ import annotations

import msgspec
from msgspec import Raw
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.peers.answers import CARD, settle
from fhir_plugin.record.bundles import AnyResource, Bundle


class Call(msgspec.Struct, rename="camel"):
    """The request, all of it decoded in one go."""

    hook: str
    hook_instance: str
    context: Raw
    prefetch: dict[str, AnyResource | Bundle]


_DECODE = msgspec.json.Decoder(Call).decode
_ENCODE = msgspec.json.Encoder().encode


async def answer(request: Request) -> Response:
    """Decode, do nothing, answer."""
    _DECODE(await request.body())
    return Response(_ENCODE({"cards": [CARD]}), media_type="application/json")


app = Starlette(routes=[Route("/cds-services/bench", answer, methods=["POST"])])
settle()
