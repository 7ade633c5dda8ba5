"""Whole calls in process: what is answered, what is refused, and what is never said."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.settings.settings import Settings
from fhir_plugin.deciding.standing import Standing, worst
from tests.support.hooks.calls import (
    DAY,
    ESKETAMINE,
    HOOKS,
    HOSTILE,
    KETAMINE,
    ORDER_SELECT,
    ORDER_SIGN,
    PATIENT_VIEW,
    SERTRALINE,
    TMS,
    assert_nothing_empty,
    body,
    cards,
    check,
    client,
    diagnostics,
    knowledge,
    order,
    patient_id,
    prefetch,
    without_uuids,
)

HYPERTENSION, IMPLANT, CRISIS, WELL = "uncontrolled-hypertension", "cochlear-implant", "acute-crisis", "doing-well"


# Discovery


def test_discovery_lists_every_service_with_nothing_empty() -> None:
    services = client().get("/cds-services").json()["services"]
    assert_nothing_empty(services)
    assert {(service["id"], service["hook"]) for service in services} >= {
        ("combination-therapy-order-select", "order-select"),
        ("combination-therapy-order-sign", "order-sign"),
        ("combination-therapy-patient-view", "patient-view"),
    }


def test_prefetch_templates_stay_in_the_subset_that_clients_support() -> None:
    for service in client().get("/cds-services").json()["services"]:
        for template in service["prefetch"].values():
            assert re.fullmatch(
                r"\w+(/|\?patient=)\{\{context\.patientId\}\}(&status=active)?(&code=[\w.:/|,-]+)?"
                r"(&_count=\d+)?(&_sort=-[a-z]+)?",
                template,
            )


def test_every_listed_service_can_be_called() -> None:
    for service in client().get("/cds-services").json()["services"]:
        assert client().post(f"/cds-services/{service['id']}", content=b"{}").status_code == 400


# What is answered


@pytest.mark.parametrize(("what", "treatment"), [(KETAMINE, "Ketamine"), (ESKETAMINE, "Esketamine")])
def test_a_contraindication_to_what_is_signed_is_critical_and_named(what: dict[str, Any], treatment: str) -> None:
    (card,) = cards(ORDER_SIGN, "past-psychosis", order(what, "past-psychosis"))
    assert card["indicator"] == "critical"
    assert card["summary"].startswith(f"{treatment}: contraindicated. Schizophrenia")
    assert "| PRESENT |" in card["detail"]
    assert removals(card) == [f"Remove this order for {treatment}"]


@pytest.mark.parametrize(("what", "treatment"), [(KETAMINE, "Ketamine"), (ESKETAMINE, "Esketamine")])
def test_what_can_be_corrected_today_holds_the_dose_and_keeps_the_order(what: dict[str, Any], treatment: str) -> None:
    (card,) = cards(ORDER_SIGN, HYPERTENSION, order(what, HYPERTENSION))
    assert card["indicator"] == "critical"
    assert card["summary"] == f"{treatment}: hold. BP 172/104 on 13 Jan; recheck before any dose"
    assert "172/104 mmHg" in card["detail"]
    assert removals(card) == []


def removals(card: dict[str, Any]) -> list[str]:
    """The suggestions that delete a draft."""
    offered = card.get("suggestions", ())
    return [each["label"] for each in offered if "delete" in {action["type"] for action in each["actions"]}]


@pytest.mark.parametrize("patient", [HYPERTENSION, "past-psychosis"])
def test_what_forbids_a_dose_only_warns_while_the_order_is_chosen(patient: str) -> None:
    (card,) = cards(ORDER_SELECT, patient, order(KETAMINE, patient))
    assert card["indicator"] == "warning"


@pytest.mark.parametrize("patient", [HYPERTENSION, "past-psychosis"])
def test_what_forbids_ketamine_forbids_no_tms(patient: str) -> None:
    (card,) = cards(ORDER_SIGN, patient, order(TMS, patient))
    assert card["indicator"] == "info"
    assert card["summary"].startswith("TMS: criteria met; still to ask: metal in head or neck")


def test_an_implant_speaks_against_tms_and_not_against_ketamine() -> None:
    (card,) = cards(ORDER_SIGN, IMPLANT, order(TMS, IMPLANT))
    assert card["indicator"] == "critical"
    (card,) = cards(ORDER_SIGN, IMPLANT, order(KETAMINE, IMPLANT))
    assert card["indicator"] != "critical"


def test_a_suicide_signal_has_its_own_card_before_every_other() -> None:
    first, second = cards(ORDER_SIGN, CRISIS, order(KETAMINE, CRISIS))
    assert first["indicator"] == "critical"
    assert first["summary"] == "Suicide risk (PHQ-9 today, C-SSRS screener yesterday): assess safety first"
    assert "detects no emergencies" in first["detail"]
    assert "disagree" in first["detail"]
    assert second["summary"].startswith("Ketamine")


def test_a_crisis_is_one_card_where_nothing_else_is_against_the_order() -> None:
    (card,) = cards(ORDER_SIGN, CRISIS, order(KETAMINE, CRISIS), detail="brief")
    assert (card["indicator"], card["summary"][:12]) == ("critical", "Suicide risk")
    assert "Ketamine: criteria met; still to ask: substance use." in card["detail"]


def test_a_crisis_hides_no_reason_against_the_order() -> None:
    request = body(ORDER_SIGN, CRISIS, order(KETAMINE, CRISIS))
    readings = [each for each in prefetch(HYPERTENSION)["observations"]["entry"] if "172" in json.dumps(each)]
    assert readings
    moved = json.dumps(readings).replace(f"Patient/{patient_id(HYPERTENSION)}", f"Patient/{patient_id(CRISIS)}")
    request["prefetch"]["observations"]["entry"] = [
        *(each for each in request["prefetch"]["observations"]["entry"] if "85354-9" not in json.dumps(each)),
        *json.loads(moved),
    ]
    first, second = check(client("brief").post(ORDER_SIGN, json=request).json())
    assert (first["indicator"], first["summary"][:12]) == ("critical", "Suicide risk")
    assert (second["indicator"], second["summary"][:26]) == ("critical", "Ketamine: hold. BP 172/104")


def test_who_needs_nothing_gets_no_card() -> None:
    assert cards(PATIENT_VIEW, WELL) == []


@pytest.mark.parametrize("url", [ORDER_SIGN, ORDER_SELECT])
def test_an_order_that_does_not_concern_us_is_met_with_silence(url: str) -> None:
    amoxicillin = {"text": "Amoxicillin 500 mg"}
    assert cards(url, HYPERTENSION, order(amoxicillin, HYPERTENSION)) == []
    assert cards(url, HYPERTENSION) == []


def test_only_the_selected_draft_is_judged() -> None:
    drafts = order(KETAMINE, HYPERTENSION), order({"text": "Amoxicillin"}, HYPERTENSION, id="other")
    request = body(ORDER_SELECT, HYPERTENSION, *drafts)
    request["context"]["selections"] = ["MedicationRequest/other"]
    assert check(client().post(ORDER_SELECT, json=request).json()) == []


def test_another_antidepressant_after_two_adequate_failures_is_remarked_on() -> None:
    (card,) = cards(ORDER_SIGN, "two-failures", order(SERTRALINE, "two-failures"))
    assert card["indicator"] == "info"
    assert card["summary"] == "2 failed trials in this episode: weigh ketamine, esketamine or TMS"


def test_another_antidepressant_in_a_first_treatment_is_not() -> None:
    assert cards(ORDER_SIGN, WELL, order(SERTRALINE, WELL)) == []


def test_a_draft_for_another_patient_is_left_out() -> None:
    foreign = order(KETAMINE, HYPERTENSION) | {"subject": {"reference": "Patient/somebody-else"}}
    (card,) = cards(ORDER_SIGN, HYPERTENSION, foreign)
    assert (card["indicator"], card["summary"][:31]) == ("info", "No draft order names the patien")
    (card,) = cards(ORDER_SIGN, HYPERTENSION, foreign, order(TMS, HYPERTENSION))
    assert "1 draft orders for another patient" in card["detail"]


def offered(cards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The suggestions of all cards."""
    return [each for card in cards for each in card.get("suggestions", ())]


