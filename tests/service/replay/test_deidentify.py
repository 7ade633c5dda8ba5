"""Nothing of names, notes and identifiers is left in what is kept, and the verdicts are the same."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import Any

import pytest

from cds_hooks.hooks.service import HookAnswer
from cds_hooks.replay.deidentify import Deidentifier
from cds_hooks.replay.files import Replay, write_replay
from cds_hooks.replay.recording import Recorder, complete_request
from cds_hooks.replay.wording import TextRedaction
from mappings.schema.codes.vocabulary import load_vocabulary
from tests.support.hooks.calls import (
    DAY,
    HOOKS,
    KETAMINE,
    ORDER_SELECT,
    ORDER_SIGN,
    PATIENT_VIEW,
    PATIENTS,
    TMS,
    answered,
    body,
    called,
    knowledge,
    order,
)

SECRETS = (b"one secret of a site, thirty-two bytes", b"another")
CANARY = "Quibblethorpe"
_FULL_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@cache
def recorder(secret: bytes) -> Recorder:
    return Recorder(knowledge(), secret)


@cache
def wording() -> TextRedaction:
    return TextRedaction(load_vocabulary())


@cache
def hidden() -> Deidentifier:
    return Deidentifier(SECRETS[0], load_vocabulary(), knowledge().medications)


def recorded(request: dict[str, Any], secret: bytes = SECRETS[0]) -> tuple[HookAnswer, Replay]:
    """The answer to a request, and what is kept of it."""
    call = called(request)
    answer = answered(call, DAY)
    assert answer.decision is not None
    return answer, asyncio.run(recorder(secret).replay(call, answer.decision.record, DAY))


@pytest.mark.parametrize("patient", PATIENTS)
@pytest.mark.parametrize("url", [PATIENT_VIEW, ORDER_SIGN, ORDER_SELECT])
def test_every_verdict_and_every_card_stays_what_it_was(patient: str, url: str) -> None:
    drafts = () if url == PATIENT_VIEW else (order(TMS if url == ORDER_SELECT else KETAMINE, patient),)
    for secret in SECRETS:
        answer, kept = recorded(body(url, patient, *drafts), secret)
        again = answered(called(kept.request), kept.as_of)
        assert answer.decision is not None
        assert again.decision is not None
        before = {finding.criterion: finding.verdict for finding in answer.decision.findings}
        assert {finding.criterion: finding.verdict for finding in again.decision.findings} == before
        assert [(card.indicator, undated(card.summary)) for card in again.cards] == [
            (card.indicator, undated(card.summary)) for card in answer.cards
        ]
        assert kept.hook == HOOKS[url]


def undated(summary: str) -> str:
    """The summary without its dates, which are moved; that something happened today or days ago stays."""
    return re.sub(rf"(\d\d? )?\b({'|'.join(knowledge().wording.days.months)})\b( \d{{4}})?", "DAY", summary)


def test_only_dates_are_left_out_of_a_comparison() -> None:
    assert undated("BP 172/104 on 13 Jan; MI Jan 2023, 21 days ago") == "BP 172/104 on DAY; MI DAY, 21 days ago"


@pytest.mark.parametrize("patient", PATIENTS)
def test_no_name_no_identifier_no_note_and_no_date_is_left(patient: str) -> None:
    request = body(ORDER_SIGN, patient, order(KETAMINE, patient))
    _, kept = recorded(request)
    written = write_replay(kept).decode()
    person = request["prefetch"]["patient"]
    names = [name["family"] for name in person["name"]] + [given for name in person["name"] for given in name["given"]]
    identifiers = [each["value"] for each in person["identifier"]]
    ids = {each for each in _values(request, "id") if re.search(r"[-\d]", str(each))}
    for gone in (*names, *identifiers, *ids):
        assert f'"{gone}"' not in written
        assert not re.search(rf"\b{re.escape(gone)}\b", written), gone
    asked = json.dumps(kept.request)  # in the cards, the id of a demo patient may be the name of a diagnosis
    assert not re.search(rf"\b{re.escape(patient)}\b", asked)
    dates = set(_FULL_DATE.findall(json.dumps(request)))
    left = set(_FULL_DATE.findall(json.dumps(kept.request["prefetch"])))
    shift = (DAY - kept.as_of).days
    assert shift >= 30
    moved = {str(date.fromordinal(date.fromisoformat(each).toordinal() - shift)) for each in dates}
    born = kept.request["prefetch"]["patient"]["birthDate"]  # moved by a day more or less, so that the age stays
    assert left - {born} <= moved, "a date that is not one of the record's, moved like all others"


def _values(node: Any, name: str) -> Iterator[Any]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == name:
                yield value
            yield from _values(value, name)
    elif isinstance(node, list):
        for each in node:
            yield from _values(each, name)


@pytest.mark.parametrize("patient", PATIENTS)
def test_a_canary_in_every_string_is_nowhere_afterwards(patient: str) -> None:
    request = body(ORDER_SIGN, patient, order(KETAMINE, patient))
    planted = _planted(request)
    call = called(planted)
    answer = answered(call, DAY)
    if answer.decision is None:
        pytest.skip("the call with canaries assesses nothing")
    written = json.dumps(
        hidden().request(complete_request(call, answer.decision.record), answer.decision.record.patient_id, DAY)
    )
    assert CANARY.lower() not in written.lower()
    assert "5550199" not in written
    raw = json.dumps(hidden().request({**planted, "prefetch": planted["prefetch"]}, patient, DAY))
    assert CANARY.lower() not in raw.lower()
    assert "5550199" not in raw


def _planted(node: Any, key: str = "") -> Any:
    """The same with a name and a number in every string that could hold one, and in members nobody expects."""
    if isinstance(node, dict):
        planted = {name: _planted(value, name) for name, value in node.items()}
        if key not in ("prefetch", "context", ""):
            planted["x-extra"] = f"{CANARY} 5550199"
            planted.setdefault("note", [{"text": f"Call {CANARY} at 5550199, MRN 5550199."}])
            planted.setdefault("telecom", [{"value": "5550199"}])
        return planted
    if isinstance(node, list):
        return [_planted(each, key) for each in node]
    if not isinstance(node, str) or key in ("resourceType", "hook", "hookInstance", "patientId", "reference", "system"):
        return node
    if key in ("text", "display", "valueString", "patientInstruction", "family", "name"):
        return f"{node} {CANARY} 5550199"
    if key == "value":
        return CANARY
    return node


def test_identifiers_are_replaced_the_same_way_and_only_with_the_same_secret() -> None:
    request = body(PATIENT_VIEW, "trauma")
    (_, one), (_, same), (_, other) = (recorded(request, secret) for secret in (*SECRETS[:1] * 2, SECRETS[1]))
    assert write_replay(one) == write_replay(same)
    assert one.request["context"]["patientId"] != other.request["context"]["patientId"]
    assert one.as_of != other.as_of
    patients = {each for each in _values(one.request["prefetch"], "reference") if each.startswith("Patient/")}
    assert patients == {f"Patient/{one.request['context']['patientId']}"}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "Take 1 and 1/2 tablets (150 mg) by mouth every morning",
            "Take 1 and 1/2 tablets (150 mg) by mouth every morning",
        ),
        ("Lack of efficacy, says Mrs Quibblethorpe", "Lack of efficacy, zz zz zz"),
        ("MRN 1001", "zz zz"),
        ("call 555-0199", "call zz"),
        ("sertraline 50mg", "sertraline 50mg"),
        ("born 1980", "zz zz"),
        ("St. John's wort", "St. John's wort"),
        ("St. John's wort for John", "zz. zz zz for zz"),
        ("Ünal Öztürk", "zz zz"),
        ("<b>\u202eJoan</b>", "<zz>zz</zz>"),
        ("", ""),
    ],
)
def test_of_a_text_the_words_that_are_read_are_left(text: str, left: str) -> None:
    assert wording().without_names(text) == left


def test_the_vocabulary_holds_no_name_of_a_source() -> None:
    words = load_vocabulary().words
    assert {"sertraline", "tablet", "daily", "efficacy"} <= words
    assert not {"perera", "cole", "osmind", "quibblethorpe"} & words


def test_a_code_of_nobody_knows_which_system_is_replaced() -> None:
    condition = {
        "resourceType": "Condition",
        "id": "c",
        "code": {"coding": [{"system": "https://local.example", "code": CANARY, "display": CANARY}]},
        "onsetDateTime": CANARY,
        "clinicalStatus": CANARY,
    }
    request = {"hook": "patient-view", "context": {"userId": CANARY}, "prefetch": {"conditions": condition}}
    assert CANARY not in json.dumps(hidden().request(request, "p", DAY))


def kept_of(resource: dict[str, Any], as_of: date = DAY) -> dict[str, Any]:
    """What is kept of one resource."""
    request = {"hook": "patient-view", "context": {"userId": ""}, "prefetch": {"one": resource}}
    found: dict[str, Any] = hidden().request(request, "p", as_of)["prefetch"]["one"]
    return found


@pytest.mark.parametrize("born", ["1925-03-03", "1936-01-15", "1900-12-31"])
def test_a_birth_before_ninety_years_cannot_be_told_from_another(born: str) -> None:
    kept = kept_of({"resourceType": "Patient", "id": "p", "birthDate": born})["birthDate"]
    assert kept == kept_of({"resourceType": "Patient", "id": "p", "birthDate": "1910-01-01"})["birthDate"]


@pytest.mark.parametrize("born", ["2008-01-15", "2008-01-16", "2008-02-29", "1937-06-01"])
def test_the_age_on_the_day_of_the_call_stays(born: str) -> None:
    kept = date.fromisoformat(kept_of({"resourceType": "Patient", "id": "p", "birthDate": born})["birthDate"])
    day = DAY + hidden().calendar("p", DAY).shift

    def age(day: date, birth: date) -> int:
        return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))

    assert age(day, kept) == age(DAY, date.fromisoformat(born))
    assert kept != date.fromisoformat(born)


def test_times_of_day_are_moved_and_keep_their_order() -> None:
    times = ["T00:00:00Z", "T08:15:00Z", "T08:15:00Z", "T08:15:01Z", "T23:59:59Z"]
    moved = [
        kept_of({"resourceType": "Observation", "effectiveDateTime": f"2026-01-10{each}"})["effectiveDateTime"]
        for each in times
    ]
    assert moved == sorted(moved)
    assert moved[1] == moved[2] != moved[3]
    assert not {each[10:] for each in moved} & set(times)
    assert len({each[:10] for each in moved}) == 1


@pytest.mark.parametrize(
    ("value", "unit", "kept"),
    [
        *((97, unit, 90) for unit in ("years", "Years", "YR", "y", "yo", "years old", "a", "[yr]", "ans", "Jahre")),
        (1140, "months", 1080),
        (5000, "wk", 4680),
        (33_000, "days", 32_850),
        (89, "years", 89),
        (97, "mg", 97),
    ],
)
def test_an_age_is_no_higher_than_ninety(value: int, unit: str, kept: int) -> None:
    age = {"resourceType": "Observation", "valueQuantity": {"value": value, "unit": unit}}
    assert kept_of(age)["valueQuantity"]["value"] == kept


CODES_OF_PEOPLE = [
    {"system": "http://loinc.org", "code": f"{CANARY}-1"},
    {"system": "http://snomed.info/sct", "code": f"MRN.{CANARY}"},
    {"system": "http://snomed.info/sct", "code": "Lee.Q"},
    {"system": "http://unitsofmeasure.org", "code": f"{{{CANARY}}}"},
    {"system": "http://unitsofmeasure.org", "code": "LEE"},
    {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "LEE"},
    {"system": f"http://loinc.org/{CANARY}", "code": "1234-5"},
    {"system": f"http://terminology.hl7.org/Patient/{CANARY}", "code": "1234-5"},
    {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "Quibble-Lee"},
    {"system": "http://hl7.org/fhir/sid/us-ssn", "code": "123-45-6789"},
]


@pytest.mark.parametrize("coding", CODES_OF_PEOPLE, ids=str)
def test_what_is_no_code_is_replaced_in_a_known_system_too(coding: dict[str, str]) -> None:
    kept = json.dumps(kept_of({"resourceType": "Condition", "code": {"coding": [coding]}}))
    assert not re.search(f"{CANARY}|Quibble|Lee|LEE|1234-5|6789", kept)


@pytest.mark.parametrize(
    "coding",
    [
        {"system": "http://loinc.org", "code": "LA6568-5"},
        {"system": "http://snomed.info/sct", "code": "370143000"},
        {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F33.2"},
        *(
            {"system": "http://unitsofmeasure.org", "code": unit}
            for unit in ("mm[Hg]", "[IU]/L", "mmol/L", "Cel", "wk")
        ),
        {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"},
        {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PRENC"},
    ],
    ids=str,
)
def test_a_code_stays(coding: dict[str, str]) -> None:
    assert kept_of({"resourceType": "Condition", "code": {"coding": [coding]}})["code"]["coding"] == [coding]


@pytest.mark.parametrize(
    "url",
    [f"http://hl7.org/fhir/Patient/{CANARY}", f"http://loinc.org/{CANARY}", f"http://hl7.org/fhir/?name={CANARY}"],
)
def test_an_address_that_begins_as_one_of_fhir_names_nobody(url: str) -> None:
    form = {"resourceType": "QuestionnaireResponse", "questionnaire": url, "extension": [{"url": url}]}
    assert CANARY not in json.dumps(kept_of(form))


@pytest.mark.parametrize("link", ["Li.Wu.Yu", "1985-03-12", "0171/5550199", "MRN-5550199", "Jo-Ann", "19850312", "Itō"])
def test_a_link_that_may_be_somebodys_is_replaced(link: str) -> None:
    form = {"resourceType": "QuestionnaireResponse", "item": [{"linkId": link}]}
    assert link not in json.dumps(kept_of(form))


@pytest.mark.parametrize("link", ["phq9-q1", "/44250-9", "1.2.3", "44249-1"])
def test_a_link_of_a_form_stays(link: str) -> None:
    form = {"resourceType": "QuestionnaireResponse", "item": [{"linkId": link}]}
    assert kept_of(form)["item"] == [{"linkId": link}]


def test_a_number_that_is_no_answer_and_a_timing_that_is_none_are_left_out() -> None:
    assert "123456" not in json.dumps(kept_of({"resourceType": "Observation", "valueInteger": 123456}))
    when = ["HS", "PC", "MORN.early", "HEARD", "PC.heard"]
    order = {"resourceType": "MedicationRequest", "dosageInstruction": [{"timing": {"repeat": {"when": when}}}]}
    assert kept_of(order)["dosageInstruction"][0]["timing"]["repeat"]["when"] == ["HS", "PC", "MORN.early"]


def test_the_name_of_a_patient_and_what_a_reference_shows_are_left_out() -> None:
    name = {"text": "Take Tablet", "family": "Tablet"}
    assert "tablet" not in json.dumps(kept_of({"resourceType": "Patient", "id": "p", "name": [name]})).lower()
    order = {"resourceType": "MedicationRequest", "subject": {"reference": "Patient/p", "display": "Tablet, Daily"}}
    assert "tablet" not in json.dumps(kept_of(order)).lower()


def test_a_brand_is_written_as_what_it_contains() -> None:
    order = {"resourceType": "MedicationRequest", "medicationCodeableConcept": {"text": "Zestril 10 mg"}}
    assert kept_of(order)["medicationCodeableConcept"] == {"text": "lisinopril 10 mg"}


def test_a_structured_dosage_is_kept() -> None:
    timing = {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}}
    dosage = {"timing": timing, "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}]}
    assert kept_of({"resourceType": "MedicationRequest", "dosageInstruction": [dosage]})["dosageInstruction"] == [
        dosage
    ]
