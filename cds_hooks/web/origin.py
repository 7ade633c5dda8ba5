"""Cross-site request check: another site must not act in the name of a visitor."""

from __future__ import annotations

from starlette.requests import Request

_OURS = frozenset({"same-origin", "none"})


def is_same_origin(request: Request) -> bool:
    """Judged by the headers that browsers send; other clients send none and cannot be misused by another site."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in _OURS
    origin = request.headers.get("origin")
    return origin is None or origin == str(request.base_url).rstrip("/")
