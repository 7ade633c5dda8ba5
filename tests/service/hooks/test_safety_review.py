"""Words that may speak of suicide settle nothing, and are shown for review before everything else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.hooks.calls import PATIENT_VIEW, body, check, client, patient_id

WELL = "doing-well"


def told(**members: Any) -> list[dict[str, Any]]:
    entry = {
        "resourceType": "Condition",
        "id": "words",
        "subject": {"reference": f"Patient/{patient_id(WELL)}"},
        "clinicalStatus": {"coding": [{"code": "active"}]},
    }
    call = body(PATIENT_VIEW, WELL)
    call["prefetch"]["conditions"]["entry"].append({"resource": entry | members})
    answer = client().post(PATIENT_VIEW, json=call)
    return check(answer.json())


@pytest.mark.parametrize(
    "members",
    [
        {"code": {"text": "Suicidal ideation"}, "onsetDateTime": "2026-01-10"},
        {"code": {"text": "Suicidal ideation"}},
        {
            "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "R45.851"}]},
            "onsetDateTime": "2026-01-10",
            "verificationStatus": {"coding": [{"code": "unconfirmed"}]},
        },
    ],
    ids=["words", "words without a day", "a code that is not confirmed"],
)
def test_what_may_be_suicidality_is_shown_for_review(members: dict[str, Any]) -> None:
    first = told(**members)[0]
    assert first["indicator"] == "warning"
    assert "please review" in first["summary"]
    assert "Condition/words" in first["detail"]
    assert "counted neither way" in first["detail"]


@pytest.mark.parametrize(
    "members",
    [
        {
            "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "R45.851"}]},
            "onsetDateTime": "2024",
        },
        {"code": {"text": "Family history of suicide"}, "onsetDateTime": "2026-01-10"},
        {"code": {"text": "Suicidal ideation"}, "verificationStatus": {"coding": [{"code": "refuted"}]}},
    ],
    ids=["long ago", "of the family", "refuted"],
)
def test_what_is_old_or_taken_back_is_not(members: dict[str, Any]) -> None:
    assert all("Suicid" not in card["summary"] for card in told(**members))


CRISIS = "acute-crisis"


def offered(place: str, *entries: dict[str, Any]) -> list[str]:
    """The labels of what is offered in a crisis, with more on the record."""
    call = body(PATIENT_VIEW, CRISIS)
    about = {"reference": f"Patient/{patient_id(CRISIS)}"}
    for number, entry in enumerate(entries):
        given = {"id": f"more-{number}", "subject": about, "patient": about}
        call["prefetch"][place]["entry"].append({"resource": given | entry})
    found = check(client().post(PATIENT_VIEW, json=call).json(), patient_id(CRISIS))
    return [each["label"] for card in found for each in card.get("suggestions", ())]


def condition(words: str, status: str = "active") -> dict[str, Any]:
    return {"resourceType": "Condition", "code": {"text": words}, "clinicalStatus": {"coding": [{"code": status}]}}


def test_ketamine_is_offered_where_nothing_stands_against_it() -> None:
    assert any("Ketamine" in label for label in offered("conditions", condition("Seasonal allergies")))


@pytest.mark.parametrize("status", ["active", "inactive", "resolved"])
@pytest.mark.parametrize(
    "words",
    ["Hemorrhagic stroke 2016", "Cerebral cavernous malformation", "Ruptured brain aneurysm", "Psychotic episode"],
)
def test_words_of_what_once_was_hold_ketamine_also_where_it_ended(words: str, status: str) -> None:
    labels = offered("conditions", condition(words, status))
    assert not any("Ketamine" in label or "Esketamine" in label or "plan" in label for label in labels)


@pytest.mark.parametrize("words", ["Ketamin HCl", "S-Ketamine", "KETALAR 50 mg/mL"])
def test_an_allergy_to_ketamine_holds_it_however_it_is_written(words: str) -> None:
    labels = offered("allergies", {"resourceType": "AllergyIntolerance", "code": {"text": words}})
    assert not any("etamine" in label for label in labels)


@pytest.mark.parametrize(
    "weights",
    [
        [{"value": 176, "unit": "lb", "system": "http://unitsofmeasure.org", "code": "kg"}],
        [{"value": 120, "unit": "kg"}],
    ],
    ids=["pounds coded as kilograms", "half as much again as on the day before"],
)
def test_no_dose_is_offered_by_a_weight_that_may_be_a_slip(weights: list[dict[str, Any]]) -> None:
    told = [
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
            "effectiveDateTime": "2026-01-15",
            "valueQuantity": weight,
        }
        for weight in weights
    ]
    labels = offered("observations", *told)
    assert "Weigh the patient" in labels
    assert not any("Ketamine infusions" in label for label in labels)


def told_by_form(answer: dict[str, Any], text: str = "Any thoughts of suicide?") -> list[dict[str, Any]]:
    form = {
        "resourceType": "QuestionnaireResponse",
        "id": "form",
        "status": "completed",
        "authored": "2026-01-10",
        "questionnaire": "http://example.org/Questionnaire/intake",
        "subject": {"reference": f"Patient/{patient_id(WELL)}"},
        "item": [{"linkId": "a", "text": text, "answer": [answer]}],
    }
    call = body(PATIENT_VIEW, WELL)
    call["prefetch"]["questionnaireResponses"] = {"resourceType": "Bundle", "entry": [{"resource": form}]}
    return check(client().post(PATIENT_VIEW, json=call).json())


@pytest.mark.parametrize(
    "answer", [{"valueBoolean": True}, {"valueString": "sometimes"}, {"valueCoding": {"code": "7"}}]
)
def test_a_form_that_asks_about_suicide_and_cannot_be_read_is_shown(answer: dict[str, Any]) -> None:
    first = told_by_form(answer)[0]
    assert (first["indicator"], first["summary"]) == (
        "warning",
        "Answers about suicide could not be read (questionnaire 10 Jan): please look at the questionnaire",
    )
    assert "QuestionnaireResponse/form" in first["detail"]


@pytest.mark.parametrize(
    ("answer", "text"),
    [({"valueBoolean": False}, "Any thoughts of suicide?"), ({"valueBoolean": True}, "Do you sleep well?")],
)
def test_a_form_that_does_not_ask_or_is_answered_no_is_not(answer: dict[str, Any], text: str) -> None:
    assert not any("could not be read" in card["summary"] for card in told_by_form(answer, text))
