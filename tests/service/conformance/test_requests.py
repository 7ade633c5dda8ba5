"""Requests as a client may send them, and as it may not."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.conformance.ehr import SERVICES, SESSION, cards_of, post, request, running
from tests.support.hooks.calls import ORDER_SELECT, ORDER_SIGN, PATIENT_VIEW, client, diagnostics, order, patient_id

WHO = "two-failures"
SANDBOX_DRAFT = {
    "resourceType": "MedicationRequest",
    "id": "request-123",
    "status": "draft",
    "category": {"coding": [{"system": "x", "code": "outpatient"}]},
    "medicationCodeableConcept": {"text": "ketamine 50 MG/ML", "coding": [{"code": "6130"}]},
}
"""As the public CDS Hooks Sandbox sends it: no intent, a category that is an object."""


def draft_of(url: str, *drafts: Any, selections: list[Any] | None = None) -> dict[str, Any]:
    made = request(url)
    made["context"]["draftOrders"] = {"entry": [{"resource": draft} for draft in drafts]}
    if selections is not None:
        made["context"]["selections"] = selections
    return made


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"]
)
@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html"])
def test_content_types_and_accepts_of_every_spelling(kind: str, accept: str) -> None:
    content = json.dumps(request()).encode()
    assert (
        len(cards_of(client().post(ORDER_SIGN, content=content, headers={"Content-Type": kind, "Accept": accept}))) == 1
    )


def test_utf8_escapes_and_chunks_mean_the_same() -> None:
    made = request()
    made["prefetch"]["patient"]["name"] = [{"text": "Zoë 李"}]
    raw, escaped = (json.dumps(made, ensure_ascii=flag).encode() for flag in (False, True))
    assert raw != escaped
    whole = cards_of(post(ORDER_SIGN, raw))
    assert cards_of(post(ORDER_SIGN, escaped)) == whole
    chunks = (raw[at : at + 5000] for at in range(0, len(raw), 5000))
    assert cards_of(client().post(ORDER_SIGN, content=chunks)) == whole


@pytest.mark.parametrize("member", ["hook", "hookInstance", "context"])
@pytest.mark.parametrize("value", [None, 3, ["x"], "(absent)"])
def test_a_required_member_must_be_there(member: str, value: Any) -> None:
    made = request(**{member: value})
    if value == "(absent)":
        del made[member]
    assert 400 <= post(ORDER_SIGN, made).status_code < 500


@pytest.mark.parametrize("instance", ["D1577C69-DFBE-44AD-BA6D-3E05E953B2EA", "00000000-0000-1000-8000-000000000000"])
def test_any_hook_instance_may_come_and_come_again(instance: str) -> None:
    made = request(hookInstance=instance)
    assert cards_of(post(ORDER_SIGN, made)) == cards_of(post(ORDER_SIGN, made))


@pytest.mark.parametrize(
    "more",
    [
        {"user": "Practitioner/1", "patient": "p", "redirect": "http://x", "preFetchData": []},
        {"extension": {"com.example.timestamp": "2026-01-15"}},
        {"extension": {"davinci-crd.configuration": {"max-cards": 0}}},
        {"fhirVersion": 4, "hookVersion": {"any": [1]}},
    ],
)
def test_unknown_members_and_extensions_change_nothing(more: dict[str, Any]) -> None:
    assert cards_of(post(ORDER_SIGN, request() | more)) == cards_of(post(ORDER_SIGN, request()))


def test_extensions_inside_context_prefetch_and_authorization_change_nothing() -> None:
    made = request(fhirServer="http://127.0.0.1:9/fhir", fhirAuthorization={"extension": {"a": 1}})
    made["context"]["extension"] = {"com.example": {"b": [2]}}
    made["prefetch"]["extension"] = {"c": 3}
    assert cards_of(post(ORDER_SIGN, made)) == cards_of(post(ORDER_SIGN, request()))


@pytest.mark.parametrize("prefetch", [[], "x", 3])
def test_a_prefetch_that_is_no_object_is_refused(prefetch: Any) -> None:
    assert post(ORDER_SIGN, request(prefetch=prefetch)).status_code == 400


@pytest.mark.parametrize("url", SERVICES)
def test_a_hook_is_answered_only_by_the_service_that_is_for_it(url: str) -> None:
    for other in SERVICES:
        answer = post(url, request(other))
        assert answer.status_code == (200 if other == url else 400)


@pytest.mark.parametrize("gone", [("fhirServer",), ("fhirAuthorization",), ("fhirServer", "fhirAuthorization")])
def test_the_optional_members_may_each_be_absent(gone: tuple[str, ...]) -> None:
    given = {"fhirServer": "http://127.0.0.1:9/fhir", "fhirAuthorization": {"access_token": "t"}}
    made = request(**{key: value for key, value in given.items() if key not in gone})
    assert cards_of(post(ORDER_SIGN, made)) == cards_of(post(ORDER_SIGN, request()))


def test_parallel_calls_do_not_disturb_each_other() -> None:
    patients = ["two-failures", "uncontrolled-hypertension", "acute-crisis", "cochlear-implant"]
    alone = {who: cards_of(post(ORDER_SIGN, request(patient=who))) for who in patients}
    with running() as service, ThreadPoolExecutor(8) as pool:
        many = list(pool.map(lambda who: service.post(ORDER_SIGN, json=request(patient=who)), patients * 12))
    assert all(cards_of(found) == alone[who] for who, found in zip(patients * 12, many, strict=True))


@pytest.mark.parametrize("path", ["{}/", "//cds-services/combination-therapy-order-sign"])
def test_a_slash_too_many_is_no_redirect(path: str) -> None:
    answer = client().post(path.format(ORDER_SIGN), json=request(), follow_redirects=False)
    assert answer.status_code == 404


# The context of each hook

REQUIRED = [
    *((PATIENT_VIEW, name) for name in ("userId", "patientId")),
    *((ORDER_SELECT, name) for name in ("userId", "patientId", "selections", "draftOrders")),
    *((ORDER_SIGN, name) for name in ("userId", "patientId", "draftOrders")),
    *((SESSION, name) for name in ("userId", "patientId", "encounterId")),
]


@pytest.mark.parametrize(("url", "name"), REQUIRED)
def test_a_required_field_of_the_context_is_checked(url: str, name: str) -> None:
    made = request(url)
    del made["context"][name]
    answer = post(url, made)
    assert answer.status_code == 400
    assert diagnostics(answer).startswith(f"/context/{name}")


@pytest.mark.parametrize(("url", "name"), REQUIRED)
def test_a_field_of_the_context_has_its_type(url: str, name: str) -> None:
    made = request(url)
    made["context"][name] = 3
    assert post(url, made).status_code == 400


@pytest.mark.parametrize("url", SERVICES)
def test_fields_that_the_hook_does_not_have_are_passed_over(url: str) -> None:
    made = request(url)
    plain = cards_of(post(url, made))
    made["context"] |= {"encounterId": "e9", "com.example.more": {"a": []}, "appointments": {}}
    assert cards_of(post(url, made)) == plain


@pytest.mark.parametrize(
    "user", ["Practitioner/1", "PractitionerRole/1", "Patient/1", "RelatedPerson/1", "http://x/Practitioner/1", "1", ""]
)
def test_a_user_of_any_type_is_answered(user: str) -> None:
    made = request(PATIENT_VIEW)
    made["context"]["userId"] = user
    assert post(PATIENT_VIEW, made).status_code < 500


def test_a_patient_id_with_its_type_in_front_is_understood() -> None:
    made = request()
    made["context"]["patientId"] = f"Patient/{patient_id(WHO)}"
    assert post(ORDER_SIGN, made).status_code in {200, 400}


@pytest.mark.parametrize(
    "selections",
    [["request-123"], ["MedicationRequest/nowhere"], ["urn:uuid:1"], [], ["MedicationRequest/request-123"] * 3],
)
def test_selections_of_every_spelling_are_answered(selections: list[Any]) -> None:
    assert post(ORDER_SELECT, draft_of(ORDER_SELECT, SANDBOX_DRAFT, selections=selections)).status_code == 200


@pytest.mark.parametrize("url", [ORDER_SIGN, ORDER_SELECT])
def test_the_drafts_of_the_public_sandbox_are_answered(url: str) -> None:
    made = draft_of(url, SANDBOX_DRAFT, selections=["MedicationRequest/request-123"] if url == ORDER_SELECT else None)
    made["context"]["userId"] = "Practitioner/COREPRACTITIONER1"
    (card,) = cards_of(post(url, made))
    assert "Ketamine" in card["summary"]


def test_a_draft_without_a_medication_is_met_with_silence() -> None:
    draft = {key: value for key, value in SANDBOX_DRAFT.items() if key in {"resourceType", "id", "status"}}
    made = draft_of(ORDER_SELECT, draft, selections=["MedicationRequest/request-123"])
    assert cards_of(post(ORDER_SELECT, made)) == []


TYPES = ("NutritionOrder", "DeviceRequest", "VisionPrescription", "CommunicationRequest", "Task", "MedicationOrder",
         "ProcedureRequest", "ReferralRequest", "NoSuchType")  # fmt: skip


def test_requests_of_every_type_and_version_may_stand_beside_the_order() -> None:
    others = [
        {"resourceType": kind, "id": kind, "subject": {"reference": f"Patient/{patient_id(WHO)}"}} for kind in TYPES
    ]
    alone = cards_of(post(ORDER_SIGN, draft_of(ORDER_SIGN, SANDBOX_DRAFT)))
    assert cards_of(post(ORDER_SIGN, draft_of(ORDER_SIGN, *others, SANDBOX_DRAFT))) == alone


@pytest.mark.parametrize(
    "drug",
    [
        {"medicationCodeableConcept": {"text": "ketamine 50 MG/ML"}},
        {
            "medicationReference": {"reference": "#m"},
            "contained": [{"resourceType": "Medication", "id": "m", "code": {"text": "ketamine"}}],
        },
        {"medicationReference": {"reference": "Medication/m"}},
        {"medicationReference": {"reference": "Medication/elsewhere", "display": "ketamine"}},
    ],
)
def test_the_drug_is_found_wherever_the_draft_says_it(drug: dict[str, Any]) -> None:
    bare = {"resourceType": "MedicationRequest", "id": "d", "status": "draft"}
    beside = {"resourceType": "Medication", "id": "m", "code": {"text": "ketamine"}}
    (card,) = cards_of(post(ORDER_SIGN, draft_of(ORDER_SIGN, bare | drug, beside)))
    assert card["summary"].startswith("Ketamine")


def test_an_order_that_is_signed_again_is_answered() -> None:
    (card,) = cards_of(post(ORDER_SIGN, draft_of(ORDER_SIGN, SANDBOX_DRAFT | {"status": "active"})))
    assert card["summary"].startswith("Ketamine")


def test_a_draft_need_not_be_on_the_fhir_server() -> None:
    unknown = SANDBOX_DRAFT | {"id": "known-to-nobody"}
    made = draft_of(ORDER_SIGN, unknown) | {"fhirServer": "http://127.0.0.1:9/fhir"}
    assert len(cards_of(post(ORDER_SIGN, made))) == 1


def test_guidance_is_about_the_selected_order() -> None:
    ketamine, other = SANDBOX_DRAFT, order({"text": "Vitamin D"}, WHO, id="other")
    for selected, count in (("request-123", 1), ("other", 0)):
        made = draft_of(ORDER_SELECT, ketamine, other, selections=[f"MedicationRequest/{selected}"])
        assert len(cards_of(post(ORDER_SELECT, made))) == count
