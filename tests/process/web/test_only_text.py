"""Whatever a record or a card says, in a browser it is text and nothing else."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from cds_hooks.protocol.markdown import quote
from cds_hooks.web.cards import ShownCard, ShownReason, ShownSuggestion
from cds_hooks.web.pages import Pages
from tests.support.web.fixtures import served, watched
from tests.support.web.hostile import hostile_strings

pytestmark = pytest.mark.server


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
            suggestions=(ShownSuggestion(label=text),),
            override_reasons=(ShownReason(code=text, display=text),),
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
