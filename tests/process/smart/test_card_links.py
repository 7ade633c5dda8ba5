"""Cards link to the app where the EHR can launch it, and the app opens on what the card was about."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.cards.app_links import LABEL
from cds_hooks.settings.settings import Settings
from tests.support.hooks import calls
from tests.support.hooks.calls import KETAMINE, ORDER_SIGN, PATIENT_VIEW, TMS, body, check, knowledge, order
from tests.support.smart.fixtures import App

EHR = "https://ehr.example/fhir"
OURS = "https://tandem.example/smart/launch"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def service() -> Iterator[TestClient]:
    entry = {"name": "test", "title": "Test EHR", "issuer": EHR, "client_id": "tandem"}
    settings = Settings(
        public_url="https://tandem.example",
        smart=(entry,),  # type: ignore[arg-type]
        fhir_servers=(EHR, "https://other.example/fhir"),
        database="off",  # type: ignore[arg-type]
        detail="full",  # the brief card leaves the table to the app where it has a link to it
    )
    with TestClient(create_app(settings, knowledge(), today=lambda: calls.DAY)) as client:
        yield client


def cards(service: TestClient, url: str, *drafts: Json, **changes: Any) -> list[Json]:
    answer = service.post(url, json=body(url, "two-failures", *drafts, **changes))
    drafted = {f"{draft['resourceType']}/{draft['id']}" for draft in drafts}
    return check(answer.json(), calls.patient_id("two-failures"), drafted)


def own(card: Json) -> list[Json]:
    return [link for link in card.get("links", ()) if link["type"] == "smart"]


@pytest.mark.parametrize(
    ("url", "drafts", "treatment"),
    [(PATIENT_VIEW, (), None), (ORDER_SIGN, (KETAMINE,), "ketamine"), (ORDER_SIGN, (TMS,), "tms")],
)
@pytest.mark.parametrize("server", [EHR, f"{EHR}/", "https://EHR.example:443/fhir"])
def test_every_card_of_an_ehr_that_is_set_up_has_one_link(
    url: str, drafts: tuple[Json, ...], treatment: str | None, server: str, service: TestClient
) -> None:
    made = [order(each, "two-failures") for each in drafts]
    found = cards(service, url, *made, fhirServer=server)
    assert found
    for card in found:
        (link,) = own(card)
        assert (link["label"], link["url"]) == (LABEL, OURS)
        assert json.loads(link["appContext"]) == {"page": "criteria"} | ({"treatment": treatment} if treatment else {})
        assert not re.search(r"iss|launch=|token|Patient", link["url"].removeprefix(OURS) + link["appContext"])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"fhirServer": "https://other.example/fhir"},
        {"fhirServer": "https://ehr.example/fhir2"},
        {"fhirServer": "https://ehr.example.evil.example/fhir"},
    ],
)
def test_nobody_else_is_shown_a_door_that_is_closed(changes: Json, service: TestClient) -> None:
    found = cards(service, PATIENT_VIEW, **changes)
    assert found
    assert [own(card) for card in found] == [[] for _ in found]


def test_the_link_is_all_that_is_different(service: TestClient) -> None:
    def plain(found: list[Json]) -> list[Json]:
        for card in found:
            for each in (card, *card.get("suggestions", ())):
                each.pop("uuid")
            card["links"] = [link for link in card.get("links", ()) if link["type"] != "smart"]
        return found

    assert plain(cards(service, PATIENT_VIEW, fhirServer=EHR)) == plain(cards(service, PATIENT_VIEW))


@pytest.mark.server
@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize(
    ("context", "opened"),
    [
        ({"page": "criteria", "treatment": "tms"}, "criteria?treatment=tms"),
        ({"page": "dossier", "treatment": "esketamine"}, "dossier?treatment=esketamine"),
        ({"page": "trials"}, "trials"),
        ({"page": "questionnaires"}, "questionnaires"),
        ({"page": "criteria", "treatment": "no-such&x=<script>"}, "criteria"),
        ({"page": "../../launch?iss=x"}, "overview"),
        ({"page": "//evil.example"}, "overview"),
        ({"page": 3}, "overview"),
        ([], "overview"),
    ],
)
def test_the_app_opens_on_what_the_card_was_about(
    context: Any, opened: str, as_text: bool, app: App, visitor: httpx2.Client
) -> None:
    app.ehr.token_changes = {"appContext": json.dumps(context) if as_text else context}
    answer = visitor.get(app.launch(), follow_redirects=False)
    while "location" in answer.headers and "/smart/v/" not in answer.headers["location"]:
        answer = visitor.get(answer.headers["location"], follow_redirects=False)
    assert answer.headers["location"].startswith(f"{app.address}/smart/v/")
    assert answer.headers["location"].partition("/smart/v/")[2].partition("/")[2] == opened


@pytest.mark.server
def test_the_card_of_a_call_opens_the_app_on_its_treatment(
    service: TestClient, app: App, visitor: httpx2.Client
) -> None:
    card, *_ = cards(service, ORDER_SIGN, order(TMS, "two-failures"), fhirServer=EHR)
    app.ehr.token_changes = {"appContext": own(card)[0]["appContext"]}
    answer = visitor.get(app.launch())
    assert answer.status_code == 200
    assert str(answer.url).endswith("/criteria?treatment=tms")
