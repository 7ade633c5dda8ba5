"""Cross-site request check: another site must not act in the name of a visitor."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request

_OURS = frozenset({"same-origin", "none"})
_HARMLESS = frozenset({"GET", "HEAD"})


def origin_of(url: str | None) -> str:
    """The origin of a URL; empty if there is none."""
    return "://".join(urlsplit(url)[:2]) if url else ""


def is_same_origin(request: Request, public_origin: str = "") -> bool:
    """Judged by the headers that browsers send; other clients send none and cannot be misused by another site.

    ``public_origin`` is where browsers reach the service, if a proxy passes another address on.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in _OURS
    origin = request.headers.get("origin")
    return origin is None or origin in (str(request.base_url).rstrip("/"), public_origin)


def is_cross_site(request: Request, public_origin: str = "") -> bool:
    """Whether a page of another origin had a browser send this: not by a mere link, image or script to be loaded.

    These come without ``Origin``, and no page can read what they bring.
    """
    if request.method in _HARMLESS and "origin" not in request.headers:
        return False
    return not is_same_origin(request, public_origin)
