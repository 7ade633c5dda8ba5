"""The pages of the sandbox held against the rules of axe, in light and dark, wide and narrow."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.support.web.fixtures import watched
from tests.support.web.pages import FITS, accessible
from tests.support.web.sandbox import fire, look_at

pytestmark = pytest.mark.server

TITLES = {
    "findings": "Why",
    "trials": "Trials",
    "course": "Course",
    "reading": "Queries",
    "request": "Request",
    "response": "Response",
    "feedback": "Feedback",
}
VIEWS = tuple(TITLES)


@pytest.mark.parametrize(
    ("scheme", "width", "views"),
    [
        ("light", 1280, VIEWS),
        pytest.param("dark", 1280, ("findings", "course"), marks=pytest.mark.nightly),
        pytest.param("light", 400, VIEWS[:1], marks=pytest.mark.nightly),
        ("dark", 400, ("trials",)),
    ],
)
def test_the_pages_are_accessible(scheme: str, width: int, views: tuple[str, ...], demo: str, browser: Browser) -> None:
    with watched(browser, demo, scheme, width) as seen:
        page, first = seen.page, (scheme, width) == ("light", 1280)
        page.goto(f"{demo}/sandbox")
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        accessible(page, whole=first)
        assert page.evaluate(FITS), "the form is wider than the window"
        fire(page, demo, "acute-crisis", "patient-view")
        page.evaluate("document.querySelectorAll('.card details').forEach(each => { each.open = true })")
        for view in views:
            look_at(page, view)
            # One table opened stands for all that look alike; the parts that are not shown are not looked at again.
            page.evaluate(
                "document.querySelectorAll('.panel tr:first-child details').forEach(each => { each.open = true })"
            )
            accessible(page, "main" if view == views[0] else f"section[aria-label='{TITLES[view]}']", whole=first)
        assert page.evaluate(FITS), "the page is wider than the window"
