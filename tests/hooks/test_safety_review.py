"""Words that may speak of suicide settle nothing, and are shown for review before everything else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hooks.calls import PATIENT_VIEW, body, check, client, patient_id

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
