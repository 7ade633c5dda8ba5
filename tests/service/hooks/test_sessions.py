"""Calls at the start of a treatment session: critical, warning, info or silent, and one card in a crisis."""

from __future__ import annotations

from typing import Any

import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest

from tests.support.hooks.calls import ESKETAMINE, client
from tests.support.hooks.sessions import (
    HERE,
    SERVICE,
    ago,
    diagnosis,
    ketamine,
    phq9,
    prefetch,
    pressure,
    session_call,
    session_cards,
    tms,
)

SCORED = phq9(14, 2)
TMS = tms(9, 8, 7, 6, 3, 2, 1)
KETAMINE = [*ketamine(10, 7, 3), pressure(122, 78)]
LENGTH = 139
MOST_WORDS = 130


def new_implant() -> dict[str, Any]:
    code = {"text": "Insertion of cochlear implant"}
    when = {"performedDateTime": ago(4)}
    return {"resourceType": "Procedure", "id": "implant", "status": "completed", "subject": HERE, "code": code} | when


def order(name: str, days: int, status: str = "active") -> dict[str, Any]:
    head = {"resourceType": "MedicationRequest", "id": f"{name}-{days}", "status": status, "intent": "order"}
    return head | {"subject": HERE, "authoredOn": ago(days), "medicationCodeableConcept": {"text": name}}


def suicidal() -> dict[str, Any]:
    return diagnosis("R45.851", 1)


CALLS = {
    "TMS, a seizure yesterday": ([*TMS, diagnosis("R56.9", 1)], "critical", "seizure 14 Jan"),
    "ketamine, mania yesterday": ([*KETAMINE, diagnosis("F31.12", 1)], "critical", "mania"),
    "esketamine, mania": (
        [*ketamine(10, 7, 3, code=ESKETAMINE), pressure(122, 78), diagnosis("F30.10", 1)],
        "critical",
        "Before esketamine session: mania",
    ),
    "intramuscular ketamine, mania": (
        [*ketamine(10, 7, 3, route="intramuscular"), pressure(122, 78), diagnosis("F31.12", 1)],
        "critical",
        "mania",
    ),
    "TMS, a procedure on the ear": ([*TMS, new_implant()], "warning", "metal or implant in head or neck"),
    "TMS, BP 150/95": ([*TMS, pressure(150, 95)], "silent", ""),
    "ketamine, BP 150/95": ([*ketamine(10, 7, 3), pressure(150, 95)], "critical", "BP 150/95 today"),
    "TMS, a seizure in words": ([*TMS, diagnosis("", 1, "Seizure at home")], "warning", "possible seizure 14 Jan"),
    "ketamine, oxycodone since yesterday": ([*KETAMINE, order("oxycodone", 1)], "warning", "new oxycodone 14 Jan"),
    "ketamine, no blood pressure today": (
        [*ketamine(10, 7, 3), pressure(122, 78, 1)],
        "info",
        "blood pressure not measured today",
    ),
    "ketamine, everything as it should be": (KETAMINE, "silent", ""),
    "TMS, everything as it should be": (TMS, "silent", ""),
    "ketamine ordered, none given": ([order("ketamine", 1), diagnosis("F31.12", 1)], "silent", ""),
    "no course": ([diagnosis("R56.9", 1)], "silent", ""),
    "TMS that ended a month ago": ([*tms(40, 39, 38, 31), diagnosis("R56.9", 1)], "silent", ""),
}


@pytest.mark.parametrize(("contents", "indicator", "words"), CALLS.values(), ids=CALLS)
def test_what_is_said_before_a_session(contents: list[dict[str, Any]], indicator: str, words: str) -> None:
    cards = session_cards(SCORED, *contents)
    assert [card["indicator"] for card in cards] == [indicator] * (indicator != "silent")
    for card in cards:
        assert words in card["summary"]
        assert len(card["summary"]) <= LENGTH
        assert len(card["detail"].split()) <= MOST_WORDS
        assert "/" not in card["detail"].replace("150/95", "")  # no reference of a resource


def test_text_of_the_record_is_on_no_card_of_a_session() -> None:
    (card,) = session_cards(SCORED, *TMS, diagnosis("R56.9", 1, "canary in the text"))
    assert "canary" not in card["summary"] + card["detail"]


def test_in_a_crisis_there_is_one_card_and_it_is_about_safety() -> None:
    (card,) = session_cards(SCORED, *ketamine(10, 7, 3), pressure(122, 78, 1), suicidal())
    assert card["indicator"] == "critical"
    assert "uicid" in card["summary"]


def test_in_a_crisis_a_second_card_says_what_stops_the_session_and_not_the_crisis_again() -> None:
    safety, session = session_cards(SCORED, *KETAMINE, suicidal(), diagnosis("F31.12", 1))
    assert "uicid" in safety["summary"]
    assert "mania" in session["summary"]
    assert "uicid" not in session["summary"] + session["detail"]


@pytest.mark.parametrize("contents", [[*TMS, diagnosis("R56.9", 1)], [*KETAMINE, diagnosis("F31.12", 1)]])
def test_a_stop_is_critical_whatever_else_is_due(contents: list[dict[str, Any]]) -> None:
    (card,) = session_cards(phq9(14, 40), *contents)
    assert card["indicator"] == "critical"
    assert "depression scale due" not in card["summary"]
    assert "depression scale due" in card["detail"]


def test_a_problem_list_that_was_read_in_part_is_said_and_an_empty_one_is_not() -> None:
    given = prefetch(SCORED, *TMS)
    given["conditions"]["link"] = [{"relation": "next", "url": "https://ehr.example/next"}]
    (card,) = session_call(given)
    assert card["indicator"] == "warning"
    assert "problem list not read in full" in card["summary"]
    given["conditions"] = {"resourceType": "Bundle", "type": "searchset", "entry": []}
    assert session_call(given) == []


def test_a_diagnosis_of_the_course_in_an_unknown_code_is_said_and_an_old_one_is_not() -> None:
    unknown = diagnosis("F33.1", 1) | {"id": "own", "code": {"coding": [{"system": "urn:own", "code": "x17"}]}}
    (card,) = session_cards(SCORED, *TMS, unknown)
    assert "a diagnosis of this course in an unknown code" in card["summary"]
    assert session_cards(SCORED, *TMS, unknown | {"onsetDateTime": ago(400)}) == []


def test_the_scales_that_are_due_can_be_ordered() -> None:
    (card,) = session_cards(phq9(14, 20), *TMS)
    assert "depression scale due" in card["summary"]
    orders = [ServiceRequest.model_validate(item["actions"][0]["resource"]) for item in card["suggestions"]]
    assert [item["label"] for item in card["suggestions"]] == ["Ask for PHQ-9", "Ask for GAD-7"]
    assert card["selectionBehavior"] == "any"
    assert {item.subject.reference for item in orders} == {"Patient/p1"}
    assert {item.status for item in orders} == {"draft"}
    assert orders[0].code.coding[0].code == "44249-1"
    assert not any("isRecommended" in item for item in card["suggestions"])


def test_a_missing_encounter_is_refused() -> None:
    context = {"userId": "Practitioner/1", "patientId": "p1"}
    answer = client().post(SERVICE, json={"hook": "encounter-start", "hookInstance": "1", "context": context})
    assert answer.status_code == 400
    assert "/context/encounterId" in answer.text
