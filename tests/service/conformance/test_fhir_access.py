"""What the FHIR server of a client sees of a call, and what it never sees."""

from __future__ import annotations

import json

import pytest

from tests.support.conformance.ehr import cards_of, ehr, post, unread
from tests.support.hooks.calls import PATIENT_VIEW, diagnostics, knowledge
from tests.support.reading.faults import good, reply
from tests.support.reading.material import PATIENT, bundle, resource, supplied

TOKEN = "canary-token-5e1f"
AUTHORIZATION = {
    "access_token": TOKEN,
    "token_type": "Bearer",
    "expires_in": 300,
    "scope": "user/*.read",
    "subject": "tandem",
}


def test_without_prefetch_every_input_is_read_with_the_token_by_get_or_search_and_for_this_patient() -> None:
    with ehr() as running:
        cards_of(running.view(running.faults.base(), fhirAuthorization=AUTHORIZATION))
        asked = [each for each in running.faults.requests if each.kind != "Medication"]
        (viewed,) = [each for each in knowledge().services.services if each.hook == "patient-view"]
        assert len(asked) == len(knowledge().inputs_of(viewed))
        for each in running.faults.requests:
            assert each.headers["authorization"] == f"Bearer {TOKEN}"
            assert "application/fhir+json" in each.headers["accept"]
            assert each.method == "GET" or each.target.partition("?")[0].endswith("/_search")
            assert each.target.startswith("/none/Condition/fhir/")
        for each in asked:
            assert each.identifier == PATIENT or each.query["patient"] == [PATIENT]
        assert running.faults.canary == []


def test_a_whole_prefetch_asks_the_server_nothing() -> None:
    with ehr() as running:
        given = {name: json.loads(value) for name, value in supplied().items()}
        cards_of(running.view(running.faults.base(), prefetch=given))
        assert running.faults.requests == []


def test_without_a_token_the_server_is_asked_without_one() -> None:
    with ehr() as running:
        cards_of(running.view(running.faults.base()))
        assert running.faults.requests
        assert all("authorization" not in each.headers for each in running.faults.requests)


def test_the_token_of_one_call_is_not_used_in_the_next() -> None:
    with ehr() as running:
        for token in ("first", "second"):
            running.faults.requests.clear()
            cards_of(running.view(running.faults.base(), fhirAuthorization={"access_token": token}))
            assert {each.headers["authorization"] for each in running.faults.requests} == {f"Bearer {token}"}


def test_nothing_of_a_patient_is_kept_between_calls() -> None:
    with ehr() as running:
        counts = []
        for _ in range(2):
            running.faults.requests.clear()
            cards_of(running.view(running.faults.base()))
            counts.append(len(running.faults.requests))
        assert counts[0] == counts[1] > 0


@pytest.mark.parametrize("gone", ["token_type", "expires_in", "scope", "subject"])
def test_an_authorization_that_lacks_a_member_is_used(gone: str) -> None:
    given = {key: value for key, value in AUTHORIZATION.items() if key != gone}
    with ehr() as running:
        cards_of(running.view(running.faults.base(), fhirAuthorization=given))
        assert running.faults.requests


@pytest.mark.parametrize(
    "scope",
    [
        "user/*.read",
        "patient/Observation.read patient/Condition.read",
        "patient/*.rs",
        "system/Observation.rs?category=survey",
        "launch openid",
    ],
)
def test_scopes_of_either_version_are_understood(scope: str) -> None:
    with ehr() as running:
        given = AUTHORIZATION | {"scope": scope, "patient": PATIENT}
        assert running.view(running.faults.base(), fhirAuthorization=given).status_code in {200, 412}


def test_an_authorization_without_a_server_changes_nothing() -> None:
    given = {name: json.loads(value) for name, value in supplied().items()}
    made = unread("", prefetch=given, fhirAuthorization=AUTHORIZATION)
    del made["fhirServer"]
    assert post(PATIENT_VIEW, made).status_code == 200


@pytest.mark.parametrize("spelled", ["{}", "{}/", "{}//"])
def test_the_base_url_is_joined_however_it_ends(spelled: str) -> None:
    with ehr() as running:
        answer = running.view(spelled.format(running.faults.base()))
        assert answer.status_code in {200, 400, 412}
        assert all("//" not in each.target.partition("?")[0] for each in running.faults.requests)


def test_the_host_may_be_written_in_capitals() -> None:
    with ehr() as running:
        cards_of(running.view(running.faults.base().replace("http://127.0.0.1", "HTTP://LOCALHOST")))
        assert running.faults.requests


@pytest.mark.parametrize(
    "fault", ["401", "403", "404", "429", "500", "503", "reset", "html", "garbage-json", "outcome"]
)
def test_a_server_that_fails_for_what_is_required_is_412(fault: str) -> None:
    with ehr() as running:
        answer = running.view(running.faults.base(fault, "Condition"), fhirAuthorization=AUTHORIZATION)
        assert answer.status_code == 412
        assert "conditions" in diagnostics(answer)
        assert TOKEN not in answer.text
        assert PATIENT not in answer.text
        assert "Canary" not in answer.text


def test_a_server_that_stays_silent_is_412_in_time() -> None:
    with ehr() as running:
        assert running.view(running.faults.base("latency", "Condition")).status_code == 412


@pytest.mark.parametrize("fault", ["redirect", "next-elsewhere", "next-userinfo", "next-above"])
def test_the_token_goes_nowhere_else(fault: str) -> None:
    with ehr() as running:
        answer = running.view(running.faults.base(fault, "Procedure"), fhirAuthorization=AUTHORIZATION)
        assert answer.status_code == 200
        assert running.faults.canary == []
        assert all(
            each.target.startswith("/next") or each.target.startswith("/redirect") for each in running.faults.requests
        )


def test_an_id_cannot_change_the_address() -> None:
    with ehr() as running:
        for hostile in ("../admin", "p1?x=1", "p1#", "p1%2f..", "p1/_history/1", "p1;x", "p1 "):
            assert running.view(running.faults.base(), patient=hostile).status_code == 400
        assert running.faults.requests == []


def test_what_changes_on_the_server_changes_the_answer() -> None:
    item = {"coding": [{"system": "http://loinc.org", "code": "44260-8"}]}
    signal = resource("Observation", "q", status="final", code=item, valueInteger=3, effectiveDateTime="2026-01-14")
    with ehr() as running:
        running.faults.answers["own"] = good
        before = cards_of(running.view(running.faults.base("own", "Observation")))
        running.faults.answers["own"] = lambda _: reply(bundle(signal))
        after = cards_of(running.view(running.faults.base("own", "Observation")))
    assert before == []
    assert after[0]["indicator"] == "critical"
