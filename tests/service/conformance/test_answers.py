"""Answers: their status, their cards and everything that a card carries, over every demo patient and hook."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from fhir.resources.R4B import get_fhir_model_class
from markdown_it import MarkdownIt

from cds_hooks.demo.stories import demo_patients
from tests.support.conformance.ehr import SERVICES, cards_of, post, request, without_uuids
from tests.support.hooks.calls import (
    DAY,
    ORDER_SIGN,
    PATIENT_VIEW,
    TMS,
    assert_nothing_empty,
    check,
    client,
    diagnostics,
    knowledge,
    order,
    patient_id,
    resources,
)

PATIENTS = [patient.id for patient in demo_patients(DAY)]
CARD = {"summary", "indicator", "source", "uuid", "detail", "suggestions", "selectionBehavior", "overrideReasons",
        "links", "extension"}  # fmt: skip
ABSOLUTE = re.compile(r"https?://[^\s/]+")
CALLS = [(url, patient) for url in SERVICES for patient in PATIENTS]


@pytest.fixture(scope="module")
def answers() -> dict[tuple[str, str], Any]:
    """Every answer: each demo patient in each hook."""
    made = {(url, patient): post(url, request(url, patient)) for url, patient in CALLS}
    made |= {("tms", patient): post(ORDER_SIGN, request(ORDER_SIGN, patient) | signed(patient)) for patient in PATIENTS}
    return made


def signed(patient: str) -> dict[str, Any]:
    drafts = {"resourceType": "Bundle", "entry": [{"resource": order(TMS, patient)}]}
    return {"context": {"userId": "Practitioner/1", "patientId": patient_id(patient), "draftOrders": drafts}}


def cards(answers: dict[tuple[str, str], Any]) -> Iterator[dict[str, Any]]:
    for answer in answers.values():
        yield from answer.json()["cards"]


def suggestions(answers: dict[tuple[str, str], Any]) -> Iterator[dict[str, Any]]:
    for card in cards(answers):
        yield from card.get("suggestions", ())


def actions(answers: dict[tuple[str, str], Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for (_, patient), answer in answers.items():
        for card in answer.json()["cards"]:
            for suggestion in card.get("suggestions", ()):
                yield from ((patient, action) for action in suggestion.get("actions", ()))


def test_success_is_200_with_an_array_of_cards_in_json(answers: dict[tuple[str, str], Any]) -> None:
    for answer in answers.values():
        assert answer.status_code == 200
        assert answer.headers["content-type"].partition(";")[0] == "application/json"
        assert isinstance(answer.json()["cards"], list)
        assert set(answer.json()) == {"cards"}
        json.loads(answer.content.decode("utf-8"))


def test_every_answer_passes_the_whole_check(answers: dict[tuple[str, str], Any]) -> None:
    for answer in answers.values():
        check(answer.json())
        assert_nothing_empty(without_cards_member(answer.json()))


def without_cards_member(answer: dict[str, Any]) -> Any:
    """The cards alone, because only ``cards`` itself may be empty."""
    return {str(number): card for number, card in enumerate(answer["cards"])}


def test_no_guidance_is_an_empty_array() -> None:
    assert post(PATIENT_VIEW, request(PATIENT_VIEW, "doing-well")).json() == {"cards": []}


def test_cards_have_the_members_of_the_specification_and_no_other(answers: dict[tuple[str, str], Any]) -> None:
    for card in cards(answers):
        assert {"summary", "indicator", "source", "uuid"} <= set(card) <= CARD


def test_summaries_are_one_plain_line_of_less_than_140_characters(answers: dict[tuple[str, str], Any]) -> None:
    for card in cards(answers):
        assert 0 < len(card["summary"]) < 140
        assert not re.search(r"[\n\r`*_<>]", card["summary"])


def test_a_summary_stays_short_whatever_the_record_calls_things() -> None:
    made = request(ORDER_SIGN, "uncontrolled-hypertension")
    draft = made["context"]["draftOrders"]["entry"][0]["resource"]
    draft["medicationCodeableConcept"] = {"text": "ketamine " + "very long é name " * 60}
    made["prefetch"]["patient"]["name"] = [{"text": "N" * 5000}]
    for card in cards_of(post(ORDER_SIGN, made)):
        assert len(card["summary"]) < 140
        assert "NNN" not in json.dumps(card)


def test_indicators_are_those_of_the_specification(answers: dict[tuple[str, str], Any]) -> None:
    assert {card["indicator"] for card in cards(answers)} <= {"info", "warning", "critical"}


def test_critical_is_only_what_endangers(answers: dict[tuple[str, str], Any]) -> None:
    for card in cards(answers):
        if card["indicator"] == "critical":
            assert re.search(r"contraindicated|: hold\.|Suicide risk", card["summary"])


def test_a_source_has_a_label_a_coded_topic_and_at_most_an_absolute_url(answers: dict[tuple[str, str], Any]) -> None:
    for card in cards(answers):
        source = card["source"]
        assert isinstance(source["label"], str)
        assert source["label"]
        assert set(source) <= {"label", "url", "topic"}
        assert {"system", "code"} <= set(source["topic"]) <= {"system", "code", "display"}
        assert ABSOLUTE.match(source.get("url", "https://none.example"))


def test_details_are_markdown_with_tables_and_without_html(answers: dict[tuple[str, str], Any]) -> None:
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    kinds = set()
    for card in cards(answers):
        tokens = markdown.parse(card["detail"])
        kinds |= {token.type for token in tokens}
        inline = [child.type for token in tokens for child in token.children or ()]
        assert "html_inline" not in inline
        assert "image" not in inline
    assert "table_open" in kinds
    assert "html_block" not in kinds


def test_identifiers_are_uuids_that_no_other_card_or_suggestion_has(answers: dict[tuple[str, str], Any]) -> None:
    found = [each["uuid"] for each in (*cards(answers), *suggestions(answers))]
    assert all(uuid.UUID(each) for each in found)
    assert len(set(found)) == len(found)


def test_the_same_request_gives_the_same_guidance_under_new_identifiers() -> None:
    first, second = (post(ORDER_SIGN, request()).json() for _ in range(2))
    assert without_uuids(first) == without_uuids(second)
    assert first["cards"][0]["uuid"] != second["cards"][0]["uuid"]


# Suggestions, actions, links, reasons


def test_suggestions_say_how_many_may_be_taken_and_what_each_is(answers: dict[tuple[str, str], Any]) -> None:
    seen = 0
    for card in cards(answers):
        if "suggestions" in card:
            seen += 1
            assert card["selectionBehavior"] in {"at-most-one", "any"}
        else:
            assert "selectionBehavior" not in card
        several = [each for each in card.get("suggestions", ()) if each.get("isRecommended")]
        assert len(several) <= 1 or card["selectionBehavior"] == "any"
    assert seen


def test_a_suggestion_has_a_label_an_identifier_and_actions(answers: dict[tuple[str, str], Any]) -> None:
    for suggestion in suggestions(answers):
        assert set(suggestion) <= {"label", "uuid", "isRecommended", "actions"}
        assert isinstance(suggestion["label"], str)
        assert suggestion["uuid"]
        assert suggestion.get("isRecommended", True) is True
        assert suggestion["actions"]


def test_an_action_is_described_and_carries_what_its_type_needs(answers: dict[tuple[str, str], Any]) -> None:
    for _, action in actions(answers):
        assert action["type"] in {"create", "update", "delete"}
        assert action["description"]
        if action["type"] == "delete":
            assert re.fullmatch(r"[A-Za-z]+/[A-Za-z0-9.-]+", action["resourceId"])
            assert "resource" not in action
        else:
            assert action["resource"]["resourceType"]


def test_what_is_created_is_a_draft_for_the_patient_without_an_identity(answers: dict[tuple[str, str], Any]) -> None:
    for patient, action in actions(answers):
        if action["type"] == "create":
            made = action["resource"]
            assert "meta" not in made
            assert made.get("status") in {"draft", "requested", "final", "completed", "amended"}
            about = made.get("subject") or made.get("for")
            assert about == {"reference": f"Patient/{patient_id(patient)}"}


def test_every_resource_that_is_offered_is_valid_r4(answers: dict[tuple[str, str], Any]) -> None:
    for _, action in actions(answers):
        if action["type"] == "create":
            made = get_fhir_model_class(action["resource"]["resourceType"]).model_validate(action["resource"])
            assert json.loads(made.model_dump_json()) == action["resource"]


def test_what_is_created_refers_only_to_what_is_created_with_it_or_to_the_record(
    answers: dict[tuple[str, str], Any],
) -> None:
    for (_, patient), answer in answers.items():
        for suggestion in (each for card in answer.json()["cards"] for each in card.get("suggestions", ())):
            made = [action["resource"] for action in suggestion["actions"] if "resource" in action]
            known = {f"{each['resourceType']}/{each['id']}" for each in made if "id" in each}
            known |= {f"{each['resourceType']}/{each['id']}" for each in resources(patient)}
            known |= {f"#{inner['id']}" for each in made for inner in each.get("contained", ())}
            assert set(references(made)) <= known


def references(value: Any) -> Iterator[str]:
    """Every literal reference in a resource."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