def test_the_same_call_gives_the_same_answer() -> None:
    request = body(ORDER_SIGN, CRISIS, order(KETAMINE, CRISIS))
    first, second = (client().post(ORDER_SIGN, json=request).json()["cards"] for _ in range(2))
    given = [[card.pop("uuid") for card in (*cards, *offered(cards))] for cards in (first, second)]
    assert set(given[0]).isdisjoint(given[1])
    assert first == second


def test_the_order_of_entries_changes_nothing() -> None:
    request = body(ORDER_SIGN, "two-failures", order(KETAMINE, "two-failures"))
    turned = json.loads(json.dumps(request))
    for value in turned["prefetch"].values():
        if value["resourceType"] == "Bundle":
            value["entry"].reverse()
    answers = [client().post(ORDER_SIGN, json=each).json()["cards"] for each in (request, turned)]
    assert without_uuids(answers[0]) == without_uuids(answers[1])


# What is missing


@pytest.mark.parametrize("name", sorted(set(knowledge().deciding_inputs) - {"patient", "conditions"}))
@pytest.mark.parametrize("how", ["absent", "OperationOutcome", "wrong type", "part"])
def test_an_input_that_is_missing_is_named_and_never_makes_a_verdict_better(name: str, how: str) -> None:
    request = body(ORDER_SIGN, "two-failures", order(KETAMINE, "two-failures"))
    if how == "absent":
        del request["prefetch"][name]
    elif how == "part":
        request["prefetch"][name]["link"] = [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]
    else:
        request["prefetch"][name] = {"resourceType": how if how == "OperationOutcome" else "Patient", "issue": []}
    (card,) = check(client().post(ORDER_SIGN, json=request).json())
    assert f"{name}: " in card["detail"]
    whole = cards(ORDER_SIGN, "two-failures", order(KETAMINE, "two-failures"))[0]
    assert _standing(whole) == Standing.OPEN
    assert worst((_standing(whole), _standing(card))) == _standing(card)
    (brief,) = check(client("brief").post(ORDER_SIGN, json=request).json())
    if name not in OF_TMS_ALONE:
        told = f"{brief['summary']} {brief['detail']}"
        assert knowledge().wording.inputs[name] in told or f"{name}: " in told
    if name in DECIDING:
        assert (brief["indicator"], _standing(brief)) == ("warning", Standing.UNKNOWN)


