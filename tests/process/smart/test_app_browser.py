"""The app in a browser: launched, looked at, filled by keyboard, saved; and nothing in it that is not ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.smart.fixtures import App
from tests.support.web.fixtures import Watched, watched
from tests.support.web.hostile import hostile_strings
from tests.support.web.pages import FITS, accessible, to

pytestmark = pytest.mark.server

PATIENT = "partial-response-to-ketamine"
TITLES = {
    "overview": "Overview",
    "criteria": "Criteria",
    "trials": "Trials",
    "questionnaires": "Questionnaires",
    "dossier": "Prior authorization dossier: Transcranial magnetic stimulation (TMS)",
}
OPEN_ALL = "document.querySelectorAll('details').forEach(each => { each.open = true })"
DRUG = "antidepressant "
"""What no table holds and yet seems to be a drug of ours is shown as it is written."""
MANY = 510
"""Strings: each way of being more than text, and some hundreds of the same kind."""
Json = dict[str, Any]


@contextmanager
def launched(
    app: App,
    browser: Browser,
    patient: str = PATIENT,
    scheme: str = "light",
    width: int = 1280,
    *,
    scripts: bool = True,
) -> Iterator[Watched]:
    """A page on which the app was opened from a chart: from then on it asks nobody else for anything."""
    with watched(browser, app.address, scheme, width, scripts=scripts) as seen:
        seen.page.goto(app.launch(patient))
        at_the_ehr = f"request: {app.ehr.address}/authorize?"
        seen.faults[:] = [each for each in seen.faults if not each.startswith(at_the_ehr)]
        yield seen


def go(page: Page, name: str) -> None:
    """Follow the link of the navigation."""
    page.get_by_role("navigation").get_by_role("link", name=name.capitalize(), exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLES[name])


def test_the_whole_path_with_the_keyboard(app: App, browser: Browser) -> None:
    with launched(app, browser) as seen:
        page = seen.page
        expect(page.get_by_text("Keisha Abernathy")).to_be_visible()
        for name, title in TITLES.items():
            to(page, f"nav a[href$='/{name}']")
            enter(page)
            expect(page.get_by_role("heading", level=1)).to_have_text(title)
            for drawing in page.locator(".drawing img").all():
                expect(drawing).to_have_js_property("complete", value=True)
                assert drawing.evaluate("each => each.naturalWidth") > 0
        to(page, "nav a[href$='/questionnaires']", back=True)
        enter(page)
        to(page, "a[href$='/phq9']")
        enter(page)
        expect(page.get_by_role("heading", level=1)).to_have_text("Patient Health Questionnaire 9")
        for number in range(1, 10):
            to(page, f"input[name=q-{number}]")
            page.keyboard.press("Space")
            for _ in range(1 if number < 9 else 0):
                page.keyboard.press("ArrowDown")
        to(page, "button[value=score]")
        enter(page)
        expect(page.get_by_role("heading", name="PHQ-9: 8 (mild)")).to_be_visible()
        to(page, "button[value=save]")
        enter(page)
        saved = page.get_by_role("status").locator("code")
        expect(saved).to_have_count(2)
        response, observation = (read(app, each) for each in saved.all_text_contents())
    assert len(response["item"]) == 9
    assert response["subject"] == observation["subject"] == {"reference": f"Patient/{PATIENT}"}
    assert observation["valueQuantity"]["value"] == 8
    assert observation["derivedFrom"] == [{"reference": f"QuestionnaireResponse/{response['id']}"}]


def enter(page: Page) -> None:
    """Press what has the focus, and wait for the page that it leads to."""
    with page.expect_navigation():
        page.keyboard.press("Enter")


def read(app: App, reference: str) -> Json:
    """The resource from the FHIR server itself."""
    found: Json = httpx2.get(f"{app.ehr.fhir}/{reference}").raise_for_status().json()
    return found


def test_everything_works_without_scripts(shared: App, browser: Browser) -> None:
    with launched(shared, browser, "two-failures", scripts=False) as seen:
        page = seen.page
        for name in TITLES:
            go(page, name)
        go(page, "criteria")
        line = page.get_by_role("row", name="Major depressive disorder").first
        line.get_by_text("Evidence and rule").click()
        line.locator("details details > summary").first.click()
        expect(line.locator("pre.code").first).to_contain_text('"resourceType": "Condition"')
        go(page, "questionnaires")
        page.get_by_role("link", name="GAD-7").click()
        page.get_by_role("group").first.get_by_label("Nearly every day").check()
        page.get_by_role("button", name="Score").click()
        expect(page.get_by_text("Not answered: 2, 3, 4, 5, 6, 7.")).to_be_visible()
        page.get_by_role("button", name="Close").click()
        expect(page.get_by_role("heading", name="Closed")).to_be_visible()


@pytest.mark.parametrize(
    ("scheme", "width", "patient"),
    [
        ("light", 1280, PATIENT),
        pytest.param("dark", 1280, "acute-crisis", marks=pytest.mark.nightly),
        pytest.param("light", 400, "acute-crisis", marks=pytest.mark.nightly),
        ("dark", 400, PATIENT),
    ],
)
def test_the_pages_are_accessible(scheme: str, width: int, patient: str, shared: App, browser: Browser) -> None:
    whole = (scheme, width) == ("light", 1280)
    with launched(shared, browser, patient, scheme, width) as seen:
        page = seen.page
        for name in TITLES:
            go(page, name)
            assert page.evaluate(FITS), f"{name} is wider than the window"
            # One line opened stands for all that look alike.
            page.evaluate("document.querySelectorAll('tr:first-child details').forEach(each => { each.open = true })")
            accessible(page, whole=whole)
        go(page, "questionnaires")
        page.get_by_role("link", name="PHQ-9").click()
        page.locator("input[name=q-9]").last.check()
        page.get_by_role("button", name="Score").click()
        expect(page.get_by_role("alert").first).to_contain_text("Suicide risk")
        accessible(page, whole=whole)
        assert page.evaluate(FITS)


def test_no_string_of_a_record_is_more_than_text(app: App, browser: Browser) -> None:
    strings = hostile_strings()[:MANY]
    assert len(strings) == MANY
    for part in (strings[start : start + MANY // 2] for start in range(0, MANY, MANY // 2)):
        app.ehr.replaced = record(part)
        with launched(app, browser, "p") as seen:
            page = seen.page
            # A reader of HTML takes every end of a line for the same one.
            wanted = [text.replace("\r\n", "\n") for text in part]
            assert page.locator(".whose strong").text_content() == wanted[0]
            for name in TITLES:
                page.goto(f"{page.url.rpartition('/')[0]}/{name}")
                assert page.evaluate("window.hit") is None
                assert tags(page).isdisjoint({"script", "iframe", "object", "embed", "style", "meta", "marquee"})
                if name == "criteria":
                    page.evaluate(OPEN_ALL)
                    shown = set(page.locator("summary code").all_text_contents())
                    assert [text for text in wanted if text not in shown] == []
                    written = "".join(page.locator("pre.code").all_text_contents())
                    assert [text for text in part if json.dumps(text, ensure_ascii=False)[1:-1] not in written] == []
                if name == "trials":
                    shown = set(page.locator("main code").all_text_contents())
                    assert [text for text in wanted if DRUG + text not in shown] == []


def tags(page: Page) -> set[str]:
    """The names of all elements of the page."""
    return set(page.evaluate("[...new Set([...document.querySelectorAll('main *')].map(each => each.localName))]"))


def record(texts: list[str]) -> dict[str, list[Json]]:
    """The answers of a FHIR server by type: one patient whose name, diagnoses, drugs and notes are these strings."""
    about = {"subject": {"reference": "Patient/p"}}
    coding = [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F33.1"}]
    active = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}
    name = [{"text": texts[0]}]
    return {
        "Patient": [{"resourceType": "Patient", "id": "p", "birthDate": "1980-01-01", "name": name}],
        "Condition": [
            {
                "resourceType": "Condition",
                "id": f"c{number}",
                "clinicalStatus": active,
                "code": {"coding": coding, "text": text},
                "note": [{"text": text}],
                **about,
            }
            for number, text in enumerate(texts)
        ],
        "MedicationRequest": [
            {
                "resourceType": "MedicationRequest",
                "id": f"m{number}",
                "status": "active",
                "intent": "order",
                "authoredOn": "2026-10-01",
                "medicationCodeableConcept": {"text": DRUG + text},
                "dosageInstruction": [{"text": text}],
                "note": [{"text": text}],
                **about,
            }
            for number, text in enumerate(texts)
        ],
    }
