"""Forms and Observations in the shapes that public servers and apps write, each varied: scored right, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
import pytest

from fhir_plugin.errors import WrongQuestionnaire
from fhir_plugin.facts.fact import Presence
from fhir_plugin.facts.scores.read import ScoreHistory, read_scores
from fhir_plugin.record.decoding import record_from_bundle
from fhir_plugin.record.resources import QuestionnaireResponse
from fhir_plugin.scales.scoring import Score, score_all
from tests.support.scores.forms import Json, form, number
from tests.support.shipped import shipped

INSTRUMENTS = shipped().instruments
PHQ9 = [item.code or "" for item in INSTRUMENTS["phq9"].items]
QUESTIONS = [item.wording or "" for item in INSTRUMENTS["phq9"].items]
CSSRS = [item.code or "" for item in INSTRUMENTS["cssrs_screener"].items]
VALUES = [2, 2, 2, 2, 1, 2, 0, 1, 1]
"""A PHQ-9 of 13 with thoughts of death on several days."""
WITHOUT_ZERO = [2, 2, 2, 2, 1, 2, 3, 1, 2]
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
DAY = date(2026, 11, 27)
Answer = Callable[[int], dict[str, Any]]


def words(value: str) -> Json:
    return {"valueString": value}


def coded(code: str, display: str = "", system: str = "") -> Json:
    return {
        "valueCoding": {
            "code": code,
            **({"display": display} if display else {}),
            **({"system": system} if system else {}),
        }
    }


def items(links: list[str], values: list[int], answer: Answer = number) -> list[Json]:
    return [{"linkId": link, "answer": [answer(value)]} for link, value in zip(links, values, strict=True)]


def scores(body: Json) -> dict[str, Score]:
    response = msgspec.json.decode(json.dumps(body), type=QuestionnaireResponse)
    try:
        return {found.instrument: found for found in score_all(response, INSTRUMENTS)}
    except WrongQuestionnaire:
        return {}


def history(*resources: Json) -> ScoreHistory:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": body} for body in resources]}
    return read_scores(record_from_bundle(json.dumps(bundle).encode(), "p1"), INSTRUMENTS, DAY)


def about(body: Json) -> Json:
    return {**body, "subject": {"reference": "Patient/p1"}}


def presence(name: str, *resources: Json) -> Presence:
    value = history(*map(about, resources)).facts()[name].value
    assert isinstance(value, Presence)
    return value


@pytest.mark.parametrize(
    ("name", "pattern", "instrument", "count"),
    [
        ("PHQ-9", "q{}", "phq9", 9),
        ("phq9", "Q0{}", "phq9", 9),
        ("phq-9", "matrix.q{}", "phq9", 9),
        ("phq-9", "phq-9.matrix.q{}", "phq9", 9),
        ("phq-9", "phq{}", "phq9", 9),
        ("phq2phq9", "q{}", "phq9", 9),
        ("phq-2", "phq9.{}", "phq2", 2),
        ("GAD-7", "question_{}", "gad7", 7),
        ("MADRS", "q{}", "madrs", 10),
        ("baseline", "madrs{}", "madrs", 10),
        ("HDRS-17", "item{}", "hamd17", 17),
        ("QIDS-SR16", "{}", "qids_sr16", 16),
        ("PCL-5", "q{}", "pcl5", 20),
        ("ASRM", "q{}", "asrm", 5),
    ],
)
def test_the_numbers_of_a_named_form_are_its_items(name: str, pattern: str, instrument: str, count: int) -> None:
    found = scores(form(name, items([pattern.format(n) for n in range(1, count + 1)], [1] * count)))
    assert list(found) == [instrument]
    assert found[instrument].total is not None


@pytest.mark.parametrize(
    "links",
    [
        [f"q{n}" for n in range(9)],
        [f"q{n}" for n in range(2, 11)],
        [f"q{n}" for n in range(1, 9)],
        [f"q{n}" for n in range(1, 12)],
        [f"mood{n}" for n in range(1, 10)],
        [f"{14362 + n}" for n in range(1, 10)],
        [*(f"q{n}" for n in range(1, 10)), *(f"item{n}" for n in range(1, 10))],
    ],
    ids=["from nought", "from two", "one missing", "two too many", "of something else", "of a database", "two rows"],
)
def test_numbers_that_are_not_exactly_those_of_the_form_prove_nothing(links: list[str]) -> None:
    found = scores(form("PHQ-9", items(links, [1] * len(links))))["phq9"]
    assert (found.total, found.suicide_positive) == (None, None)


def test_the_numbers_of_another_scale_in_the_same_form_are_not_mixed_in() -> None:
    body = form("phq2-gad2", items(["phq-1", "phq-2", "gad-1", "gad-2"], [2, 2, 1, 1]))
    assert scores(body)["phq2"].total == 4


@pytest.mark.parametrize(
    "answer",
    [
        lambda value: coded(str(value)),
        lambda value: coded(str(value), ["Nada", "Poco", "Más", "Todo"][value], "urn:x"),
        lambda value: words(str(value)),
        lambda value: words(["Ningún día", "Varios días", "Más de la mitad de los días", "Casi todos los días"][value]),
        lambda value: words(
            ["Überhaupt nicht", "An einzelnen Tagen", "An mehr als der Hälfte der Tage", "Beinahe jeden Tag"][value]
        ),
        lambda value: coded(
            ["not-at-all", "several_days", "moreThanHalfTheDays", "nearly-every-day"][value], system="urn:x"
        ),
        lambda value: words(f"{value}, {['Not at all', 'Several days', 'More than half the days'][value]}"),
    ],
)
def test_answers_that_can_only_mean_one_value_are_read(answer: Answer) -> None:
    found = scores(form("phq9", items([f"phq9-{n}" for n in range(1, 10)], VALUES, answer)))["phq9"]
    assert (found.total, found.suicide_positive) == (13, True)


@pytest.mark.parametrize("answer", [lambda value: coded(str(value)), lambda value: words(str(value))])
def test_a_number_that_may_count_from_one_is_no_weight(answer: Answer) -> None:
    body = form("phq9", items([f"phq9-{n}" for n in range(1, 10)], WITHOUT_ZERO, answer))
    assert (scores(body)["phq9"].total, scores(body)["phq9"].suicide_positive) == (None, None)
    (entry,) = presence("suicide.unread", body).possible
    assert (entry.name, entry.note) == ("PHQ-9", "answers that cannot be read")


def test_questions_stand_for_links_that_are_lost() -> None:
    lost = [{"text": text, "answer": [number(value)]} for text, value in zip(QUESTIONS, VALUES, strict=True)]
    assert scores(form("x", lost))["phq9"].total == 13


def test_audit_is_read_by_its_words_and_numbers() -> None:
    given = [
        "2-3 times a week",
        "5 or 6",
        *["Less than monthly"] * 6,
        "Yes, but not in the last year",
        "Yes, during the last year",
    ]
    answers = [coded("x", text, LOINC if place >= 8 else "") for place, text in enumerate(given)]
    links = [f"audit.q{n}" for n in range(1, 11)]
    body = form("audit", [{"linkId": link, "answer": [answer]} for link, answer in zip(links, answers, strict=True)])
    assert scores(body)["audit"].total == 17


@pytest.mark.parametrize("link", ["phq9-score", "phq9_total_score", "PHQ9.Total"])
def test_a_total_alone_is_recorded_and_tells_nothing_of_suicide(link: str) -> None:
    found = scores(form("visit", [{"linkId": link, "answer": [number(0)]}]))["phq9"]
    assert (found.total, found.suicide_positive) == (0, None)
    assert scores(form("visit", [{"linkId": link, "answer": [number(40)]}]))["phq9"].total is None


def test_one_of_two_answers_about_death_is_enough() -> None:
    rows = items([f"/{code}" for code in PHQ9], [0] * 9)
    rows[8]["answer"] = [number(0), number(3)]
    found = scores(form("phq9", rows))["phq9"]
    assert (found.total, found.suicide_positive) == (None, True)


@pytest.mark.parametrize(
    "answer", [lambda yes: {"valueBoolean": yes}, lambda yes: coded("373066001" if yes else "373067005", system=SNOMED)]
)
def test_a_screener_by_the_numbers_of_its_questions(answer: Callable[[bool], Json]) -> None:
    given = {"q1": True, "q2": True, "q3": False, "q4": False, "q5": False, "q6": True, "q6-recent": True}
    body = form("C-SSRS-Screener", [{"linkId": link, "answer": [answer(yes)]} for link, yes in given.items()])
    assert scores(body)["cssrs_screener"].severity == "high"
    other = scores({**body, "questionnaire": "http://example.org/Questionnaire/C-SSRS-Since-Last-Contact"})
    assert other["cssrs_screener"].severity is None, "item 6 is another question there"
    assert other["cssrs_screener"].suicide_positive


# Observations


def observation(code: str = "", name: str = "o1", system: str = LOINC, text: str = "", **more: Any) -> Json:
    concept: Json = {"coding": [{"system": system, "code": code}]} if code else {}
    return about(
        {
            "resourceType": "Observation",
            "id": name,
            "status": "final",
            "effectiveDateTime": "2026-11-20T10:00:00Z",
            "code": {**concept, **({"text": text} if text else {})},
            **more,
        }
    )


@pytest.mark.parametrize(
    "resources",
    [
        [observation(code, code, valueBoolean=code in CSSRS[:2]) for code in CSSRS[:6]],
        [
            observation(
                "93373-9",
                component=[
                    {"code": {"coding": [{"system": LOINC, "code": code}]}, "valueBoolean": code in CSSRS[:2]}
                    for code in CSSRS[:6]
                ],
            )
        ],
    ],
    ids=["each alone", "components"],
)
def test_yes_or_no_is_an_answer_of_an_observation(resources: list[Json]) -> None:
    (found,) = history(*resources).assessments
    assert (found.instrument, found.severity, found.suicide_item_positive) == ("cssrs_screener", "low", True)


@pytest.mark.parametrize(
    "component",
    [
        lambda place: {"code": {"coding": [{"system": LOINC, "code": PHQ9[place]}]}, "valueDecimal": VALUES[place]},
        lambda place: {"code": {"text": QUESTIONS[place]}, "valueInteger": VALUES[place]},
        lambda place: {"code": {"coding": [{"display": QUESTIONS[place]}]}, "valueString": str(VALUES[place])},
    ],
    ids=["decimals", "texts", "displays"],
)
def test_components_in_words_and_decimals(component: Callable[[int], Json]) -> None:
    (found,) = history(observation("44249-1", component=[component(place) for place in range(9)])).assessments
    assert (found.total, found.suicide_item_positive) == (13, True)


@pytest.mark.parametrize(
    ("told", "total"),
    [
        (observation("720433000", system=SNOMED, valueInteger=15), 15),
        (observation("1570000001", system="urn:oid:1.2.3", text="PHQ-9 Total Score", valueInteger=15), 15),
        (observation(text="PHQ-9 score", valueQuantity={"value": 15}), 15),
        (observation(text="PHQ-9 modified for teens total score", valueInteger=15), None),
        (observation(text="PHQ-9", valueInteger=15), 15),
        (observation(text="Score", valueInteger=15), None),
        (observation("8867-4", text="PHQ-9 total score", valueInteger=15), None),
    ],
)
def test_a_total_under_another_code_or_in_words(told: Json, total: int | None) -> None:
    assert [entry.total for entry in history(told).assessments] == ([total] if total else [])


# What cannot be scored


ASKED = [{"linkId": "si", "text": "Have you had thoughts of suicide?", "answer": [{"valueBoolean": True}]}]


@pytest.mark.parametrize(
    ("body", "tells"),
    [
        (form("intake", ASKED), True),
        (form("intake", [{**ASKED[0], "answer": [{"valueBoolean": False}]}]), False),
        (form("intake", [{**ASKED[0], "answer": [words("Denies")]}]), False),
        (form("intake", [{**ASKED[0], "answer": [coded("LA32-8", system=LOINC)]}]), False),
        (form("intake", [{**ASKED[0], "answer": [words("yes, since May")]}]), True),
        (form("intake", [{"linkId": "mood", "answer": [words("low")]}]), False),
        (form("EPDS", items([f"epds{n}" for n in range(1, 11)], [1] * 10)), True),
        (form("EPDS", items([f"epds{n}" for n in range(1, 11)], [0] * 10)), False),
        (form("ASQ-Screening-Tool", items(["q1", "q2"], [1, 0])), True),
        (form("WSAS", items(["w1", "w2"], [5, 5])), False),
    ],
)
def test_a_form_that_is_not_recognised_is_listed_and_told_where_it_asks_about_suicide(body: Json, tells: bool) -> None:
    (listed,) = presence("scores.unscored", body).possible
    assert (listed.name, listed.note) == ("", "not recognised")
    assert bool(presence("suicide.unread", body).possible) is tells
    fact = history(about(body)).facts()["suicide.signal"]
    if tells:
        assert isinstance(fact.value, Presence)
        assert fact.value.possible
    else:
        assert fact.missing == ("1 questionnaires on the record are not recognised",)


@pytest.mark.parametrize(("authored", "open_"), [("2026-11-20", False), ("2026-11-26", True), ("2026-05-01", False)])
def test_a_newer_no_settles_what_could_not_be_read_and_an_old_form_is_not_raised(authored: str, open_: bool) -> None:
    negative = form("phq9", items([f"/{code}" for code in PHQ9], [1] * 8 + [0]), id="n", authored="2026-11-25")
    assert bool(presence("suicide.unread", form("intake", ASKED, authored=authored), negative).possible) is open_


@pytest.mark.parametrize(
    "body",
    [
        form("phq9", items([f"/{code}" for code in PHQ9[:8]], [1] * 8)),
        form("phq9", items([f"/{code}" for code in PHQ9], [1] * 9), status="entered-in-error"),
        form("intake", [{"linkId": "si", "text": "Thoughts of suicide?"}]),
    ],
    ids=["the question is missing", "in error", "nobody answered"],
)
def test_what_was_not_answered_is_not_said_to_be_unread(body: Json) -> None:
    assert not presence("suicide.unread", body).possible
