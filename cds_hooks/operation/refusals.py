"""What a person is shown whose browser asked for a page and was refused; programs get the OperationOutcome."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from cds_hooks.web.pages import Pages

_OTHER_PAGE = (
    "This request came from a page of another site, which may not use this service. Open the address yourself. "
    "If the other site is meant to use it, whoever runs the service has to list its origin in allowed_origins."
)
_OTHER_NAME = (
    "The name in the address bar is not one of this service's own. Use localhost, or the address at which it listens. "
    "If it is meant to have this name, whoever runs it has to set public_url to it."
)
_WORDS = {
    403: ("Not from here", _OTHER_PAGE),
    421: ("Not one of this service's names", _OTHER_NAME),
    503: ("Too busy at the moment", "More is being asked of this service than it can answer. Reload in a few seconds."),
}


class RefusalPages:
    """Pages in plain words. They repeat nothing of the request."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def instead_of(self, refused: Response, request: Request) -> Response:
        """The page for a refusal, where a browser wants to show one; otherwise the refusal itself."""
        words = _WORDS.get(refused.status_code)
        if words is None or request.method != "GET" or "text/html" not in request.headers.get("accept", ""):
            return refused
        title, why = words
        page = self._pages.answer("error.html", request, status=refused.status_code, title=title, why=why, back="")
        if retry := refused.headers.get("retry-after"):
            page.headers["retry-after"] = retry
        return page
