"""One value at a time: states, subjects, isolation of what cannot be read."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from typing import Any

import msgspec
import pytest

from fhir_plugin.errors import BadInput, WrongPatient
from fhir_plugin.record.datatypes import Meta
from fhir_plugin.record.decoding import DecodedInput, decode_value, deduplicated, record_from_bundle
from fhir_plugin.record.record import InputState
from fhir_plugin.record.resources import Condition
from tests.support.reading.material import OTHER, PATIENT, bundle, outcome, patient, resource, to_bytes

COMPLETE, PARTIAL, UNREADABLE, NONE = (
    InputState.COMPLETE,
    InputState.PARTIAL,
    InputState.UNREADABLE,
    InputState.NONE,
)
CONDITION = resource("Condition")
SPOILED = resource("Condition", "bad", code="not an object")


@pytest.mark.parametrize(
    ("value", "state", "count", "worth_asking"),
    [
        (b"null", NONE, 0, False),
        (b" null\n", NONE, 0, False),
        (bundle(), COMPLETE, 0, False),
        (b'{"resourceType":"Bundle"}', COMPLETE, 0, False),
        (b'{"resourceType":"Bundle","entry":null}', COMPLETE, 0, False),
        (b'{"entry":[],"resourceType":"Bundle","total":0}', COMPLETE, 0, False),
        (bundle(CONDITION), COMPLETE, 1, False),
        (bundle(CONDITION, type="collection", total="odd"), COMPLETE, 1, False),
        (bundle(CONDITION, total=1), COMPLETE, 1, False),
        (bundle(CONDITION, total=0), COMPLETE, 1, False),
        (bundle(CONDITION, total=-1), COMPLETE, 1, False),
        (bundle(CONDITION, total=None), COMPLETE, 1, False),
        (bundle(CONDITION, total=2), PARTIAL, 1, True),
        (bundle(total=2), PARTIAL, 0, True),
        (bundle(CONDITION, total="250"), PARTIAL, 1, True),
        (bundle(CONDITION, SPOILED, total=2), PARTIAL, 1, False),
        (bundle(CONDITION, SPOILED, total=3), PARTIAL, 1, True),
        (bundle(CONDITION, {"resourceType": "Practitioner"}, total=1), COMPLETE, 1, False),
        (bundle(CONDITION, {"resourceType": "Practitioner"}, total=2), PARTIAL, 1, True),
        (bundle(CONDITION, next_url="http://h/2"), PARTIAL, 1, True),
        (bundle(CONDITION, link={"relation": "next"}), PARTIAL, 1, True),
        (bundle(CONDITION, SPOILED), PARTIAL, 1, False),
        (bundle(CONDITION, None), PARTIAL, 1, False),
        (bundle(CONDITION, 7), PARTIAL, 1, False),  # type: ignore[arg-type]
        (bundle(CONDITION, {"resourceType": "Practitioner"}), COMPLETE, 1, False),
        (bundle({"resourceType": "Practitioner"}), PARTIAL, 0, False),
        (bundle(resource("Observation")), PARTIAL, 0, False),
        (bundle(CONDITION, {"resourceType": "Bundle", "entry": []}), PARTIAL, 1, False),
        (bundle(CONDITION, outcome("warning", "not-supported")), COMPLETE, 1, False),
        (bundle(CONDITION, outcome("warning", "suppressed")), PARTIAL, 1, False),
        (bundle(CONDITION, outcome("error", "exception")), PARTIAL, 1, False),
        (bundle(resource("Condition", about=None)), PARTIAL, 0, False),
        (to_bytes(CONDITION), PARTIAL, 1, True),
        (to_bytes(SPOILED), UNREADABLE, 0, True),
        (to_bytes(outcome()), UNREADABLE, 0, False),
        (to_bytes(patient()), UNREADABLE, 0, True),
        (to_bytes({"resourceType": "Group"}), UNREADABLE, 0, True),
        (b'{"resourceType":"Bundle","entry":{}}', UNREADABLE, 0, True),
        (b"", UNREADABLE, 0, True),
        (b"[]", UNREADABLE, 0, True),
        (b"{}", UNREADABLE, 0, True),
        (b"<html>", UNREADABLE, 0, True),
        (b"\xff\xfe", UNREADABLE, 0, True),
        (b"[" * 100_000, UNREADABLE, 0, True),
        (b'{"resourceType":"Bundle","x":' + b"[" * 100_000, UNREADABLE, 0, True),
    ],
)
def test_state_of_a_value(value: bytes, state: InputState, count: int, *, worth_asking: bool) -> None:
    decoded = decode_value("conditions", value, PATIENT)
    assert (decoded.input.state, len(decoded.input.resources)) == (state, count)
    assert decoded.worth_asking == worth_asking
    if state in (PARTIAL, UNREADABLE) and decoded.next_url is None:
        assert decoded.unread or decoded.warnings, "what is not whole says why"
    assert "Canary" not in repr(decoded)


def test_raw_is_read_like_bytes() -> None:
    raw = msgspec.json.decode(b'{"conditions":' + bundle(CONDITION) + b"}", type=dict[str, msgspec.Raw])
    assert decode_value("conditions", raw["conditions"], PATIENT).input.state is COMPLETE


def test_what_cannot_be_read_is_listed_by_place_without_its_content() -> None:
    decoded = decode_value("conditions", bundle(CONDITION, resource("Condition", code={"text": ["Canary"]})), PATIENT)
    assert [(each.where, "Canary" in each.why) for each in decoded.unread] == [("conditions.entry[1]", False)]
    assert "code.text" in decoded.unread[0].why


def test_too_deep_a_resource_does_not_escape() -> None:
    deep = b'{"resourceType":"QuestionnaireResponse","item":' + b'[{"item":' * 50_000
    assert decode_value("questionnaireResponses", deep, PATIENT).input.state is UNREADABLE


BASE = "https://ehr.example/fhir"


@pytest.mark.parametrize(
    ("about", "kept", "dropped"),
    [
        (PATIENT, 1, 0),
        (f"Patient/{PATIENT}", 1, 0),
        (f"Patient/{PATIENT}/", 1, 0),
        (f"Patient/{PATIENT}/_history/3", 1, 0),
        (f"{BASE}/Patient/{PATIENT}", 1, 0),
        (f"{BASE}/Patient/{PATIENT}/_history/3", 1, 0),
        (f"HTTPS://EHR.example:443/fhir/Patient/{PATIENT}", 1, 0),
        (f"https://inside.example:8080/r4/Patient/{PATIENT}", 1, 0),
        (f"urn:uuid:{PATIENT}", 1, 0),
        (f"https://elsewhere.example/fhir/Patient/{PATIENT}", 0, 0),
        (f"Patient/{OTHER}", 0, 1),
        (f"Patient/{PATIENT}0", 0, 1),
        (f"Patient/{PATIENT.upper()}", 0, 1),
        (f"{BASE}/Patient/{OTHER}", 0, 1),
        (OTHER, 0, 1),
        (f"Group/{PATIENT}", 0, 1),
        (f"Patient/{OTHER}/_history/{PATIENT}", 0, 1),
        (f"Patient?identifier={PATIENT}", 0, 0),
        ("#contained", 0, 0),
        ("urn:uuid:nobody-here", 0, 0),
        ("", 0, 0),
    ],
)
def test_whom_a_resource_is_about(about: str, kept: int, dropped: int) -> None:
    entry = {"fullUrl": "https://inside.example:8080/r4/Condition/1", "resource": resource("Condition", about=about)}
    decoded = decode_value("conditions", to_bytes({"resourceType": "Bundle", "entry": [entry]}), PATIENT, BASE)
    assert (len(decoded.input.resources), decoded.dropped) == (kept, dropped)
    assert len(decoded.unread) == 1 - kept - dropped, "neither kept nor dropped: listed, and the input is partial"
    assert decoded.input.whole == (not decoded.unread)


def test_a_byte_order_mark_before_the_file_is_passed_over() -> None:
    raw = bundle(patient())
    assert record_from_bundle(BOM_UTF8 + raw) == record_from_bundle(raw)


@pytest.mark.parametrize(
    ("focus", "kept"),
    [([], 1), ([f"Patient/{PATIENT}"], 1), (["RelatedPerson/mother"], 0), ([f"Patient/{OTHER}"], 0), ([None], 0)],
)
def test_an_observation_in_the_record_that_is_about_somebody_else(focus: list[str | None], kept: int) -> None:
    made = resource("Observation", focus=[{"reference": each} for each in focus])
    decoded = decode_value("observations", bundle(made), PATIENT)
    assert (len(decoded.input.resources), decoded.dropped) == (kept, 1 - kept)


def test_a_urn_is_resolved_through_the_patient_of_the_bundle() -> None:
    def with_patients(*patients: tuple[str, str]) -> bytes:
        entries = [{"fullUrl": url, "resource": patient(number)} for url, number in patients]
        entries.append({"fullUrl": "urn:uuid:c", "resource": resource("Condition", about="urn:uuid:a")})
        return to_bytes({"resourceType": "Bundle", "entry": entries})

    def count(*patients: tuple[str, str]) -> tuple[int, int]:
        decoded = decode_value("conditions", with_patients(*patients), PATIENT)
        return len(decoded.input.resources), decoded.dropped

    assert count(("urn:uuid:a", PATIENT)) == (1, 0)
    assert count(("urn:uuid:a", OTHER)) == (0, 1)
    assert count(("urn:uuid:a", OTHER), ("urn:uuid:a", PATIENT)) == (0, 0), "it stands for two, so for nobody"


def test_the_patient() -> None:
    def read(value: bytes) -> tuple[InputState, int]:
        decoded = decode_value("patient", value, PATIENT)
        return decoded.input.state, len(decoded.input.resources)

    assert read(to_bytes(patient())) == (COMPLETE, 1)
    assert read(bundle(patient(OTHER), patient())) == (COMPLETE, 1)
    assert read(to_bytes({"resourceType": "Patient"})) == (UNREADABLE, 0)
    assert read(b"null") == (NONE, 0)
    for wrong in (to_bytes(patient(OTHER)), bundle(patient(OTHER))):
        with pytest.raises(WrongPatient, match="not the patient in context"):
            read(wrong)


def test_medications_of_a_bundle_are_kept_aside() -> None:
    order = resource("MedicationRequest", medicationReference={"reference": "Medication/m1"})
    decoded = decode_value("medicationRequests", bundle(order, {"resourceType": "Medication", "id": "m1"}), PATIENT)
    assert decoded.input.state is COMPLETE
    assert set(decoded.medications) == {"Medication/m1"}


def test_of_two_versions_the_later_is_kept_in_any_order() -> None:
    old = Condition(id="1", meta=Meta(last_updated="2024-01-01"), recorded_date="2024")
    new = Condition(id="1", meta=Meta(last_updated="2024-06-01"), recorded_date="2025")
    nameless = Condition()
    assert deduplicated([old, nameless, new, nameless]) == (new, nameless, nameless)
    assert deduplicated([new, old]) == deduplicated([old, new]) == (new,)


# A file as the record


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ({"coding": [{"system": "http://terminology.example.org/local", "code": "17"}]}, PARTIAL),
        ({"coding": [{"code": "85354-9"}]}, PARTIAL),
        ({}, PARTIAL),
        ({"coding": [{"system": "http://terminology.example.org/local", "code": "17", "display": "Pulse"}]}, COMPLETE),
        ({"coding": [{"system": "urn:oid:2.16.840.1.113883.6.1", "code": "99999-9"}]}, COMPLETE),
    ],
    ids=["a code of its own", "no system", "nothing", "words", "LOINC"],
)
def test_an_observation_that_does_not_say_what_was_observed_may_be_any(code: dict[str, Any], state: InputState) -> None:
    decoded = decode_value("observations", bundle(resource("Observation", code=code)), PATIENT)
    assert (decoded.input.state, len(decoded.input.resources)) == (state, 1)
    assert len(decoded.unread) == (state is PARTIAL)


def test_a_file_is_the_whole_record() -> None:
    record = record_from_bundle(
        bundle(
            patient(), CONDITION, resource("Observation", about=f"urn:uuid:{PATIENT}"), resource("Device"), CONDITION
        )
    )
    assert record.patient_id == PATIENT
    assert record.patient is not None
    assert [len(record.input(name).resources) for name in ("conditions", "observations", "devices")] == [1, 1, 1]
    assert {each.state for each in record.inputs.values()} == {COMPLETE}


def test_a_spoiled_resource_of_a_file_makes_only_its_own_input_partial() -> None:
    record = record_from_bundle(bundle(patient(), SPOILED, resource("Observation")))
    assert record.gaps(tuple(record.inputs)) == ("conditions: partial",)


def test_a_page_is_not_a_whole_file() -> None:
    record = record_from_bundle(bundle(patient(), next_url="http://h/2"))
    assert {each.state for each in record.inputs.values()} == {PARTIAL}


def test_a_file_of_orders_with_drugs_that_are_not_in_it() -> None:
    known = resource("MedicationRequest", 1, medicationReference={"reference": "urn:uuid:m"})
    named = resource("MedicationRequest", 2, medicationReference={"reference": "Medication/9", "display": "sertraline"})
    unknown = resource("MedicationRequest", 3, medicationReference={"reference": "Medication/8"})
    drug = {"fullUrl": "urn:uuid:m", "resource": {"resourceType": "Medication", "code": {"text": "x"}}}

    def state(*orders: dict[str, object]) -> InputState:
        entries = [drug, {"resource": patient()}, *({"resource": each} for each in orders)]
        record = record_from_bundle(to_bytes({"resourceType": "Bundle", "entry": entries}))
        assert set(record.medications) == {"urn:uuid:m"}
        return record.input("medicationRequests").state

    assert state(known) is COMPLETE
    assert state(known, named) is COMPLETE
    assert state(known, named, unknown) is PARTIAL


@pytest.mark.parametrize(
    ("raw", "patient_id", "message"),
    [
        (b"", None, "not a FHIR Bundle"),
        (b"null", None, "not a FHIR Bundle"),
        (to_bytes({"resourceType": "Group"}), None, "neither a Bundle"),
        (bundle(), None, "about no patient"),
        (bundle(patient(), patient(OTHER)), None, "about 2 patients"),
        (bundle(CONDITION, resource("Condition", 2, about=f"Patient/{OTHER}")), None, "about 2 patients"),
        (bundle(CONDITION), "../x", "not a FHIR id"),
        (bundle(CONDITION), "..", "not a FHIR id"),
    ],
)
def test_a_file_that_cannot_be_used(raw: bytes, patient_id: str | None, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        record_from_bundle(raw, patient_id)


def test_a_file_of_several_patients_is_read_for_the_one_named() -> None:
    raw = bundle(patient(), patient(OTHER), CONDITION, resource("Condition", 2, about=f"Patient/{OTHER}"))
    record = record_from_bundle(raw, f"Patient/{OTHER}")
    assert [each.id for each in record.all("conditions", Condition)] == ["2"]
    assert record.dropped == 2
    with pytest.raises(WrongPatient):
        record_from_bundle(raw, "p3")


def test_a_transaction_whose_patient_has_no_id_yet() -> None:
    entries = [
        {"fullUrl": "urn:uuid:0a-1", "resource": {"resourceType": "Patient"}},
        {"resource": resource("Condition", about="urn:uuid:0a-1")},
    ]
    record = record_from_bundle(json.dumps({"resourceType": "Bundle", "entry": entries}).encode())
    assert record.patient_id == "0a-1"
    assert len(record.input("conditions").resources) == 1


def searched(*modes: tuple[dict[str, Any], str | None], total: int) -> bytes:
    entries = [{"resource": content} | ({"search": {"mode": mode}} if mode else {}) for content, mode in modes]
    return to_bytes({"resourceType": "Bundle", "type": "searchset", "total": total, "entry": entries})


@pytest.mark.parametrize(
    ("value", "state", "why"),
    [
        (searched((CONDITION, "match"), (CONDITION, "include"), total=2), PARTIAL, "1 of 2 entries"),
        (
            searched((CONDITION, "match"), (outcome("information", "informational"), "outcome"), total=2),
            PARTIAL,
            "1 of",
        ),
        (searched((CONDITION, "match"), (CONDITION, None), total=2), COMPLETE, ""),
        (searched((CONDITION, "match"), (SPOILED, "include"), total=2), PARTIAL, "1 of 2 entries"),
        (searched((CONDITION, "match"), (SPOILED, "match"), total=2), PARTIAL, ""),
        (searched((resource("Condition", about="Patient/q"), "match"), total=1), COMPLETE, ""),
    ],
    ids=[
        "an included resource is no match",
        "neither is an outcome",
        "without a mode it is one",
        "an included resource that cannot be read",
        "a match that cannot be read came",
        "a match about another patient came",
    ],
)
def test_a_total_above_the_matches_makes_a_part(value: bytes, state: InputState, why: str) -> None:
    decoded = decode_value("conditions", value, PATIENT)
    assert decoded.input.state is state
    assert decoded.input.why.startswith(why)
    assert bool(decoded.input.why) is bool(why)


@pytest.mark.parametrize(
    ("totals", "why"),
    [
        ((3, 3, 3), ""),
        ((4, 4, 4), "3 of 4 entries"),
        ((None, None, 4), "3 of 4 entries"),
        ((4, 4, None), "3 of 4 entries"),
        ((4, None, None), "3 of 4 entries"),
        ((9, 4, None), "3 of 4 entries"),
        ((9, 9, 3), ""),
        ((9, 3, None), ""),
        ((None, None, None), ""),
    ],
    ids=str,
)
def test_a_total_is_compared_with_the_matches_of_all_pages(totals: tuple[int | None, ...], why: str) -> None:
    """An estimate is corrected by a later page; what only an earlier page says counts where the last one is silent."""
    pages: list[DecodedInput] = []
    for number, total in enumerate(totals, start=1):
        more = {} if total is None else {"total": total}
        link = f"https://ehr.example/fhir?page={number}" if number < len(totals) else None
        value = bundle(resource("Condition", number), outcome("information"), next_url=link, **more)
        pages.append(decode_value("conditions", value, PATIENT, before=pages))
    assert pages[-1].input.why == why
    assert pages[-1].input.state is (PARTIAL if why else COMPLETE)
    assert all(page.input.state is PARTIAL and not page.input.why for page in pages[:-1])


def test_a_file_that_is_a_part_of_a_search_is_not_whole() -> None:
    record = record_from_bundle(bundle(patient(), CONDITION, type="searchset", total=250))
    assert record.gaps(("conditions", "devices")) == ("conditions: partial", "devices: partial")
    assert record_from_bundle(bundle(patient(), CONDITION, type="searchset", total=2)).input("conditions").whole


@pytest.mark.parametrize("relation", ["next", "Next", "NEXT"])
def test_a_further_page_is_known_by_its_relation_in_any_capitals(relation: str) -> None:
    link = [{"relation": relation, "url": f"{BASE}/Condition?page=2"}]
    decoded = decode_value("conditions", to_bytes({"resourceType": "Bundle", "link": link, "entry": []}), PATIENT, BASE)
    assert not decoded.input.whole


def test_a_resource_whose_type_is_in_other_capitals_is_not_passed_over() -> None:
    odd = resource("Condition") | {"resourceType": "condition"}
    decoded = decode_value("conditions", to_bytes({"resourceType": "Bundle", "entry": [{"resource": odd}]}), PATIENT)
    assert (decoded.input.whole, len(decoded.unread)) == (False, 1)


def test_a_subject_of_a_type_in_other_capitals_is_unclear_and_not_another_patient() -> None:
    odd = {"resource": resource("Condition", about=f"patient/{PATIENT}")}
    decoded = decode_value("conditions", to_bytes({"resourceType": "Bundle", "entry": [odd]}), PATIENT, BASE)
    assert (decoded.input.whole, decoded.dropped) == (False, 0)


def test_null_means_none_in_a_prefetch_and_nothing_in_an_answer() -> None:
    assert decode_value("conditions", b"null", PATIENT).input.whole
    assert not decode_value("conditions", b"null", PATIENT, answered=True).input.whole
