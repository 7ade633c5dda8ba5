"""The request line by RFC 3986: what a strict server, such as a stock Tomcat, answers with 400.

The demo's servers and the servers of the tests apply it, so that a client that sends what only lenient servers bear
fails here first.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

_CHARACTER = rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})"
_TARGET = re.compile(rb"/" + _CHARACTER + rb"*(?:\?(?:" + _CHARACTER + rb"|\?)*)?")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def is_valid_target(target: bytes) -> bool:
    """Whether a path with its query has only what RFC 3986 (3.3, 3.4) allows there."""
    return _TARGET.fullmatch(target) is not None


def strict(application: Application) -> Application:
    """An ASGI application that answers 400 to an invalid target, and all else as ``application`` does."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_valid_target(_target(scope)):
            await send({"type": "http.response.start", "status": HTTPStatus.BAD_REQUEST.value, "headers": []})
            await send({"type": "http.response.body"})
        else:
            await application(scope, receive, send)

    return answer


def _target(scope: Scope) -> bytes:
    path, query = bytes(scope["raw_path"]), bytes(scope["query_string"])
    return path + b"?" + query if query else path
