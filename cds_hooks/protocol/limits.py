"""Limits of a request in bytes, resources and values; checked before anything is parsed.

Depth needs none of its own: the decoder refuses what is nested more than some hundred levels deep, and nothing that
reads what it has decoded calls itself for each level without a bound.
"""

from __future__ import annotations

from starlette.requests import Request

from cds_hooks.protocol.errors import BodyTooLarge, EncodedBody
from fhir_plugin.record.opening import MAX_VALUES, has_too_many_values

MAX_RESOURCES = 20_000
_RESOURCE = b'"resourceType"'
MAX_DRAFTS = 500
"""Draft orders of a call; the largest order sets have some dozens."""


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, within the limits.

    :raises EncodedBody: it is compressed.
    :raises BodyTooLarge: as soon as the count exceeds ``limit``, whatever the header claims; or too many resources
        or values.
    """
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
        raise EncodedBody("the body must not be compressed")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared[:20]) > limit:
        raise BodyTooLarge(f"the body is larger than {limit} bytes")
    chunks: list[bytes] = []
    count = 0
    async for chunk in request.stream():
        count += len(chunk)
        if count > limit:
            raise BodyTooLarge(f"the body is larger than {limit} bytes")
        chunks.append(chunk)
    body = b"".join(chunks)
    if len(body) > MAX_RESOURCES * len(_RESOURCE) and body.count(_RESOURCE) > MAX_RESOURCES:
        raise BodyTooLarge(f"the body holds more than {MAX_RESOURCES} resources")
    if has_too_many_values(body):
        raise BodyTooLarge(f"the body holds more than {MAX_VALUES} values")
    return body
