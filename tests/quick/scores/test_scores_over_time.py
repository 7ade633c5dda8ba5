"""Assessments read from a record: each once, whatever resources hold it."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest

from fhir_plugin.facts.fact import Count, Measurement, Presence
from fhir_plugin.facts.scores.read import ScoreHistory, read_scores
from fhir_plugin.record.record import Input, InputState, Record
from fhir_plugin.record.resources import Observation, QuestionnaireResponse
from fhir_plugin.scales.observation_codes import observation_codes
from mappings.schema.instruments import LOCAL_CODES, Instruments
from tests.support.scores.responses import response

AS_OF = date(2024, 6, 1)
LOINC = "http://loinc.org"


def observation(identifier: str, loinc: str, **more: Any) -> Observation:
    body = {
        "resourceType": "Observation",
        "id": identifier,
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": loinc}]},
        "effectiveDateTime": "2024-03-05",
        **more,
    }
    return msgspec.convert(body, Observation)


def answered(instruments: Instruments, answers: list[int | None], **more: Any) -> QuestionnaireResponse:
    more = {"id": "q1", "authored": "2024-03-05T10:00:00Z", **more}
    raw = response(instruments, instruments["phq9"], answers, **more)
    return msgspec.json.decode(raw, type=QuestionnaireResponse)


def history(
    instruments: Instruments,
    *resources: Observation | QuestionnaireResponse,
    observations: InputState = InputState.COMPLETE,
) -> ScoreHistory:
    record = Record(
        "p",
        {
            "questionnaireResponses": Input(
                InputState.COMPLETE, tuple(each for each in resources if isinstance(each, QuestionnaireResponse))
            ),
            "observations": Input(observations, tuple(each for each in resources if isinstance(each, Observation))),
        },
    )
    return read_scores(record, instruments, AS_OF)


TWELVE: list[int | None] = [2, 2, 2, 2, 1, 1, 2, 0, 0]


@pytest.mark.parametrize(
    "value",
    [
        {"valueInteger": 12},
        {"valueQuantity": {"value": 12, "unit": "{score}"}},
        {"valueString": "12"},
        {"component": [{"code": {"coding": [{"system": LOINC, "code": "44261-6"}]}, "valueInteger": 12}]},
    ],
)
def test_a_total_in_every_form(instruments: Instruments, value: dict[str, Any]) -> None:
    (one,) = history(instruments, observation("o1", "44261-6", **value)).assessments
    assert (one.instrument, one.total, one.severity) == ("phq9", 12, "moderate")
    assert one.suicide_item_positive is None


@pytest.mark.parametrize(
    "value",
    [
        {"valueQuantity": {"value": 21.4775}},
        {"valueInteger": 28},
        {"valueString": "about 12"},
        {"valueQuantity": {"value": 12, "comparator": "<"}},
        {"valueInteger": 12, "status": "preliminary"},
    ],
)
def test_a_total_that_is_none(instruments: Instruments, value: dict[str, Any]) -> None:
    found = history(instruments, observation("o1", "44261-6", **value))
    assert [each.total for each in found.assessments] == [None]
    fact = found.facts()["scores.phq9.latest"]
    assert fact.value is None
    assert fact.missing == ("PHQ-9: no completed assessment could be scored",)


def test_void_and_future_entries_are_not_there(instruments: Instruments) -> None:
    found = history(
        instruments,
        observation("o1", "44261-6", valueInteger=12, status="entered-in-error"),
        observation("o2", "44261-6", valueInteger=12, effectiveDateTime="2024-06-02"),
        answered(instruments, TWELVE, status="entered-in-error"),
    )
    assert found.assessments == ()


def test_response_and_observation_of_one_assessment_count_once(instruments: Instruments) -> None:
    found = history(
        instruments,
        answered(instruments, TWELVE),
        observation("o1", "44261-6", valueInteger=12),
    )
    (one,) = found.assessments
    assert (one.reference, one.recorded_as) == ("QuestionnaireResponse/q1", ("Observation/o1",))
    assert found.facts()["scores.unrecorded"].value == Presence()


def test_the_items_decide_when_the_observation_says_otherwise(instruments: Instruments) -> None:
    found = history(
        instruments,
        answered(instruments, TWELVE),
        observation("o1", "44261-6", valueInteger=14, derivedFrom=[{"reference": "QuestionnaireResponse/q1"}]),
    )
    (one,) = found.assessments
    assert one.total == 12
    assert "stored_total_mismatch:14" in one.flags


def test_an_observation_of_incomplete_answers_gives_no_total(instruments: Instruments) -> None:
    found = history(
        instruments,
        answered(instruments, [2, 2, 2, 2, 1, 1, 2, 0, None]),
        observation("o1", "44261-6", valueInteger=12, derivedFrom=[{"reference": "QuestionnaireResponse/q1"}]),
    )
    (one,) = found.assessments
    assert one.total is None


def test_two_assessments_of_one_day_stay_two(instruments: Instruments) -> None:
    found = history(
        instruments,
        observation("o1", "44261-6", valueInteger=12, effectiveDateTime="2024-03-05T09:00:00Z"),
        observation("o2", "44261-6", valueInteger=12, effectiveDateTime="2024-03-05T12:00:00Z"),
    )
    assert len(found.assessments) == 2


def test_one_moment_in_two_time_zones_is_one_assessment(instruments: Instruments) -> None:
    found = history(
        instruments,
        observation("o1", "44261-6", valueInteger=12, effectiveDateTime="2024-03-05T09:00:00Z"),
        observation("o2", "44261-6", valueInteger=12, effectiveDateTime="2024-03-05T04:00:00-05:00"),
    )
    assert len(found.assessments) == 1


def test_a_panel_with_members_is_one_assessment(instruments: Instruments) -> None:
    codes = [item.code for item in instruments["phq9"].items]
    members = [
        observation(f"i{place}", code or "", valueInteger=value)
        for place, (code, value) in enumerate(zip(codes, [*TWELVE[:8], 1], strict=True))
    ]
    total = observation("t", "44261-6", valueInteger=13)
    panel = observation(
        "p", "44249-1", hasMember=[{"reference": f"http://x/fhir/{each.reference}"} for each in (*members, total)]
    )
    (one,) = history(instruments, *members, total, panel).assessments
    assert (one.total, one.suicide_item_positive, one.flags) == (13, True, ("item9_positive",))


def test_single_items_of_one_moment_are_one_assessment(instruments: Instruments) -> None:
    codes = [item.code for item in instruments["phq9"].items]
    members = [
        observation(f"i{place}", code or "", valueCodeableConcept={"coding": [{"system": LOINC, "code": "LA6569-3"}]})
        for place, code in enumerate(codes)
    ]
    (one,) = history(instruments, *members).assessments
    assert one.total == 9


def test_the_suicide_item_of_a_bare_total_is_possible(instruments: Instruments) -> None:
    fact = history(instruments, observation("o1", "44261-6", valueInteger=12)).facts()["suicide.signal"]
    assert isinstance(fact.value, Presence)
    assert (fact.value.current, len(fact.value.possible)) == ((), 1)
    nothing = history(instruments, observation("o1", "44261-6", valueInteger=0)).facts()["suicide.signal"]
    assert nothing.value == Presence()


def test_a_positive_item_is_current_until_a_later_one_is_negative(instruments: Instruments) -> None:
    first = answered(instruments, [0] * 8 + [1])
    fact = history(instruments, first).facts()["scores.phq9.suicide_item"]
    assert isinstance(fact.value, Presence)
    assert [each.label for each in fact.value.current] == ["PHQ-9 1 (minimal)"]
    later = answered(instruments, [0] * 9, id="q2", authored="2024-04-05")
    fact = history(instruments, first, later).facts()["scores.phq9.suicide_item"]
    assert isinstance(fact.value, Presence)
    assert (fact.value.current, len(fact.value.past)) == ((), 1)


def test_a_newer_answer_settles_what_an_older_total_left_open(instruments: Instruments) -> None:
    bare = {"code": {"coding": [{"system": LOCAL_CODES, "code": "madrs-total"}]}, "valueInteger": 20}
    negative = answered(instruments, [1] * 8 + [0])
    older = observation("m", "", **bare, effectiveDateTime="2024-03-04")
    same_day = observation("m", "", **bare)
    for madrs, open_questions in ((older, 0), (same_day, 1)):
        signal = history(instruments, negative, madrs).facts()["suicide.signal"].value
        assert isinstance(signal, Presence)
        assert (len(signal.current), len(signal.possible)) == (0, open_questions)


@pytest.mark.parametrize(
    ("day", "current", "possible"),
    [("2024-03-03", 1, 0), ("2024-03-02", 0, 1), ("2024-03", 1, 0), ("2023", 0, 1)],
    ids=["90 days", "91 days", "some day of the month", "last year"],
)
def test_a_positive_item_is_open_once_it_is_long_ago(
    instruments: Instruments, day: str, current: int, possible: int
) -> None:
    signal = history(instruments, answered(instruments, [1] * 9, authored=day)).facts()["suicide.signal"].value
    assert isinstance(signal, Presence)
    assert (len(signal.current), len(signal.possible)) == (current, possible)


@pytest.mark.parametrize(
    ("positive", "negative", "current", "possible"),
    [
        ("2024-05-30", "2024-05-30", 1, 0),
        ("2024-05", "2024-05-10", 1, 0),
        (None, "2024-05-30", 0, 1),
        ("2024-05-30T08:00:00Z", "2024-05-30T17:00:00Z", 0, 0),
        ("2024-05-29", "2024-05-30", 0, 0),
    ],
    ids=["same day, no times", "some day of that month", "undated", "answered again later that day", "the day before"],
)
def test_a_positive_item_is_outvoted_only_by_an_answer_that_is_certainly_later(
    instruments: Instruments, positive: str | None, negative: str, current: int, possible: int
) -> None:
    yes = answered(instruments, [1] * 9, id="q1", authored=positive)
    no = answered(instruments, [1] * 8 + [0], id="q2", authored=negative)
    signal = history(instruments, yes, no).facts()["suicide.signal"].value
    assert isinstance(signal, Presence)
    assert (len(signal.current), len(signal.possible)) == (current, possible)


@pytest.mark.parametrize(
    ("day", "possible"),
    [("2024-03-03", 0), ("2024-03-02", 1), ("2024-03", 1), (None, 1)],
    ids=["90 days", "91 days", "perhaps longer ago", "undated"],
)
def test_a_negative_item_of_long_ago_says_nothing_of_today(
    instruments: Instruments, day: str | None, possible: int
) -> None:
    old = answered(instruments, [1] * 8 + [0], id="q0", authored=day)
    signal = history(instruments, old).facts()["suicide.signal"].value
    assert isinstance(signal, Presence)
    assert (len(signal.current), len(signal.possible)) == (0, possible)
    madrs = msgspec.json.decode(
        response(instruments, instruments["madrs"], [3] * 9 + [0], id="m", authored="2024-05-01"),
        type=QuestionnaireResponse,
    )
    settled = history(instruments, old, madrs).facts()["suicide.signal"].value
    assert isinstance(settled, Presence)
    assert not settled.possible


@pytest.mark.parametrize("value", [{"valueCodeableConcept": {"text": "High Risk"}}, {"valueString": "Moderate"}])
def test_a_risk_level_in_words_is_that_level(instruments: Instruments, value: dict[str, Any]) -> None:
    level = observation("c", "93374-7", effectiveDateTime="2024-05-31", **value)
    signal = history(instruments, level).facts()["suicide.signal"].value
    assert isinstance(signal, Presence)
    assert len(signal.current) == 1


@pytest.mark.parametrize("value", [{"valueCodeableConcept": {"text": "Low to moderate"}}, {"valueString": "see note"}])
def test_a_risk_level_that_cannot_be_read_is_an_open_question(instruments: Instruments, value: dict[str, Any]) -> None:
    negative = answered(instruments, [1] * 8 + [0], authored="2024-05-30T10:00:00Z")
    level = observation("c", "93374-7", effectiveDateTime="2024-05-31", **value)
    signal = history(instruments, negative, level).facts()["suicide.signal"].value
    assert isinstance(signal, Presence)
    assert (len(signal.current), len(signal.possible)) == (0, 1)


def test_no_assessment_says_nothing_about_suicide(instruments: Instruments) -> None:
    fact = history(instruments).facts()["suicide.signal"]
    assert fact.value is None
    assert fact.missing


def test_the_newest_depression_scale_is_the_baseline(instruments: Instruments) -> None:
    madrs = msgspec.json.decode(
        response(instruments, instruments["madrs"], [3] * 10, id="m", authored="2024-05-01"), type=QuestionnaireResponse
    )
    fact = history(instruments, answered(instruments, TWELVE), madrs).facts()["scores.depression.baseline"]
    assert isinstance(fact.value, Measurement)
    assert (fact.value.components, str(fact.value.day)) == ({"total": 30}, "2024-05-01")
    assert [each.label for each in fact.evidence] == ["MADRS 30 (moderate)"]


@pytest.mark.parametrize(("moment", "expected"), [("2024-05-25", (7, 7)), ("2024-05", (1, 31)), ("2024", (0, 152))])
def test_the_days_since_the_last_measure(instruments: Instruments, moment: str, expected: tuple[int, int]) -> None:
    fact = history(instruments, observation("o", "44261-6", valueInteger=12, effectiveDateTime=moment)).facts()[
        "scores.depression.days_since"
    ]
    assert isinstance(fact.value, Count)
    assert (fact.value.low, fact.value.high) == expected


@pytest.mark.parametrize(("state", "sure"), [(InputState.COMPLETE, True), (InputState.PARTIAL, False)])
def test_an_unrecorded_score_is_sure_only_when_all_observations_were_seen(
    instruments: Instruments, state: InputState, sure: bool
) -> None:
    fact = history(instruments, answered(instruments, TWELVE), observations=state).facts()["scores.unrecorded"]
    assert isinstance(fact.value, Presence)
    assert (bool(fact.value.current), bool(fact.value.possible)) == (sure, not sure)


def test_a_risk_level_is_read_and_counted_from_the_least(instruments: Instruments) -> None:
    high = observation("c", "93374-7", valueCodeableConcept={"coding": [{"system": LOINC, "code": "LA9193-9"}]})
    facts = history(instruments, high).facts()
    latest = facts["scores.cssrs_screener.latest"].value
    assert isinstance(latest, Measurement)
    assert latest.components == {"level": 3}
    signal = facts["suicide.signal"].value
    assert isinstance(signal, Presence)
    assert [each.label for each in signal.current] == ["C-SSRS screener high"]


def test_observation_codes_hold_totals_panels_and_items(instruments: Instruments) -> None:
    codes = observation_codes(instruments)
    assert {"44261-6", "44249-1", "44260-8", "70274-6", "93374-7", "madrs-total"} <= set(codes)
    assert "68517-2" not in codes
