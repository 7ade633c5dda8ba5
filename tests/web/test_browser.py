"""The sandbox in a browser: the whole path, by mouse, by keyboard and without scripts, and nothing that is not ours."""

from __future__ import annotations

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from cds_hooks.markdown import quote
from cds_hooks.web.cards import Reason, ShownCard, Suggestion
from cds_hooks.web.pages import Pages
from tests.web.conftest import served, watched
from tests.web.hostile import hostile_strings

pytestmark = pytest.mark.server

PATIENTS = {
    "uncontrolled-hypertension": {"order-sign": 1, "patient-view": 1},
    "acute-crisis": {"order-sign": 2, "patient-view": 2},
    "partial-response-to-tms": {"order-sign": 1, "patient-view": 1},
    "two-failures": {"order-sign": 1, "patient-view": 1},
}
"""Of some hooks, how many cards there are at least."""
HOOKS = ("patient-view", "order-select", "order-sign")
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
FITS = "document.documentElement.scrollWidth <= innerWidth"


def fire(page: Page, demo: str, patient: str, hook: str, **choices: str) -> None:
    page.goto(f"{demo}/sandbox?patient={patient}&hook={hook}")
    if "prefetching" in choices:
        page.get_by_label(choices["prefetching"]).check()
    page.get_by_role("button", name="Fire the hook").click()
    expect(page.get_by_role("heading", name="What the EHR shows")).to_be_visible()


def look_at(page: Page, view: str) -> None:
    page.locator(f"label[for=view-{view}]").click()
    expect(page.locator(f".tabs:has(#view-{view}:checked)")).to_be_visible()


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
        sent = json.loads(page.locator("#request-json").text_content() or "")
        assert len(sent["context"]["draftOrders"]["entry"]) == 2


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


def to(page: Page, selector: str, *, back: bool = False) -> None:
    """Press Tab until what ``selector`` names has the focus."""
    for _ in range(80):
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"{selector} is not reached with the keyboard")


@pytest.mark.parametrize(
    ("scheme", "width", "views"),
    [
        ("light", 1280, VIEWS),
        ("dark", 1280, ("findings", "course")),
        ("light", 400, VIEWS[:1]),
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


def accessible(page: Page, part: str = "html", *, whole: bool) -> None:
    """Every rule of axe; where not ``whole``, only what depends on the colours and the width."""
    rules = None if whole else {"runOnly": ["color-contrast", "scrollable-region-focusable", "target-size"]}
    found = Axe().run(page, context=part, options=rules)
    assert found.violations_count == 0, found.generate_report()


def test_no_string_of_a_record_is_more_than_text(demo: str, browser: Browser) -> None:
    strings = hostile_strings()
    assert len(strings) >= 500
    for part in (strings[start : start + 150] for start in range(0, len(strings), 150)):
        with watched(browser, demo) as seen:
            page = seen.page
            page.goto(f"{demo}/sandbox")
            page.get_by_label("A Bundle that I paste").check()
            page.get_by_label("Bundle, as JSON").fill(json.dumps(record(part)))
            page.get_by_label("Draft order").select_option("json")
            page.get_by_text("Draft orders as JSON").click()
            page.get_by_label("One resource, a list or a Bundle").fill(json.dumps(draft(part[0])))
            page.get_by_role("button", name="Fire the hook").click()
            expect(page.get_by_role("heading", name="What the EHR shows")).to_be_visible()
            shown = set(page.locator("section[aria-label=Why] code").all_text_contents())
            # A reader of HTML takes every end of a line for the same one.
            assert [text for text in part if text.replace("\r\n", "\n") not in shown] == []
            sent = json.loads(page.locator("#request-json").text_content() or "")
            assert [each["resource"]["note"] for each in sent["prefetch"]["medicationRequests"]["entry"]] == [
                [{"text": text}] for text in part
            ]
            assert page.evaluate("window.hit") is None


def record(texts: list[str]) -> dict[str, object]:
    """One patient whose names, diagnoses, drugs and notes are these strings."""
    about = {"subject": {"reference": "Patient/p"}}
    resources: list[dict[str, object]] = [
        {"resourceType": "Patient", "id": "p", "birthDate": "1980-01-01", "name": [{"text": text} for text in texts]}
    ]
    for number, text in enumerate(texts):
        coding = [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F33.1"}]
        resources += [
            {
                "resourceType": "Condition",
                "id": f"c{number}",
                "code": {"coding": coding, "text": text},
                "clinicalStatus": {"coding": [{"code": "active"}]},
                **about,
            },
            {
                "resourceType": "MedicationRequest",
                "id": f"m{number}",
                "status": "active",
                "intent": "order",
                "medicationCodeableConcept": {"text": text},
                "note": [{"text": text}],
                **about,
            },
        ]
    return {"resourceType": "Bundle", "entry": [{"resource": each} for each in resources]}


def draft(text: str) -> dict[str, object]:
    return {"resourceType": "MedicationRequest", "id": "d", "medicationCodeableConcept": {"text": f"ketamine {text}"}}


def test_no_string_of_a_card_is_more_than_text(browser: Browser) -> None:
    strings, pages = hostile_strings(), Pages()
    cards = [
        ShownCard(
            summary=text,
            detail=f"{quote(text)}\n\n{text}",
            suggestions=(Suggestion(label=text),),
            override_reasons=(Reason(code=text, display=text),),
        )
        for text in strings
    ]
    template = pages._templates.from_string(
        '{% import "components.html" as ui %}<!doctype html><title>cards</title><main>'
        '{% for card in cards %}{{ ui.card(card, "c%d"|format(loop.index)) }}{% endfor %}</main>'
    )

    async def page_of_cards(_: Request) -> Response:
        return HTMLResponse(template.render(cards=cards))

    # Without the headers of a page: what is tested is that nothing hostile is left to be stopped.
    with served(Starlette(routes=[Route("/", page_of_cards)])) as address, watched(browser, address) as seen:
        page = seen.page
        page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
        page.goto(address)
        assert page.locator("article h3").all_text_contents() == [text.replace("\r\n", "\n") for text in strings]
        shown = page.locator("article .markdown > p:first-child > code").all_text_contents()
        assert shown == [quote(text).strip("`") for text in strings]
        assert page.evaluate("window.hit") is None
        tags = page.evaluate(
            "[...new Set([...document.querySelectorAll('main *')].map(each => each.localName))].sort()"
        )
        assert not set(tags) & {"script", "img", "iframe", "svg", "object", "embed", "form", "link", "style", "meta"}