def test_what_is_changed_or_removed_is_among_the_drafts(answers: dict[tuple[str, str], Any]) -> None:
    for _, action in actions(answers):
        if action["type"] == "delete":
            assert action["resourceId"].endswith("/draft-1")
        elif action["type"] == "update":
            assert action["resource"]["id"] == "draft-1"


def test_nothing_is_done_without_a_person(answers: dict[tuple[str, str], Any]) -> None:
    assert not any("systemActions" in answer.json() for answer in answers.values())
    assert not any("actionSelectionBehavior" in suggestion for suggestion in suggestions(answers))


def test_links_are_absolute_and_carry_neither_token_nor_name(answers: dict[tuple[str, str], Any]) -> None:
    for card in cards(answers):
        for link in card.get("links", ()):
            assert link["label"]
            assert ABSOLUTE.match(link["url"])
            assert link["type"] in {"absolute", "smart"}
            assert "autolaunchable" not in link
            assert isinstance(link.get("appContext", ""), str)
            assert link["type"] == "smart" or "appContext" not in link
            assert not re.search(r"[?&](iss|launch)=", link["url"])
            assert not any(patient in link["url"] for patient in PATIENTS)


def test_links_lead_only_to_hosts_of_the_knowledge_and_of_the_service(answers: dict[tuple[str, str], Any]) -> None:
    hosts = {urlsplit(source.url).hostname for source in knowledge().sources.values() if source.url} | {"doi.org"}
    for card in cards(answers):
        assert {urlsplit(link["url"]).hostname for link in card.get("links", ())} <= hosts