OF_TMS_ALONE = {"devices"}
DECIDING = {"allergies", "medicationRequests", "medicationStatements", "observations", "procedures"}
"""Lists in which a contraindication to ketamine may stand."""


def _standing(card: dict[str, Any]) -> Standing:
    """The standing that the summary of a card about ketamine says."""
    (found,) = [
        Standing(name)
        for name, words in knowledge().cards.headline.standings.items()
        if card["summary"].startswith(words.format(treatment="Ketamine", reasons=""))
        and not (name == "open" and "nothing against it" in card["summary"])
    ]
    return found


@pytest.mark.parametrize("name", ["patient", "conditions"])
def test_a_required_input_that_nobody_has_is_412(name: str) -> None:
    request = body(ORDER_SIGN, "two-failures", order(KETAMINE, "two-failures"))
    del request["prefetch"][name]
    answer = client().post(ORDER_SIGN, json=request)
    assert answer.status_code == 412
    assert name in diagnostics(answer)


def test_nothing_at_all_is_412() -> None:
    request = body(PATIENT_VIEW, WELL)
    del request["prefetch"]
    assert client().post(PATIENT_VIEW, json=request).status_code == 412


def test_a_server_that_may_not_be_read_is_not_read() -> None:
    request = body(PATIENT_VIEW, WELL, fhirServer="https://evil.example/fhir")
    del request["prefetch"]
    assert client().post(PATIENT_VIEW, json=request).status_code == 412


def test_another_patient_in_the_prefetch_ends_the_call() -> None:
    request = body(ORDER_SIGN, "two-failures", order(KETAMINE, "two-failures"))
    request["prefetch"]["patient"] = prefetch(WELL)["patient"]
    answer = client().post(ORDER_SIGN, json=request)
    assert answer.status_code == 412
    assert patient_id(WELL) not in answer.text


def test_resources_of_another_patient_change_nothing_but_are_counted() -> None:
    request = body(ORDER_SIGN, "two-failures", order(KETAMINE, "two-failures"))
    foreign = prefetch(HYPERTENSION)["observations"]["entry"]
    assert foreign
    request["prefetch"]["observations"]["entry"] += foreign
    (card,) = check(client().post(ORDER_SIGN, json=request).json())
    assert f"{len(foreign)} resources about another patient" in card["detail"]
    assert "172/104" not in card["detail"]


# What is refused


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000, b"{}"])
def test_a_body_that_is_no_request_is_400_and_says_where(content: bytes) -> None:
    answer = client().post(ORDER_SIGN, content=content)
    assert answer.status_code == 400
    assert diagnostics(answer)


