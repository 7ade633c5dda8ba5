"""What every page is held to in a browser, and how it is worked by keyboard."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

FITS = "document.documentElement.scrollWidth <= innerWidth"


def accessible(page: Page, part: str = "html", *, whole: bool) -> None:
    """Every rule of axe; where not ``whole``, only what depends on the colours and the width."""
    rules = None if whole else {"runOnly": ["color-contrast", "scrollable-region-focusable", "target-size"]}
    found = Axe().run(page, context=part, options=rules)
    assert found.violations_count == 0, found.generate_report()


def to(page: Page, selector: str, *, back: bool = False) -> None:
    """Press Tab until what ``selector`` names has the focus."""
    for _ in range(80):
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"{selector} is not reached with the keyboard")
