"""$extract and the Questionnaires: valid R4, and the same scores when read back."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import date
from random import Random
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import FastAPI
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome
from fhir.resources.R4B.questionnaire import Questionnaire as R4Questionnaire

from cds_hooks.application.app import create_app
from cds_hooks.application.questionnaires import router
from cds_hooks.settings.settings import Settings
from fhir_plugin.errors import WrongQuestionnaire
from fhir_plugin.facts.scores.read import ScoreHistory, read_scores
from fhir_plugin.record.record import Input, InputState, Record
from fhir_plugin.record.resources import Observation, Questionnaire, QuestionnaireResponse
from fhir_plugin.scales.extraction import build_observation, write_observation
from fhir_plugin.scales.questionnaires import build_questionnaire
from fhir_plugin.scales.scoring import score
from tests.support.scores.responses import response
from tests.support.shipped import shipped

INSTRUMENTS = shipped().instruments
PATH = "/fhir/QuestionnaireResponse/$extract"
APP = FastAPI()
APP.include_router(router(INSTRUMENTS))


def call(method: str, path: str, body: bytes | None = None, app: FastAPI = APP) -> httpx.Response:
    async def once() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.request(method, path, content=body)

    return asyncio.run(once())


def some_answers(name: str, seed: int) -> list[int | None]:
    random = Random(seed)  # noqa: S311 - the same answers every time
    instrument = INSTRUMENTS[name]
    return [
        random.choice([option.value for option in INSTRUMENTS.answer_list(instrument, item).options])
        for item in instrument.items
    ]


def sent(name: str, values: list[int | None], **more: Any) -> bytes:
    more = {"id": "r1", "authored": "2024-03-05T10:00:00Z", "subject": {"reference": "Patient/1"}, **more}
    return response(INSTRUMENTS, INSTRUMENTS[name], values, **more)


MOMENTS = ("2024-03-05T10:00:00Z", "2024-03-05T10:00:00.25+02:00", "2024-03-05", "2024-03", "2024", None)


@pytest.mark.parametrize("name", sorted(INSTRUMENTS.forms))
def test_an_observation_is_written_as_its_model_writes_itself(name: str) -> None:
    for seed, moment in enumerate(MOMENTS):
        more = {"authored": moment, "encounter": {"reference": "Encounter/1"}, "author": {"reference": "Patient/1"}}
        raw = json.loads(sent(name, some_answers(name, seed), **(more if seed % 2 else {"authored": moment})))
        read = msgspec.json.decode(msgspec.json.encode(raw), type=QuestionnaireResponse)
        scored = score(read, INSTRUMENTS)
        if scored.total is None and scored.severity is None:
            continue
        expected = build_observation(read, scored, INSTRUMENTS).model_dump_json()
        assert write_observation(read, scored, INSTRUMENTS).decode() == expected


def test_an_observation_that_would_not_be_valid_is_not_written() -> None:
    name = min(INSTRUMENTS.forms)
    read = msgspec.json.decode(sent(name, some_answers(name, 1), authored="yesterday"), type=QuestionnaireResponse)
    with pytest.raises(WrongQuestionnaire, match="effectiveDateTime"):
        write_observation(read, score(read, INSTRUMENTS), INSTRUMENTS)


def history(*resources: QuestionnaireResponse | Observation) -> ScoreHistory:
    responses = tuple(each for each in resources if isinstance(each, QuestionnaireResponse))
    observations = tuple(each for each in resources if isinstance(each, Observation))
    inputs = {
        "questionnaireResponses": Input(InputState.COMPLETE, responses),
        "observations": Input(InputState.COMPLETE, observations),
    }
    return read_scores(Record("1", inputs), INSTRUMENTS, date(2024, 6, 1))


@pytest.mark.parametrize("name", sorted(INSTRUMENTS.forms))
@pytest.mark.parametrize("seed", range(5))
def test_observations_give_the_same_series_as_the_response(name: str, seed: int) -> None:
    raw = sent(name, some_answers(name, seed))
    answer = call("POST", PATH, raw)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/fhir+json")
    Bundle.model_validate_json(answer.text)
    (entry,) = answer.json()["entry"]
    observation = msgspec.convert({"id": "o1", **entry["resource"]}, Observation)
    read = msgspec.json.decode(raw, type=QuestionnaireResponse)
    (direct,), (back,), (both,) = (
        history(read).assessments,
        history(observation).assessments,
        history(read, observation).assessments,
    )
    for other in (back, both):
        assert (other.instrument, other.total, other.severity) == (direct.instrument, direct.total, direct.severity)
        assert (other.day, other.items, other.suicide_item_positive) == (
            direct.day,
            direct.items,
            direct.suicide_item_positive,
        )
    assert both.recorded_as == ("Observation/o1",)


def test_the_observation_says_what_it_is_derived_from() -> None:
    (entry,) = call("POST", PATH, sent("phq9", [1] * 9)).json()["entry"]
    resource = entry["resource"]
    assert resource["derivedFrom"] == [{"reference": "QuestionnaireResponse/r1"}]
    assert resource["category"][0]["coding"][0]["code"] == "survey"
    assert resource["interpretation"] == [{"text": "mild"}]
    assert resource["subject"] == {"reference": "Patient/1"}
    assert entry["request"] == {"method": "POST", "url": "Observation"}


def test_parameters_are_read_with_their_questionnaire() -> None:
    raw = json.loads(sent("phq9", [1] * 9, links="q{number}", questionnaire="urn:x"))
    codes = [item.code for item in INSTRUMENTS["phq9"].items]
    items = [{"linkId": f"q{place}", "code": [{"code": code}]} for place, code in enumerate(codes, 1)]
    parameters = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "questionnaire-response", "resource": raw},
            {"name": "questionnaire", "resource": {"resourceType": "Questionnaire", "item": items}},
        ],
    }
    assert call("POST", PATH, json.dumps(parameters).encode()).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"{", 400, "not a JSON object"),
        (b"[]", 400, "not a JSON object"),
        (b"", 400, "not a JSON object"),
        (b"\xff\xfe", 400, "not a JSON object"),
        (b"{}", 422, "no instrument is recognised"),
        (b'{"resourceType":"Patient"}', 422, "no QuestionnaireResponse"),
        (b'{"resourceType":"Parameters"}', 422, "questionnaire-response is missing"),
        (b'{"resourceType":"QuestionnaireResponse","status":"completed"}', 422, "no instrument is recognised"),
        (sent("phq9", [1] * 8 + [None]), 422, "missing: 44260-8 (thoughts of death or self-harm)"),
        (sent("phq9", [1] * 8 + [4], form="integer"), 422, "out of range: 44260-8 (thoughts of death or self-harm)"),
        (sent("phq9", [1] * 9, status="in-progress"), 422, "status: in-progress"),
        (sent("cssrs_screener", [0, None, None, None, None, 0, None]), 422, "missing: 93247-5"),
        (sent("phq9", [1] * 9, authored="yesterday"), 422, "not valid FHIR R4 in effectiveDateTime"),
    ],
)
def test_a_refusal_says_what_and_where(body: bytes, status: int, says: str) -> None:
    answer = call("POST", PATH, body)
    assert answer.status_code == status
    outcome = OperationOutcome.model_validate_json(answer.text)
    assert any(says in issue.diagnostics for issue in outcome.issue)


def test_a_refusal_holds_nothing_of_the_patient() -> None:
    canary = "CANARY-7731"
    raw = sent("phq9", [None] * 9, id=canary, subject={"reference": f"Patient/{canary}"}, authored=canary)
    answer = call("POST", PATH, raw)
    assert answer.status_code == 422
    assert canary not in answer.text


@pytest.mark.parametrize("name", sorted(INSTRUMENTS.forms))
def test_our_questionnaire_is_valid_and_its_answers_are_scored(name: str) -> None:
    answer = call("GET", f"/fhir/Questionnaire/{name.replace('_', '-')}")
    R4Questionnaire.model_validate_json(answer.text)
    body = answer.json()
    values = some_answers(name, 7)
    form = INSTRUMENTS.forms[name]
    items = []
    for place, item in enumerate(form.instrument.items):
        option = next(
            option
            for option in body["item"][place]["answerOption"]
            if option["extension"][0]["valueDecimal"] == values[place]
        )
        given = {key: value for key, value in option.items() if key.startswith("value")}
        items.append({"linkId": body["item"][place]["linkId"], "answer": [given]})
        assert body["item"][place]["text"] == (item.wording or item.label)
    raw = {"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": body["url"], "item": items}
    read = msgspec.convert(raw, QuestionnaireResponse)
    alone = score(read, INSTRUMENTS)
    assert alone.instrument == name
    assert list(alone.items.values()) == values
    assert score(read, INSTRUMENTS, msgspec.convert(body, Questionnaire)).total == alone.total


def test_wording_is_shipped_only_where_it_may_be() -> None:
    worded = {
        form.instrument.id for form in INSTRUMENTS.forms.values() if any(i.wording for i in form.instrument.items)
    }
    assert worded == {"phq9", "phq2", "gad7", "pcl5"}
    assert all(item.wording for name in worded for item in INSTRUMENTS[name].items)


def test_the_total_is_never_calculated_from_some_answers() -> None:
    body = json.loads(build_questionnaire(INSTRUMENTS.forms["phq9"], INSTRUMENTS).model_dump_json())
    total = body["item"][-1]
    expression = total["extension"][0]["valueExpression"]["expression"]
    assert total["readOnly"]
    assert ".count() = 9" in expression
    assert expression.endswith("{})")


def test_the_list_and_the_capabilities_are_valid() -> None:
    bundle = Bundle.model_validate_json(call("GET", "/fhir/Questionnaire").text)
    assert bundle.total == len(INSTRUMENTS.forms) == len(bundle.entry)
    assert [(link.relation, link.url) for link in bundle.link] == [("self", "http://test/fhir/Questionnaire")]
    for entry in bundle.entry:
        assert entry.fullUrl == f"http://test/fhir/Questionnaire/{entry.resource.id}"
        assert re.fullmatch(r"[A-Z][A-Za-z0-9_]{0,254}", entry.resource.name), "constraint que-0"
        path = entry.fullUrl.removeprefix("http://test")
        assert call("GET", path).json() == json.loads(entry.resource.model_dump_json())
    assert len({entry.resource.name for entry in bundle.entry}) == len(bundle.entry)
    CapabilityStatement.model_validate_json(call("GET", "/fhir/metadata").text)
    missing = call("GET", "/fhir/Questionnaire/none")
    assert missing.status_code == 404
    OperationOutcome.model_validate_json(missing.text)


def test_addresses_are_those_at_which_clients_reach_the_service() -> None:
    app = create_app(Settings(public_url="https://cds.example/tandem"), shipped())
    bundle = call("GET", "/fhir/Questionnaire", app=app).json()
    assert bundle["link"] == [{"relation": "self", "url": "https://cds.example/tandem/fhir/Questionnaire"}]
    assert bundle["entry"][0]["fullUrl"].startswith("https://cds.example/tandem/fhir/Questionnaire/")


@pytest.mark.parametrize(
    ("author", "performer"),
    [
        ({"reference": "Practitioner/1"}, [{"reference": "Practitioner/1"}]),
        ({"reference": "Device/1"}, None),
        ({"display": "Dr A"}, None),
        (["Practitioner/1"], None),
        (3, None),
    ],
)
def test_the_author_is_the_performer_and_one_that_cannot_be_read_costs_no_answer(author: Any, performer: Any) -> None:
    (entry,) = call("POST", PATH, sent("phq9", [1] * 9, author=author)).json()["entry"]
    assert entry["resource"].get("performer") == performer
    assert entry["resource"]["valueQuantity"]["value"] == 9


def test_the_service_offers_it_within_its_limits() -> None:
    app = create_app(Settings(max_body_bytes=5_000), shipped())
    assert call("POST", PATH, sent("phq9", [1] * 9), app).status_code == 200
    assert call("GET", "/fhir/Questionnaire/phq9", app=app).status_code == 200
    refused = call("POST", PATH, b" " * 5_001, app)
    assert refused.status_code == 413
    OperationOutcome.model_validate_json(refused.text)