@pytest.mark.parametrize("wrong", [b"\x80", b"\xc3(", b"\xed\xa0\x80"])
@pytest.mark.parametrize("place", [b"Practitioner/1", b"ketamine", b"Patient/two-failures", b"draft-1", b"active"])
def test_bytes_that_are_no_text_are_refused_or_read_around(place: bytes, wrong: bytes) -> None:
    whole = json.dumps(body(ORDER_SIGN, "two-failures", order(KETAMINE, "two-failures"))).encode()
    assert place in whole
    answer = client().post(ORDER_SIGN, content=whole.replace(place, place + wrong))
    assert answer.status_code in {200, 400, 412}


def test_a_hook_that_the_service_is_not_for_is_400() -> None:
    request = body(PATIENT_VIEW, WELL)
    assert diagnostics(client().post(ORDER_SIGN, json=request)).startswith("/hook")


@pytest.mark.parametrize("given", ["../../etc/passwd", "a?b=c", "a#b", "a b", "x" * 65, "a%2Fb"])
def test_a_patient_id_that_is_none_is_400_and_not_quoted(given: str) -> None:
    request = body(PATIENT_VIEW, WELL)
    request["context"]["patientId"] = given
    answer = client().post(PATIENT_VIEW, json=request)
    assert answer.status_code == 400
    assert diagnostics(answer).startswith("/context/patientId")
    assert given not in answer.text


@pytest.mark.parametrize("service", ["nope", "..%2f..%2fetc", "combination-therapy-order-sign%00", "COMBINATION"])
def test_a_service_that_there_is_not_is_404(service: str) -> None:
    answer = client().post(f"/cds-services/{service}", json={})
    assert answer.status_code == 404
    assert diagnostics(answer)


def test_a_wrong_method_is_405() -> None:
    answer = client().get(ORDER_SIGN)
    assert answer.status_code == 405
    assert diagnostics(answer)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_over_the_limit_is_413(chunked: bool) -> None:
    small = TestClient(create_app(Settings(max_body_bytes=1000), knowledge(), today=lambda: DAY))
    content: Any = iter([b"x" * 600, b"x" * 600]) if chunked else b"x" * 1200
    answer = small.post(ORDER_SIGN, content=content)
    assert answer.status_code == 413
    assert diagnostics(answer)


@cache
def of_browsers() -> TestClient:
    """The service of a site that lets every web page call it."""
    return TestClient(create_app(Settings(allowed_origins=("*",)), knowledge(), today=lambda: DAY))


@pytest.mark.parametrize("url", [*HOOKS, "/cds-services", "/nowhere"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_browser_may_read_every_answer_and_every_error(url: str, method: str) -> None:
    answer = of_browsers().request(method, url, content=b"{", headers={"Origin": "https://sandbox.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("url", [*HOOKS, "/cds-services"])
def test_a_preflight_needs_nothing(url: str) -> None:
    headers = {
        "Origin": "https://sandbox.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = of_browsers().options(url, headers=headers)
    assert answer.status_code == 200
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert "authorization" in allowed
    assert "content-type" in allowed


# Text of the record


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_the_record_stays_text(text: str) -> None:
    request = body(ORDER_SIGN, CRISIS, order(KETAMINE, CRISIS))
    expected = [card["summary"] for card in check(client().post(ORDER_SIGN, json=request).json())]
    for name in ("conditions", "observations", "procedures"):
        for entry in request["prefetch"][name]["entry"]:
            entry["resource"]["code"]["text"] = text
    answer = check(client().post(ORDER_SIGN, json=request).json())
    assert [card["summary"] for card in answer] == expected
    outside = "".join(re.sub(r"`[^`]*`", "", card["detail"]) for card in answer)
    for piece in ("<script", "javascript:", "evil.example", "# heading", "Ignore the rules", "\u202e"):
        assert piece not in outside


@pytest.mark.parametrize("token", ["a\nb", "a b", "ä"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_quoted(token: str) -> None:
    request = body(PATIENT_VIEW, WELL, fhirServer="http://127.0.0.1:9/fhir")
    request["fhirAuthorization"] = {"access_token": token}
    answer = client().post(PATIENT_VIEW, json=request)
    assert answer.status_code == 400
    assert diagnostics(answer).startswith("/fhir")
    assert token not in answer.text
