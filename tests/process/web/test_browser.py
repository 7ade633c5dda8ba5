"""The sandbox in a browser: the whole path, by mouse, by keyboard and without scripts, and nothing that is not ours."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, expect

from tests.support.web.fixtures import watched
from tests.support.web.pages import to
from tests.support.web.sandbox import fire, look_at

pytestmark = pytest.mark.server

PATIENTS = {
    "uncontrolled-hypertension": {"order-sign": 1, "patient-view": 1},
    "acute-crisis": {"order-sign": 1, "patient-view": 1},
    "partial-response-to-tms": {"order-sign": 1, "patient-view": 1},
    "two-failures": {"order-sign": 1, "patient-view": 1},
}
"""Of some hooks, how many cards there are at least."""
HOOKS = ("patient-view", "order-select", "order-sign")


@pytest.mark.parametrize("patient", PATIENTS)
def test_the_whole_path(patient: str, demo: str, browser: Browser) -> None:
    with watched(browser, demo) as seen:
        page = seen.page
        for hook in HOOKS:
            fire(page, demo, patient, hook, prefetching="Nothing prefetched")
            cards = page.locator("article.card")
            assert cards.count() >= PATIENTS[patient].get(hook, 0)
            look_at(page, "reading")
            expect(page.get_by_text("Read by the service from the FHIR server")).to_be_visible()
            look_at(page, "course")
            expect(page.locator(".drawing img")).to_be_visible()
        cards.first.get_by_text("Override", exact=True).click()
        summary = cards.first.get_by_role("heading").inner_text()
        cards.first.get_by_label("Reason").select_option("considered")
        cards.first.get_by_role("button", name="Override this card").click()
        expect(page.get_by_text(f"Overridden: {summary}")).to_be_visible()
        look_at(page, "feedback")
        expect(page.locator("section[aria-label=Feedback] pre").first).to_contain_text('"overridden"')


def test_a_suggestion_is_taken_and_the_hook_fires_again(demo: str, browser: Browser) -> None:
    with watched(browser, demo) as seen:
        page = seen.page
        fire(page, demo, "two-failures", "patient-view")
        page.locator(".suggestions button").first.click()
        expect(page.get_by_text("An EHR would now write this to the record")).to_be_visible()
        look_at(page, "feedback")
        expect(page.locator("section[aria-label=Feedback] pre").first).to_contain_text('"accepted"')


def test_a_draft_that_is_taken_is_in_the_next_call(demo: str, browser: Browser) -> None:
    with watched(browser, demo) as seen:
        page = seen.page
        fire(page, demo, "two-failures", "order-sign")
        taken = page.locator(".suggestions button").first
        label = taken.inner_text()
        taken.click()
        expect(page.get_by_text(f"Taken: {label}. The draft orders have changed")).to_be_visible()
        expect(page.locator("#request-json")).to_contain_text("draftOrders")
        sent = json.loads(page.locator("#request-json").text_content() or "")
        assert len(sent["context"]["draftOrders"]["entry"]) > 1


def test_everything_works_without_scripts(demo: str, browser: Browser) -> None:
    with watched(browser, demo, scripts=False) as seen:
        page = seen.page
        fire(page, demo, "uncontrolled-hypertension", "order-sign")
        look_at(page, "course")
        with page.context.expect_page() as opened:
            page.get_by_role("button", name="Draw the picture").click()
        expect(opened.value.locator("svg")).to_be_visible()
        page.get_by_text("Override", exact=True).click()
        page.get_by_role("button", name="Override this card").click()
        expect(page.get_by_text("Overridden:")).to_be_visible()


def test_the_keyboard_suffices(demo: str, browser: Browser) -> None:
    with watched(browser, demo) as seen:
        page = seen.page
        page.goto(f"{demo}/sandbox?patient=uncontrolled-hypertension")
        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to the content")).to_be_focused()
        to(page, "input[name=hook]")
        page.keyboard.press("ArrowUp")
        expect(page.locator("input[name=hook][value=order-select]")).to_be_checked()
        page.keyboard.press("ArrowDown")
        to(page, "button[name=fire]")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="What the EHR shows")).to_be_visible()
        to(page, "input[name=view]")
        page.keyboard.press("ArrowRight")
        expect(page.locator("section[aria-label=Trials]")).to_be_visible()
        to(page, ".override summary", back=True)
        page.keyboard.press("Enter")
        to(page, "button[name=override]")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Overridden:")).to_be_visible()