def test_reasons_to_override_are_coded_the_same_each_time(answers: dict[tuple[str, str], Any]) -> None:
    for card in cards(answers):
        for reason in card.get("overrideReasons", ()):
            assert {"code", "system", "display"} <= set(reason)
    first, second = (post(ORDER_SIGN, request()).json()["cards"] for _ in range(2))
    assert [card.get("overrideReasons") for card in first] == [card.get("overrideReasons") for card in second]


# Errors


def test_what_is_required_and_cannot_be_had_is_412_and_never_an_empty_answer() -> None:
    made = request()
    del made["prefetch"]["conditions"]
    answer = post(ORDER_SIGN, made)
    assert answer.status_code == 412
    assert "conditions" in diagnostics(answer)


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("POST", "/cds-services/nothing-of-that-id", 404),
        ("POST", "/cds-services/..%2f..%2fetc%2fpasswd", 404),
        ("POST", "/cds-services", 405),
        ("GET", ORDER_SIGN, 405),
        ("PUT", ORDER_SIGN, 405),
        ("POST", ORDER_SIGN, 400),
    ],
)
def test_every_error_is_an_outcome_that_tells_nothing_of_the_inside(method: str, url: str, status: int) -> None:
    answer = client().request(method, url, content=b'{"patient": "canary-name"}')
    assert answer.status_code == status
    assert diagnostics(answer) is not None
    assert answer.headers["content-type"].partition(";")[0] in {"application/fhir+json", "application/json"}
    assert not re.search(r"Traceback|File \"|canary-name|\.py", answer.text)


@pytest.mark.parametrize("header", ["null", "Basic dXNlcjpwYXNz", "bearer x.y.z", "Bearer", ""])
def test_odd_authorization_headers_do_no_harm_while_nobody_is_asked_who_they_are(header: str) -> None:
    assert post(ORDER_SIGN, request(), Authorization=header).status_code == 200


def test_the_service_is_alive_after_every_refusal() -> None:
    for content in (b"", b"{", b"[]", b"\xff", b"[" * 50_000, b'{"hook": 3}'):
        assert 400 <= post(ORDER_SIGN, content).status_code < 500
    assert client().get("/cds-services").status_code == 200
