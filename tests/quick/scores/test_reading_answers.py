"""The forms in which servers send answers, and the answers that must count nothing."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fhir_plugin.errors import WrongQuestionnaire
from fhir_plugin.record.resources import Questionnaire, QuestionnaireResponse
from fhir_plugin.scales.scoring import Score, score, score_all
from mappings.schema.instruments import Instruments
from tests.support.scores.responses import response
from tests.support.shipped import shipped

ORDINAL = "http://hl7.org/fhir/StructureDefinition/ordinalValue"
WEIGHT = "http://hl7.org/fhir/StructureDefinition/itemWeight"
INSTRUMENTS = shipped().instruments
CODES = [item.code for item in INSTRUMENTS["phq9"].items]


def scored(body: dict[str, Any] | bytes, questionnaire: dict[str, Any] | None = None) -> Score:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    asked = msgspec.convert(questionnaire, Questionnaire) if questionnaire else None
    return score(msgspec.json.decode(raw, type=QuestionnaireResponse), INSTRUMENTS, asked)


def all_scored(body: dict[str, Any], questionnaire: dict[str, Any] | None = None) -> tuple[Score, ...]:
    asked = msgspec.convert(questionnaire, Questionnaire) if questionnaire else None
    return score_all(msgspec.json.decode(json.dumps(body), type=QuestionnaireResponse), INSTRUMENTS, asked)


def phq9(*answers: dict[str, Any], name: str = "phq-9", **more: Any) -> dict[str, Any]:
    filled = [*answers, *[{"valueInteger": 1}] * (9 - len(answers))]
    return {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "questionnaire": f"http://example.org/{name}",
        "item": [{"linkId": f"/{code}", "answer": [given]} for code, given in zip(CODES, filled, strict=True)],
        **more,
    }


LOINC = {"system": "http://loinc.org"}


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ({"valueCoding": {**LOINC, "code": "LA6570-1"}}, 2),
        ({"valueCoding": {"code": "LA6570-1"}}, 2),
        ({"valueInteger": 2}, 2),
        ({"valueDecimal": 2.0}, 2),
        ({"valueQuantity": {"value": 2}}, 2),
        ({"valueString": "  more than HALF the days "}, 2),
        ({"valueCoding": {"system": "urn:x", "code": "m", "display": "More than half the days"}}, 2),
        ({"valueCoding": {"system": "urn:x", "code": "m", "extension": [{"url": ORDINAL, "valueDecimal": 2}]}}, 2),
        ({"valueCoding": {"code": "m"}, "extension": [{"url": WEIGHT, "valueDecimal": 2}]}, 2),
        ({"valueCoding": {**LOINC, "code": "LA6570-1", "extension": [{"url": ORDINAL, "valueDecimal": 2}]}}, 2),
        (
            {"valueCoding": {**LOINC, "code": "LA6568-5", "extension": [{"url": ORDINAL, "valueDecimal": 5}]}},
            "weight_conflict",
        ),
        ({"valueCoding": {**LOINC, "code": "LA6572-7", "display": "Several days"}}, "unknown_answer"),
        ({"valueCoding": {"system": "urn:x", "code": "LA6570-1"}}, "unknown_answer"),
        (
            {"valueCoding": {"system": "urn:x", "code": "m", "extension": [{"url": ORDINAL, "valueDecimal": 9}]}},
            "out_of_range",
        ),
        ({"valueInteger": 4}, "out_of_range"),
        ({"valueInteger": -1}, "out_of_range"),
        ({"valueDecimal": 1.5}, "out_of_range"),
        ({"valueString": "Some days"}, "unknown_answer"),
        ({"valueString": "2"}, "unknown_answer"),
        ({"valueBoolean": True}, "unknown_answer"),
        ({}, None),
        ({"valueString": "  "}, None),
        (
            {
                "valueCoding": {
                    "system": "http://terminology.hl7.org/CodeSystem/data-absent-reason",
                    "code": "asked-declined",
                }
            },
            None,
        ),
    ],
)
def test_an_answer_counts_what_it_says_or_nothing(answer: dict[str, Any], value: int | str | None) -> None:
    found = scored(phq9(answer))
    if isinstance(value, int):
        assert (found.total, found.flags) == (8 + value, ("item9_positive",))
    else:
        assert found.total is None
        assert (f"{value}:44250-9" if value else "missing:44250-9") in found.flags


def test_two_different_answers_to_one_item_are_a_conflict() -> None:
    body = phq9()
    body["item"].append({"linkId": "/44250-9", "answer": [{"valueInteger": 2}]})
    found = scored(body)
    assert (found.total, "duplicate_conflict:44250-9" in found.flags) == (None, True)


@pytest.mark.parametrize("status", ["in-progress", "stopped", "entered-in-error", "nonsense"])
def test_a_response_that_is_not_finished_has_no_total(status: str) -> None:
    found = scored(phq9(status=status))
    assert (found.total, f"status:{status}" in found.flags) == (None, True)


def test_an_unfinished_response_still_tells_of_suicide_and_a_void_one_does_not() -> None:
    assert "item9_positive" in scored(phq9(status="in-progress")).flags
    assert scored(phq9(status="entered-in-error")).items == {}


def test_items_in_groups_and_under_answers_are_found() -> None:
    body = phq9()
    first, *rest = body["item"]
    body["item"] = [
        {"linkId": "g", "item": [{"linkId": "h", "item": [first]}, {"linkId": "a", "answer": [{"item": rest}]}]}
    ]
    assert scored(body).total == 9


def test_the_total_of_the_sdc_example_is_recomputed() -> None:
    words = ["Not at all"] * 3 + ["Several days", "More than half the days", "Several days", "Nearly every day"]
    words += ["More than half the days", "Several days"]
    items = [
        {
            "linkId": f"H1/T1/Q{place}",
            "answer": [{"valueCoding": {"system": "urn:csphq9", "code": word, "display": word}}],
        }
        for place, word in enumerate(words, 1)
    ]
    body = {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "questionnaire": "http://hl7.org/fhir/uv/sdc/Questionnaire/questionnaire-sdc-profile-example-PHQ9|3.0",
        "item": [{"linkId": "H1/T1", "item": items}, {"linkId": "H1/TS", "answer": [{"valueDecimal": 13}]}],
    }
    found = scored(body)
    assert (found.total, found.stored_total) == (10, 13)
    assert set(found.flags) == {"item9_positive", "stored_total_mismatch:13"}


@pytest.mark.parametrize("style", ["/44249-1/{code}", "PHQ-9.{number}", "phq-phq9-q{number:02}"])
def test_other_linkids_that_say_what_they_are(style: str) -> None:
    instrument = INSTRUMENTS["phq9"]
    assert scored(response(INSTRUMENTS, instrument, [1] * 9, links=style)).total == 9


def test_unknown_linkids_are_read_through_the_questionnaire() -> None:
    body = json.loads(response(INSTRUMENTS, INSTRUMENTS["phq9"], [1] * 9, links="q{number}", questionnaire="urn:x"))
    with pytest.raises(WrongQuestionnaire, match="no instrument is recognised"):
        scored(body)
    questionnaire = {
        "resourceType": "Questionnaire",
        "item": [
            {
                "linkId": "g",
                "item": [
                    {"linkId": f"q{place}", "code": [{"system": "http://loinc.org", "code": code}]}
                    for place, code in enumerate(CODES, 1)
                ],
            }
        ],
    }
    assert scored(body, questionnaire).total == 9
    assert scored({**body, "contained": [{"resourceType": "Patient"}, questionnaire]}).total == 9


def test_weights_come_from_the_options_of_the_questionnaire() -> None:
    body = phq9(*[{"valueCoding": {"system": "urn:mine", "code": "c"}}] * 9)
    option = {"valueCoding": {"system": "urn:mine", "code": "c"}, "extension": [{"url": WEIGHT, "valueDecimal": 3}]}
    items = [{"linkId": f"/{code}", "answerOption": [option]} for code in CODES]
    assert scored(body).total is None
    assert scored(body, {"resourceType": "Questionnaire", "item": items}).total == 27


def test_a_wrong_panel_code_yields_to_the_items() -> None:
    raw = response(INSTRUMENTS, INSTRUMENTS["gad7"], [1] * 7, questionnaire="http://example.org/44249-1")
    assert scored(raw).instrument == "gad7"


def test_a_form_of_two_halves_is_the_instrument_that_is_whole_and_not_the_one_that_is_begun() -> None:
    body = phq9(name="phq-4")
    body["item"] = [
        {"linkId": f"/{code}", "answer": [{"valueInteger": 1}]} for code in ("69725-0", "68509-9", *CODES[:2])
    ]
    assert [(found.instrument, found.total) for found in all_scored(body)] == [("phq2", 2)]


def test_the_count_that_is_not_item_one_of_audit_c_is_not_scored() -> None:
    raw = response(INSTRUMENTS, INSTRUMENTS["audit_c"], [None, 1, 2], more={"/68517-2": 3})
    found = scored(raw)
    assert (found.total, "missing:68518-0" in found.flags) == (None, True)


def test_the_teenage_form_is_not_taken_for_phq9() -> None:
    body = phq9(name="phq-9-teen")
    body["item"] = [{"linkId": f"t{place}", "answer": [{"valueInteger": 1}]} for place in range(9)]
    with pytest.raises(WrongQuestionnaire):
        scored(body)


TEXT = st.sampled_from(["", "x", "url", "system", "valueDecimal"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 30) | st.floats(-2, 9) | TEXT,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(TEXT, children, max_size=3),
    max_leaves=5,
)
ANSWER = st.one_of(
    st.fixed_dictionaries({"valueInteger": st.integers(-3, 6)}),
    st.fixed_dictionaries({"valueDecimal": st.floats(-3, 6)}),
    st.fixed_dictionaries({"valueString": st.sampled_from(["Not at all", "several days", "", "x"])}),
    st.fixed_dictionaries(
        {
            "valueCoding": st.fixed_dictionaries(
                {
                    "system": st.sampled_from(["http://loinc.org", "urn:x", "http://snomed.info/sct"]),
                    "code": st.sampled_from(["LA6568-5", "LA6571-9", "LA33-6", "x"]),
                }
            )
        }
    ),
    st.dictionaries(st.sampled_from(["valueInteger", "valueCoding", "valueBoolean", "item"]), JSON, max_size=2),
)
ITEM = st.fixed_dictionaries(
    {"linkId": st.sampled_from([f"/{code}" for code in CODES] + ["/44261-6", "q1", ""])},
    optional={"answer": st.lists(ANSWER, max_size=2)},
)


@given(st.lists(ITEM, max_size=14), st.sampled_from(["completed", "amended", "in-progress", None]))
@example([{"linkId": "/44261-6", "answer": [{"valueInteger": 0}]}], "completed")
def test_a_malformed_response_never_gives_a_total_from_wrong_answers(
    items: list[dict[str, Any]], status: str | None
) -> None:
    body = {"resourceType": "QuestionnaireResponse", "questionnaire": "x/phq-9", "status": status, "item": items}
    try:
        found = scored(json.dumps(body).encode())
    except (msgspec.ValidationError, WrongQuestionnaire):
        return
    if "total_as_recorded" in found.flags:
        told = [answer for item in items if item["linkId"] == "/44261-6" for answer in item.get("answer", ())]
        assert found.total is None or found.total in [value for answer in told for value in answer.values()]
    elif found.total is not None:
        assert status != "in-progress"
        values = list(found.items.values())
        assert all(value in (0, 1, 2, 3) for value in values)
        assert found.total == sum(value or 0 for value in values)
        answered = {item["linkId"] for item in items if item.get("answer")}
        assert answered >= {f"/{code}" for code in CODES}


def test_one_bad_answer_among_good_ones_is_named(instruments: Instruments) -> None:
    found = scored(phq9({"valueInteger": 7}))
    assert [flag for flag in found.flags if ":" in flag] == ["out_of_range:44250-9"]
