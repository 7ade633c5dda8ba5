"""Rendering of pages: templates with autoescape, and headers that allow no foreign content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cds_hooks.web.assets import ADDRESS, Assets
from cds_hooks.web.markdown import markdown_html
from cds_hooks.web.rendering import environment

NOBODY = ("'none'",)
"""The frame ancestors of a page that must not be framed."""
_FORBIDDEN_IN_A_SOURCE = frozenset(" ;,\t\r\n")


def page_headers(frame_ancestors: Sequence[str] = NOBODY) -> dict[str, str]:
    """The headers of every page; ``frame_ancestors`` are the origins that may frame it.

    :raises ValueError: an ancestor contains a character that would end the directive.
    """
    if any(_FORBIDDEN_IN_A_SOURCE & set(ancestor) for ancestor in frame_ancestors):
        raise ValueError("an origin that may frame pages contains a blank, a comma or a semicolon")
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        f"frame-ancestors {' '.join(frame_ancestors)}",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


class Pages:
    """The templates and assets of one application."""

    def __init__(self, assets: Assets | None = None, root: str = "") -> None:
        """``root`` is the path prefix that a proxy strips from requests."""
        self._assets = assets or Assets()
        self._root = root
        self._templates = environment()
        self._templates.filters["markdown"] = markdown_html
        self._templates.filters["json"] = _indented

    @property
    def routes(self) -> list[Route]:
        """The route of the assets."""
        return [Route(ADDRESS, self._assets.answer, methods=["GET"])]

    def html(self, template: str, request: Request, **values: Any) -> str:
        """A rendered template; its ``root`` is the path prefix of the application."""
        root = self._root or request.scope.get("root_path", "")

        def asset(name: str) -> str:
            return f"{root}{self._assets.address(name)}"

        return self._templates.get_template(template).render(values, asset=asset, root=root)

    def answer(
        self,
        template: str,
        request: Request,
        *,
        status: int = 200,
        frame_ancestors: Sequence[str] = NOBODY,
        **values: Any,
    ) -> Response:
        """A page with its headers; ``values`` must contain every variable of the template."""
        body = self.html(template, request, **values)
        return Response(body, status, page_headers(frame_ancestors), "text/html")


def _indented(value: object) -> str:
    """Indented JSON; escaped by the template like everything else."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
