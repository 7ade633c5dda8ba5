"""The sandbox without a browser: what is fired is a real call, and what became of a card is told to the service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from html import unescape
from typing import Any

import pytest
from httpx import Response
from pydantic import SecretStr
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.demo.stories import demo_patients
from cds_hooks.sandbox.orders import apply_actions, read_drafts
from cds_hooks.settings.settings import Settings
from cds_hooks.web.cards import ShownAction
from fhir_plugin.errors import BadInput
from tests.support.shipped import shipped

DAY = date(2026, 11, 21)
PATIENTS = [patient.id for patient in demo_patients(DAY)]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    database = SecretStr(f"sqlite:///{tmp_path_factory.mktemp('memory')}/memory.sqlite")
    settings = Settings(sandbox=True, database=database, quiet_days=0, feedback_comments=True)
    app = create_app(settings, shipped(), today=lambda: DAY)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def fire(client: TestClient, **fields: Any) -> Response:
    """A press of a button, with the form as a browser sends it."""
    given = {"source": "demo", "patient": "two-failures", "hook": "order-sign", "order": "ketamine"} | fields
    return client.post("/sandbox", data=given)


def hidden(page: str, name: str) -> str:
    """The value of a hidden field."""
    return unescape(page.split(f'name="{name}" value="', 1)[1].split('"', 1)[0])


def shown_cards(page: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(hidden(page, "answer"))["cards"]
    return found


def test_the_sandbox_is_there_only_where_it_was_asked_for() -> None:
    with TestClient(create_app(Settings(database=SecretStr("off")), shipped(), today=lambda: DAY)) as plain:
        assert plain.get("/sandbox").status_code == 404


def test_the_form_offers_every_demo_patient_and_every_hook(client: TestClient) -> None:
    page = client.get("/sandbox").text
    assert all(f'value="{patient}"' in page for patient in PATIENTS)
    assert all(f'value="{hook}"' in page for hook in ("order-select", "order-sign", "patient-view", "encounter-start"))
    assert 'value="bipolar" selected' in client.get("/sandbox?patient=bipolar").text


@pytest.mark.parametrize("hook", ["order-select", "order-sign", "patient-view", "encounter-start"])
def test_what_is_shown_is_what_the_endpoint_answers(client: TestClient, hook: str) -> None:
    page = fire(client, hook=hook, patient="uncontrolled-hypertension").text
    start = page.index('id="request-json"')
    request = json.loads(unescape(page[page.index("<code>", start) + 6 : page.index("</code>", start)]))
    service = hidden(page, "service")
    answer = client.post(f"/cds-services/{service}", json=request).json()

    def without_ids(cards: list[dict[str, Any]]) -> str:
        return json.dumps([{key: value for key, value in card.items() if key != "uuid"} for card in cards])

    assert [card["summary"] for card in shown_cards(page)] == [card["summary"] for card in answer["cards"]]
    assert [card.get("detail") for card in shown_cards(page)] == [card.get("detail") for card in answer["cards"]]


def test_the_page_says_why_and_takes_the_time_of_each_step(client: TestClient) -> None:
    page = fire(client, patient="uncontrolled-hypertension").text
    assert "Ketamine: hold. BP 172/104" in page
    for step in ("drafts", "gather", "facts", "assess", "recommend", "cards"):
        assert f"<td>{step}</td>" in page
    assert "What would settle it" in fire(client, patient="nearly-empty").text


def test_what_is_not_prefetched_is_unknown_and_what_is_required_answers_412(client: TestClient) -> None:
    some = fire(client, prefetching="some", prefetched=["patient", "conditions"])
    assert "Not read" in some.text
    none = fire(client, prefetching="none")
    assert "The service answered 412" in none.text
    assert "not in the prefetch, and no FHIR server was given" in none.text


def test_a_bundle_and_a_draft_as_json_are_fired(client: TestClient) -> None:
    (bundle,) = (patient.bundle for patient in demo_patients(DAY) if patient.id == "past-psychosis")
    draft = {"resourceType": "MedicationRequest", "status": "draft", "medicationCodeableConcept": {"text": "ketamine"}}
    page = fire(client, source="bundle", bundle=bundle.decode(), order="json", drafts=json.dumps(draft)).text
    assert [card["indicator"] for card in shown_cards(page)] == ["critical"]


def test_a_suggestion_is_taken_by_its_place_and_told_to_the_service(client: TestClient) -> None:
    first = fire(client, hook="patient-view").text
    cards = shown_cards(first)
    assert cards[-1]["suggestions"]
    place = f"{len(cards) - 1}.0"
    page = fire(
        client, hook="patient-view", take=place, answer=hidden(first, "answer"), service=hidden(first, "service")
    )
    assert "An EHR would now write this to the record" in page.text
    (sent,) = json.loads(hidden(page.text, "exchanges"))
    (item,) = sent["sent"]["feedback"]
    assert item["card"] == cards[-1]["uuid"]
    assert item["outcome"] == "accepted"
    assert sent["status"] == 200, sent["response"]
    assert item["acceptedSuggestions"] == [{"id": cards[-1]["suggestions"][0]["uuid"]}]


def test_an_overridden_card_is_folded_away_and_the_reason_is_told(client: TestClient) -> None:
    first = fire(client, patient="uncontrolled-hypertension").text
    (card,) = shown_cards(first)
    answers = {"answer": hidden(first, "answer"), "service": hidden(first, "service")}
    reasons = {"reason-0": "considered", "comment-0": "seen by two"}
    page = fire(client, patient="uncontrolled-hypertension", override="0", **answers, **reasons).text
    assert f"Overridden: {card['summary']}" in unescape(page)
    (sent,) = json.loads(hidden(page, "exchanges"))
    (item,) = sent["sent"]["feedback"]
    assert sent["status"] == 200, sent["response"]
    assert item["outcome"] == "overridden"
    assert item["overrideReason"]["reason"] == {"code": "considered", "system": "urn:tandem-cds"}
    assert item["overrideReason"]["userComment"] == "seen by two"
    assert item["outcomeTimestamp"].endswith("Z")
    again = fire(client, patient="uncontrolled-hypertension", overridden=hidden(page, "overridden")).text
    assert "Overridden:" not in again


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"source": "server", "server": "https://evil.example/fhir", "patient_id": "1"}, "not on the list"),
        ({"source": "server", "server": "http://169.254.169.254/latest", "patient_id": "1"}, "not on the list"),
        ({"source": "server", "server": "", "patient_id": ""}, "give the address"),
        ({"source": "server", "server": "http://127.0.0.1:1/fhir", "patient_id": "../x"}, "patient"),
        ({"source": "bundle", "bundle": "{"}, "FHIR Bundle"),
        ({"source": "bundle", "bundle": '{"resourceType":"Bundle"}'}, "no entries"),
        ({"source": "request", "request": "[]"}, "JSON object"),
        ({"order": "json", "drafts": "{"}, "not JSON"),
        ({"order": "json", "drafts": "3"}, "must be a Bundle"),
        ({"as_of": "yesterday"}, "YYYY-MM-DD"),
        ({"as_of": "0001-01-01"}, "between"),
        ({"take": "0.0", "service": "../x"}, "not offered"),
        ({"take": "9" * 5000, "answer": '{"cards":[{}]}'}, "no longer there"),
        ({"patient": "nobody"}, "demo patients"),
        ({"hook": "nothing"}, "hooks"),
        ({"take": "0.0"}, "no longer there"),
        ({"take": "x", "answer": "[]"}, "no longer there"),
        ({"override": "-1", "answer": '{"cards":[{}]}'}, "no longer there"),
    ],
)
def test_what_cannot_be_sent_is_said_in_one_line(client: TestClient, fields: dict[str, str], said: str) -> None:
    answer = fire(client, **fields)
    assert answer.status_code == 400
    notice = answer.text.split('role="alert"', 1)[1].split("</div>", 1)[0]
    assert said in notice


def test_a_form_of_another_site_fires_nothing(client: TestClient) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        answer = client.post("/sandbox", data={"source": "demo"}, headers=headers)
        assert answer.status_code == 403
        assert client.post("/sandbox/course.svg", data={}, headers=headers).status_code == 403


def test_the_access_token_is_in_the_call_and_in_nothing_that_is_shown(client: TestClient) -> None:
    token = "canary-token-1234"
    page = fire(
        client, source="server", server="http://127.0.0.1:1/fhir", patient_id="a", token=token, with_server="yes"
    ).text
    assert token not in page.split('id="result"', 1)[1]
    assert "ACCESS-TOKEN" in page


def test_the_course_is_drawn_from_what_the_page_carries_and_from_nothing_else(client: TestClient) -> None:
    page = fire(client, patient="partial-response-to-tms").text
    answer = client.post("/sandbox/course.svg", data={"sketch": hidden(page, "sketch")})
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert "PHQ-9: 7 values" in answer.text
    for sketch in ("", "{}", '{"span":["2026-01-01","2026-02-01"],"panels":[{"instrument":"none"}]}'):
        assert client.post("/sandbox/course.svg", data={"sketch": sketch}).status_code == 400


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every string in a JSON value; of a list, the first element stands for all."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from places(member, (*path, name))
    elif isinstance(value, list):
        yield from places(value[0], (*path, 0)) if value else ()
    elif isinstance(value, str):
        yield path


@pytest.mark.nightly
def test_no_string_of_a_sketch_is_markup_in_the_picture(client: TestClient) -> None:
    right = json.loads(hidden(fire(client, patient="partial-response-to-tms").text, "sketch"))
    every = {[step for step in path if isinstance(step, str)][-1]: path for path in places(right)}.values()
    for path in every:
        changed = json.loads(json.dumps(right))
        holder = changed
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = "\"'/></text><script>window.hit=1</script><image href='https://away.example/x'/>"
        answer = client.post("/sandbox/course.svg", data={"sketch": json.dumps(changed)})
        assert answer.status_code in (200, 400)
        assert "<script>window" not in answer.text, path
        assert "<image href" not in answer.text, path


def test_a_request_in_a_file_is_opened_and_fired(client: TestClient) -> None:
    draft = {"resourceType": "ServiceRequest", "id": "1", "code": {"text": "TMS"}}
    request = {
        "hook": "order-select",
        "context": {"userId": "Practitioner/9", "patientId": "x", "draftOrders": {"entry": [{"resource": draft}]}},
        "prefetch": {"patient": {"resourceType": "Patient", "id": "x", "birthDate": "1980"}, "conditions": None},
    }
    for content in (request, {"request": request, "as_of": "2026-01-15"}):
        page = client.post("/sandbox", data={"open": "yes"}, files={"file": ("a.json", json.dumps(content))}).text
        (card,) = shown_cards(page)
        assert card["summary"].startswith("Transcranial") or card["summary"].startswith("TMS")
        assert "Practitioner/9" in page
    for broken in ("{", "[]", "{}", '{"request": 3}', '{"request": {"hook": "x"}}'):
        assert client.post("/sandbox", data={"open": "yes"}, files={"file": ("a.json", broken)}).status_code == 400
    assert client.post("/sandbox", data={"open": "yes"}).status_code == 400


def test_a_call_is_saved_without_whom_it_is_about_and_opened_again(client: TestClient) -> None:
    given = {"source": "demo", "patient": "uncontrolled-hypertension", "hook": "order-sign", "order": "ketamine"}
    saved = client.post("/sandbox/replay.json", data=given)
    assert "attachment" in saved.headers["content-disposition"]
    assert "uncontrolled-hypertension" not in saved.text
    page = client.post("/sandbox", data={"open": "yes"}, files={"file": ("a.json", saved.content)}).text
    assert [card["summary"] for card in shown_cards(page)] == [card["summary"] for card in saved.json()["cards"]]
    assert shown_cards(page)[0]["summary"].startswith("Ketamine: hold. BP ")
    assert client.post("/sandbox/replay.json", data={**given, "order": ""}).status_code == 400


# What taking a suggestion does to the drafts

KETAMINE: dict[str, Any] = {"resourceType": "MedicationRequest", "id": "1", "status": "draft"}
TMS: dict[str, Any] = {"resourceType": "ServiceRequest", "id": "2", "status": "draft"}


def test_actions_create_update_and_delete_drafts() -> None:
    changed = {**KETAMINE, "status": "active"}
    kept, written = apply_actions([KETAMINE, TMS], [ShownAction(type="update", resource=changed)])
    assert (kept, written) == ([changed, TMS], [])
    kept, _ = apply_actions([KETAMINE, TMS], [ShownAction(type="delete", resource_id="MedicationRequest/1")])
    assert kept == [TMS]
    kept, _ = apply_actions([KETAMINE], [ShownAction(type="create", resource={"resourceType": "ServiceRequest"})])
    assert [draft["id"] for draft in kept] == ["1", "draft-2"]


def test_what_is_no_order_is_written_to_the_record_and_not_drafted() -> None:
    score = {"resourceType": "Observation"}
    assert apply_actions([KETAMINE], [ShownAction(type="create", resource=score)]) == ([KETAMINE], [score])


def test_drafts_are_read_as_a_bundle_a_list_or_one_resource() -> None:
    bundle = {"resourceType": "Bundle", "entry": [{"resource": KETAMINE}, {"resource": TMS}]}
    assert read_drafts(json.dumps(bundle)) == read_drafts(json.dumps([KETAMINE, TMS])) == [KETAMINE, TMS]
    assert read_drafts(json.dumps(KETAMINE)) == [KETAMINE]
    assert read_drafts("") == []
    with pytest.raises(BadInput):
        read_drafts('[{"resourceType": "Bundle"}, 3]')
