"""Limits of a request in bytes, depth, resources and values; checked before anything is parsed."""

from __future__ import annotations

from starlette.requests import Request

from cds_hooks.protocol.errors import BadRequest, BodyTooLarge, EncodedBody
from fhir_plugin.record.opening import MAX_VALUES, has_too_many_values

MAX_DEPTH = 100
"""Levels of nesting. FHIR needs about fifteen, and a long questionnaire two per level of its groups."""
MAX_RESOURCES = 20_000
MAX_DRAFTS = 500
"""Draft orders of a call; the largest order sets have some dozens."""
_MAX_WORK = 4_000_000
"""Brackets that may be processed to determine the depth; a real body of 5 MB needs less than half of it."""

_BRACKETS = bytes.maketrans(b"{}", b"[]")
_OTHERS = bytes(byte for byte in range(256) if byte not in b'{}[]"')
_TOO_DEEP = b"[" * (MAX_DEPTH + 1)


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, within the limits.

    :raises EncodedBody: it is compressed.
    :raises BodyTooLarge: as soon as the count exceeds ``limit``, whatever the header claims; or too many resources
        or values.
    :raises BadRequest: it is nested too deeply.
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
    if body.count(b'"resourceType"') > MAX_RESOURCES:
        raise BodyTooLarge(f"the body holds more than {MAX_RESOURCES} resources")
    if has_too_many_values(body):
        raise BodyTooLarge(f"the body holds more than {MAX_VALUES} values")
    if is_too_deep(body):
        raise BadRequest("", f"is nested more than {MAX_DEPTH} levels deep")
    return body


def is_too_deep(body: bytes) -> bool:
    """Whether JSON is nested more than ``MAX_DEPTH`` levels deep; the result for invalid JSON is undefined.

    Works on the whole text at once, because a loop over its bytes would take longer than answering the call:

    * remove everything except brackets and quotes, then everything that is quoted;
    * remove the innermost pairs of brackets, level by level: ``[[][[]]]`` -> ``[[]]`` -> ``[]`` -> empty, so depth 3.
    """
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in body else body
    # Two adjacent quotes do not change whether the text around them is inside a string or outside.
    kept = plain.translate(_BRACKETS, _OTHERS).replace(b'""', b"")
    nested = b"".join(kept.split(b'"')[::2]) if b'"' in kept else kept
    processed = 0
    for _ in range(MAX_DEPTH):
        if _TOO_DEEP in nested or processed > _MAX_WORK:
            return True
        inner = nested.replace(b"[]", b"")
        processed += len(nested)
        if len(inner) == len(nested):
            return False
        nested = inner
    return bool(nested)
