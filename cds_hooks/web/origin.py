"""Whether a form comes from a page of our own: another site must not do anything in a visitor's name."""

from __future__ import annotations

from starlette.requests import Request

_OURS = frozenset({"same-origin", "none"})


def is_same_origin(request: Request) -> bool:
    """By what the browser says of it; a client that is no browser says nothing, and is not led by another site."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in _OURS
    origin = request.headers.get("origin")
    return origin is None or origin == str(request.base_url).rstrip("/")
