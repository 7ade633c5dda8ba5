"""The sandbox as somebody in front of a browser works it."""

from __future__ import annotations

from playwright.sync_api import Page, expect


def fire(page: Page, demo: str, patient: str, hook: str, **choices: str) -> None:
    page.goto(f"{demo}/sandbox?patient={patient}&hook={hook}")
    if "prefetching" in choices:
        page.get_by_label(choices["prefetching"]).check()
    page.get_by_role("button", name="Fire the hook").click()
    expect(page.get_by_role("heading", name="What the EHR shows")).to_be_visible()


def look_at(page: Page, view: str) -> None:
    page.locator(f"label[for=view-{view}]").click()
    expect(page.locator(f".tabs:has(#view-{view}:checked)")).to_be_visible()
