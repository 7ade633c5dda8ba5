"""Prefetch as clients fill it: keys that are missing, null, refused, paged, wrong, doubled or somebody else's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.conformance.ehr import cards_of, ehr, post, request
from tests.support.hooks.calls import ORDER_SIGN, knowledge, prefetch
from tests.support.reading.material import PATIENT, bundle, resource, supplied

OPTIONAL = sorted(set(knowledge().deciding_inputs) - {"patient", "conditions"})


def filled(**values: Any) -> dict[str, Any]:
    """An order-sign request with some prefetch values in the place of the full ones."""
    made = request()
    made["prefetch"] |= values
    return made


def detail(made: dict[str, Any]) -> str:
    (card,) = cards_of(post(ORDER_SIGN, made))
    return str(card["detail"])


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_missing_key_without_a_server_is_answered_with_the_gap_named(name: str) -> None:
    made = request()
    del made["prefetch"][name]
    assert f"{name}: not retrieved" in detail(made)


def test_a_missing_key_is_fetched_and_what_is_there_is_not() -> None:
    with ehr() as running:
        for missing in ("observations", "conditions"):
            running.faults.requests.clear()
            given = {name: json.loads(value) for name, value in supplied(missing).items()}
            cards_of(running.view(running.faults.base(), prefetch=given))
            asked = [each.kind for each in running.faults.requests if each.kind != "Medication"]
            assert asked == [missing.capitalize().removesuffix("s")]


@pytest.mark.parametrize(
    "empty",
    [None, {"resourceType": "Bundle", "type": "searchset", "total": 0}, {"resourceType": "Bundle", "entry": []}],
)
@pytest.mark.parametrize("name", OPTIONAL)
def test_null_and_an_empty_bundle_are_answers_and_not_gaps(name: str, empty: Any) -> None:
    made = filled(**{name: empty})
    assert f"{name}: " not in detail(made).partition("Not found")[0].split("Looked in")[0]
    assert post(ORDER_SIGN, made).status_code == 200


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_outcome_leaves_the_input_unknown_and_nothing_is_said_to_be_absent(name: str) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
    said = detail(filled(**{name: outcome}))
    assert f"{name}: " in said
    looked_in = said.partition("Looked in ")[2].partition(".")[0]
    assert f"{name} (" not in looked_in


@pytest.mark.parametrize(
    "value", [3, "x", [], {}, {"resourceType": "Practitioner", "id": "1"}, {"resourceType": "Bundle", "entry": 3}]
)
@pytest.mark.parametrize("name", ["observations", "procedures"])
def test_a_value_of_a_wrong_kind_is_a_gap(name: str, value: Any) -> None:
    assert f"{name}: " in detail(filled(**{name: value}))


@pytest.mark.parametrize("name", ["observations", "conditions"])
def test_entries_that_are_no_results_change_nothing(name: str) -> None:
    made = request()
    plain = cards_of(post(ORDER_SIGN, made))
    made["prefetch"][name]["entry"] += [
        {"resource": {"resourceType": "Practitioner", "id": "p"}, "search": {"mode": "include"}},
        {"resource": {"resourceType": "Organization", "id": "o"}, "search": {"mode": "include"}},
    ]
    assert cards_of(post(ORDER_SIGN, made)) == plain


def test_an_outcome_among_the_results_is_a_warning_and_no_result() -> None:
    made = request()
    notice = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "informational"}]}
    made["prefetch"]["observations"]["entry"].append({"resource": notice, "search": {"mode": "outcome"}})
    assert post(ORDER_SIGN, made).status_code == 200


@pytest.mark.parametrize(
    "more", [{"type": "collection"}, {"type": None}, {"total": None}, {"id": "x", "meta": {"versionId": "7"}}]
)
def test_what_stands_around_the_entries_does_not_matter(more: dict[str, Any]) -> None:
    made = request()
    plain = cards_of(post(ORDER_SIGN, made))
    for number, value in enumerate(made["prefetch"].values()):
        if value["resourceType"] == "Bundle":
            value.update(more)
            for entry in value["entry"]:
                entry |= {"fullUrl": f"https://elsewhere.example/{number}", "search": {"mode": "match", "score": 1}}
    assert cards_of(post(ORDER_SIGN, made)) == plain


def test_a_total_is_believed_where_it_is_above_what_came() -> None:
    made = request()
    plain = cards_of(post(ORDER_SIGN, made))
    bundles = [value for value in made["prefetch"].values() if value["resourceType"] == "Bundle"]
    for value in bundles:
        value["total"] = sum(entry.get("search", {}).get("mode") != "include" for entry in value["entry"])
    assert cards_of(post(ORDER_SIGN, made)) == plain
    for value in bundles:
        value["total"] += 1
    (card,) = cards_of(post(ORDER_SIGN, made))
    assert (card["indicator"], card["summary"][:24]) == ("warning", "Ketamine: cannot tell ye")


def test_the_order_of_keys_and_entries_does_not_matter() -> None:
    made = request()
    plain = cards_of(post(ORDER_SIGN, made))
    made["prefetch"] = dict(reversed(made["prefetch"].items()))
    for value in made["prefetch"].values():
        value.get("entry", []).reverse()
    assert cards_of(post(ORDER_SIGN, made)) == plain


def test_a_page_is_followed_to_the_end_where_the_server_may_be_read() -> None:
    with ehr() as running:
        next_url = f"{running.faults.base()}/Condition?patient={PATIENT}&page=2"
        given = {name: json.loads(value) for name, value in supplied().items()}
        given["conditions"] = json.loads(bundle(resource("Condition", 7), next_url=next_url))
        cards_of(running.view(running.faults.base(), prefetch=given))
        assert [asked.kind for asked in running.faults.requests] == ["Condition"]


def test_a_page_that_leads_back_to_itself_ends() -> None:
    with ehr() as running:
        assert running.view(running.faults.base("loop", "Procedure")).status_code == 200
        assert len([asked for asked in running.faults.requests if asked.kind == "Procedure"]) <= 3


def test_thousands_of_entries_are_read() -> None:
    made = request()
    many = [
        {"resource": {"resourceType": "Condition", "id": f"c{number}", "subject": {"reference": "Patient/two-failures"},
                      "code": {"text": "Hay fever"}}}
        for number in range(3000)
    ]  # fmt: skip
    made["prefetch"]["conditions"]["entry"] += many
    assert post(ORDER_SIGN, made).status_code == 200


@pytest.mark.parametrize(
    "value",
    [
        {"valueQuantity": {"value": 9, "comparator": "<"}},
        {"valueQuantity": {"value": "9"}},
        {"valueString": "nine"},
        {"dataAbsentReason": {"text": "refused"}},
        {"component": [{"code": {"text": "?"}, "valueInteger": 200}]},
        {"valueCodeableConcept": {"text": "many"}},
        {"valueSampledData": {"origin": {"value": 0}, "period": 1, "dimensions": 1}},
        {},
    ],
)
def test_a_value_of_any_shape_is_answered_and_no_number_is_made_of_it(value: dict[str, Any]) -> None:
    made = request()
    loinc = {"coding": [{"system": "http://loinc.org", "code": "44261-6"}]}
    odd = {"resourceType": "Observation", "id": "odd", "status": "final", "code": loinc,
           "subject": {"reference": "Patient/two-failures"}, "effectiveDateTime": "2026-01-14"}  # fmt: skip
    made["prefetch"]["observations"]["entry"].append({"resource": odd | value})
    assert "Last PHQ-9: 9 " not in detail(made)
    assert "PHQ-9 200" not in detail(made)


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled", "unknown"])
def test_a_status_that_is_no_evidence_is_none(status: str) -> None:
    made = request(patient="uncontrolled-hypertension")
    assert "172/104" in detail(made)
    for entry in made["prefetch"]["observations"]["entry"]:
        entry["resource"]["status"] = status
    assert "172/104" not in detail(made)


def test_a_refuted_condition_is_no_evidence() -> None:
    made = request(patient="bipolar")
    refuted = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "refuted"}]}
    assert "| Bipolar disorder | Bipolar disorder: on the record" in detail(made)
    for entry in made["prefetch"]["conditions"]["entry"]:
        if "ipolar" in json.dumps(entry["resource"]["code"]):
            entry["resource"]["verificationStatus"] = refuted
    assert "Bipolar disorder: on the record" not in detail(made)


def test_a_resource_that_comes_twice_counts_once() -> None:
    made = request()
    plain = cards_of(post(ORDER_SIGN, made))
    for value in made["prefetch"].values():
        if value["resourceType"] == "Bundle":
            value["entry"] = [entry for entry in value["entry"] for _ in range(2)]
    assert cards_of(post(ORDER_SIGN, made)) == plain


def test_another_patient_is_never_used() -> None:
    other = prefetch("uncontrolled-hypertension")
    assert post(ORDER_SIGN, filled(patient=other["patient"])).status_code == 412
    said = detail(filled(observations=other["observations"]))
    assert "172/104" not in said
    assert "about another patient" in said
