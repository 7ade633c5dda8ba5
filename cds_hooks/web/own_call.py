"""Calls to the application's own endpoints without a network: the response is what a client gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Scope

OWN_CALL = "tandem.own-call"
"""The ASGI scope key that marks such a call: it is a part of a request that has been let in already."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The response to a call."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def post(app: ASGIApp, scope: Scope, path: str, body: bytes, extra: Mapping[str, Any] | None = None) -> Reply:
    """POST JSON to ``path`` of ``app``; ``scope`` is the scope of the original request.

    ``extra`` is added to the scope, which no client can do.
    """
    headers = [
        (b"host", dict(scope["headers"]).get(b"host", b"localhost")),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    inner: Scope = {
        "type": "http",
        "asgi": scope.get("asgi", {"version": "3.0"}),
        "http_version": "1.1",
        "method": "POST",
        "scheme": scope.get("scheme", "http"),
        "path": path,
        "raw_path": path.encode(),
        "root_path": scope.get("root_path", ""),
        "query_string": b"",
        "headers": headers,
        "client": scope.get("client"),
        "server": scope.get("server"),
        "state": dict(scope.get("state") or {}),
        OWN_CALL: True,
        **(extra or {}),
    }
    status = 0
    reply_headers: dict[str, str] = {}
    parts: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            reply_headers.update((key.decode("latin-1"), value.decode("latin-1")) for key, value in message["headers"])
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app(inner, receive, send)
    return Reply(status, reply_headers, b"".join(parts))
