"""Scores to record: suggestions that an EHR can take as they are."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from fhir.resources.R4B.observation import Observation

from fhir_plugin.facts.scores.read import read_scores
from fhir_plugin.record.decoding import record_from_bundle
from tests.support.hooks.calls import (
    DAY,
    PATIENT_VIEW,
    body,
    check,
    client,
    knowledge,
    patient_id,
    resources,
)

PATIENT = "two-failures"


def without_scores(patient: str) -> dict[str, Any]:
    """A patient-view call in which no score is on the record but the questionnaires are."""
    request = body(PATIENT_VIEW, patient)
    entries = request["prefetch"]["observations"]["entry"]
    request["prefetch"]["observations"]["entry"] = [
        entry for entry in entries if not entry["resource"].get("derivedFrom") and "44261-6" not in json.dumps(entry)
    ]
    return request


def recorded(cards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The suggestions that record a score."""
    offered = [each for card in cards for each in card.get("suggestions", ())]
    return [each for each in offered if each["actions"][0]["resource"]["resourceType"] == "Observation"]


def test_a_score_that_is_not_on_the_record_can_be_recorded_with_one_click() -> None:
    request = without_scores(PATIENT)
    cards = check(client().post(PATIENT_VIEW, json=request).json())
    (offering,) = [card for card in cards if recorded([card])]
    assert offering["selectionBehavior"] == "any"
    assert 1 <= len(recorded([offering])) <= knowledge().cards.scores.most
    taken = []
    for suggestion in recorded([offering]):
        (action,) = suggestion["actions"]
        observation = Observation.model_validate(action["resource"])
        assert observation.subject.reference == f"Patient/{patient_id(PATIENT)}"
        taken.append(action["resource"] | {"id": f"taken-{len(taken)}"})
    request["prefetch"]["observations"]["entry"] += [{"resource": resource} for resource in taken]
    again = check(client().post(PATIENT_VIEW, json=request).json())
    left = [suggestion["label"] for suggestion in recorded(again)]
    assert not set(left) & {suggestion["label"] for suggestion in recorded([offering])}


def test_an_old_questionnaire_is_no_task_of_this_visit() -> None:
    request = without_scores(PATIENT)
    days = knowledge().cards.scores.recent_days
    for ago, offered in ((days, 1), (days + 1, 0)):
        moment = (DAY - timedelta(days=ago)).isoformat()
        entries = request["prefetch"]["questionnaireResponses"]["entry"][:1]
        entries[0]["resource"]["authored"] = moment
        request["prefetch"]["questionnaireResponses"]["entry"] = entries
        cards = check(client().post(PATIENT_VIEW, json=request).json())
        assert len(recorded(cards)) == offered


def test_taking_the_suggestion_changes_no_score() -> None:
    request = without_scores(PATIENT)
    cards = check(client().post(PATIENT_VIEW, json=request).json())
    created = [
        action["resource"] | {"id": f"taken-{number}"}
        for number, suggestion in enumerate(recorded(cards))
        for action in suggestion["actions"]
    ]
    before = [each for each in resources(PATIENT) if each["resourceType"] != "Observation"]
    series = [_series(before), _series(before + created)]
    assert series[0] == series[1]
    assert series[0]


def _series(found: list[dict[str, Any]]) -> list[tuple[str, float | None]]:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in found]}
    record = record_from_bundle(json.dumps(bundle).encode())
    history = read_scores(record, knowledge().instruments, DAY)
    return [(each.instrument, each.total) for each in history.assessments]


def test_a_record_without_observations_offers_nothing_because_they_may_be_there() -> None:
    request = body(PATIENT_VIEW, PATIENT)
    del request["prefetch"]["observations"]
    cards = check(client().post(PATIENT_VIEW, json=request).json())
    assert not recorded(cards)
