"""Orders as suggestions of whole calls: what an EHR can take, and what it is asked when it has taken it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.support.hooks.calls import (
    ESKETAMINE,
    KETAMINE,
    ORDER_SELECT,
    ORDER_SIGN,
    PATIENT_VIEW,
    TMS,
    cards,
    knowledge,
    order,
    prefetch,
    resources,
)

PATIENT = "acute-crisis"


def offering(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The one card about the treatment, which offers orders."""
    (card,) = [card for card in found if any(words in card["summary"] for words in ABOUT_TREATMENT)]
    return card


ABOUT_TREATMENT = (": criteria met", ": contraindicated", ": hold", ": consider adding")


def asking() -> set[str]:
    """The labels of orders that only obtain what is not known."""
    return {each.label for each in knowledge().orders.data.values()}


def taken(suggestion: dict[str, Any]) -> list[dict[str, Any]]:
    """The drafts that there are after a suggestion was taken, as a client names them."""
    created = [each["resource"] for each in suggestion["actions"] if each["type"] == "create"]
    return [resource | {"id": f"taken-{number}"} for number, resource in enumerate(created)]


@pytest.mark.parametrize("what", [KETAMINE, ESKETAMINE, TMS], ids=["ketamine", "esketamine", "TMS"])
def test_a_suggestion_that_was_taken_is_not_made_again(what: dict[str, Any]) -> None:
    card = offering(cards(ORDER_SELECT, PATIENT, order(what, PATIENT)))
    assert card["selectionBehavior"] == "at-most-one"
    first = card["suggestions"][0]
    assert first["actions"][-1]["type"] == "delete"
    again = offering(cards(ORDER_SELECT, PATIENT, *taken(first)))
    assert first["label"] not in [each["label"] for each in again.get("suggestions", ())]


def test_the_whole_plan_when_taken_leaves_only_questions_to_offer() -> None:
    card = offering(cards(PATIENT_VIEW, PATIENT))
    plan = card["suggestions"][0]
    assert plan["actions"][-1]["resource"]["resourceType"] == "CarePlan"
    card = offering(cards(ORDER_SIGN, PATIENT, *taken(plan)))
    assert "still to ask: substance use" in card["summary"]
    assert {each["label"] for each in card["suggestions"]} <= asking()
    asked = [draft for each in card["suggestions"] for draft in taken(each)]
    beside = [draft | {"id": f"asked-{number}"} for number, draft in enumerate(asked)]
    assert "suggestions" not in offering(cards(ORDER_SIGN, PATIENT, *taken(plan), *beside))


def test_a_plan_can_be_written_one_draft_after_the_other() -> None:
    """A client that creates each gives it an id of its own: nothing may refer to an id that does not exist by then."""
    suggestions = [each for card in cards(PATIENT_VIEW, PATIENT) for each in card.get("suggestions", ())]
    (plan,) = [each for each in suggestions if each["actions"][-1]["resource"]["resourceType"] == "CarePlan"]
    *orders, care_plan = [each["resource"] for each in plan["actions"] if each["type"] == "create"]
    record = {f"{each['resourceType']}/{each['id']}" for each in resources(PATIENT)}
    for draft in (*orders, care_plan):
        assert set(re.findall(r'"reference": "([^"]+)"', json.dumps(draft))) <= record | {f"Patient/{PATIENT}"}
    identifiers = [each["identifier"][0] for each in orders]
    referred = [each["reference"] for each in care_plan["activity"] if "reference" in each]
    assert [each["identifier"] for each in referred] == identifiers
    assert [each["type"] for each in referred] == [each["resourceType"] for each in orders]
    assert len({each["value"] for each in identifiers}) == len(orders)
    assert all(each["display"] for each in referred)


@pytest.mark.parametrize("patient", [PATIENT, "trauma", "two-failures", "partial-response-to-tms"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_what_is_offered_is_as_the_checks_expect_it(patient: str, number: int) -> None:
    found = offering(cards(PATIENT_VIEW, patient))["suggestions"]
    suggestions = [each for each in found if each["actions"][0]["resource"]["resourceType"] != "Observation"]
    card = offering(cards(ORDER_SIGN, patient, *taken(suggestions[min(number, len(suggestions) - 1)])))
    assert "**This order**" in card["detail"]
    assert "; expected" not in card["detail"]
    assert "update" not in {action["type"] for each in card.get("suggestions", ()) for action in each["actions"]}


@pytest.mark.parametrize("url", [ORDER_SELECT, ORDER_SIGN])
@pytest.mark.parametrize("patient", ["alcohol-use", "past-psychosis"])
def test_what_is_contraindicated_is_never_offered(url: str, patient: str) -> None:
    card = offering(cards(url, patient, order(KETAMINE, patient)))
    assert card["summary"].startswith("Ketamine: contraindicated")
    assert "create" not in {action["type"] for each in card.get("suggestions", ()) for action in each["actions"]}


@pytest.mark.parametrize("url", [ORDER_SELECT, ORDER_SIGN])
def test_while_a_treatment_is_held_only_what_is_not_known_is_asked_for(url: str) -> None:
    card = offering(cards(url, "uncontrolled-hypertension", order(KETAMINE, "uncontrolled-hypertension")))
    assert card["summary"].startswith("Ketamine: hold")
    assert {each["label"] for each in card["suggestions"]} <= asking()


def test_without_a_weight_the_card_says_why_there_is_no_dose_and_offers_to_weigh() -> None:
    given = prefetch(PATIENT)
    entries = given["observations"]["entry"]
    given["observations"]["entry"] = [each for each in entries if "29463-7" not in str(each)]
    card = offering(cards(PATIENT_VIEW, PATIENT, prefetch=given))
    assert "**Not offered as an order:** Ketamine infusions: no body weight on the record." in card["detail"]
    labels = [each["label"] for each in card["suggestions"]]
    assert knowledge().orders.data["weight"].label in labels
    assert not [label for label in labels if " mg" in label]


def test_every_number_of_a_draft_comes_from_a_parameter_a_resource_or_its_template() -> None:
    templates = " ".join(order.model_dump_json() for order in knowledge().orders.by_id.values())
    parameters = knowledge().protocols[knowledge().protocol].parameters.values()
    known = set(re.findall(r"\d+(?:\.\d+)?", templates))
    known |= {f"{end:g}" for each in parameters for end in (each.low, each.high) if end is not None}
    (weight,) = [each for each in resources(PATIENT) if each["id"].endswith("-weight")]
    known |= {f"{weight['valueQuantity']['value']:g}", *weight["effectiveDateTime"][:10].split("-")}
    card = offering(cards(PATIENT_VIEW, PATIENT))
    worked_out = {"41.25", "41", "1.02"}  # 0.5 mg/kg x 82.5 kg, rounded down, over 40 min
    for suggestion in card["suggestions"]:
        for draft in taken(suggestion):
            said = " ".join([each["text"] for each in draft.get("dosageInstruction", ())])
            said += " ".join(each["text"] for each in draft.get("note", ())[:-2])
            assert set(re.findall(r"\d+(?:\.\d+)?", said)) <= known | worked_out
