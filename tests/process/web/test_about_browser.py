"""What the service tells of itself, in a browser: readable by everybody, in light and dark, and on a narrow screen."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.support.web.fixtures import watched

pytestmark = pytest.mark.server


@pytest.mark.parametrize(("scheme", "width"), [("dark", 400), ("light", 1200)])
def test_the_page_is_accessible_and_fits(scheme: str, width: int, demo: str, browser: Browser) -> None:
    with watched(browser, demo, scheme, width) as seen:
        seen.page.goto(f"{demo}/about/treatment-session-encounter-start")
        seen.page.evaluate("for (const each of document.querySelectorAll('details:first-of-type')) each.open = true")
        found = Axe().run(seen.page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
        assert found.violations_count == 0, found.generate_report()
        seen.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
