"""Reading a request: what is missing or wrong is named by a JSON pointer, and nothing that is sent crashes it."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_hooks.protocol.errors import BadRequest
from cds_hooks.protocol.requests import CONTEXTS, read_call
from mappings.schema.service.services import Hook

CONTEXT: dict[str, dict[str, Any]] = {
    "patient-view": {"userId": "Practitioner/1", "patientId": "p1"},
    "order-select": {
        "userId": "Practitioner/1",
        "patientId": "p1",
        "selections": ["MedicationRequest/a"],
        "draftOrders": {"resourceType": "Bundle", "entry": []},
    },
    "order-sign": {"userId": "Practitioner/1", "patientId": "p1", "draftOrders": {"entry": []}},
    "encounter-start": {"userId": "Practitioner/1", "patientId": "p1", "encounterId": "e1"},
}


def test_every_hook_of_the_knowledge_can_be_read() -> None:
    assert CONTEXTS.keys() == set(get_args(Hook))


def request(hook: str, /, **changes: Any) -> dict[str, Any]:
    return {"hook": hook, "hookInstance": "D1577C69-DFBE-44AD-BA6D-3E05E953B2EA", "context": CONTEXT[hook]} | changes


def refused(body: Any, hook: str) -> BadRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(BadRequest) as caught:
        read_call(raw, hook)
    return caught.value


def pointer_of(body: Any, hook: str) -> str:
    """Where a request was refused; ``read`` where it was not."""
    try:
        read_call(json.dumps(body).encode(), hook)
    except BadRequest as fault:
        return fault.pointer
    return "read"


@pytest.mark.parametrize("hook", CONTEXTS)
def test_a_minimal_request_of_every_hook_is_read(hook: str) -> None:
    call = read_call(json.dumps(request(hook)).encode(), hook)
    assert call.hook == hook
    assert call.context.patient_id == "p1"
    assert call.prefetch == {}
    assert call.fhir_server is None


@pytest.mark.parametrize(
    ("hook", "field"), [(hook, field) for hook, (_, fields) in CONTEXTS.items() for field in fields]
)
def test_every_required_field_of_a_context_is_missed_by_name(hook: str, field: str) -> None:
    context = {key: value for key, value in CONTEXT[hook].items() if key != field}
    assert refused(request(hook, context=context), hook).pointer == f"/context/{field}"


@pytest.mark.parametrize("member", ["hook", "hookInstance", "context"])
@pytest.mark.parametrize("value", [None, 7, ["x"]])
def test_every_required_member_must_be_there_and_of_its_type(member: str, value: Any) -> None:
    without = {key: given for key, given in request("patient-view").items() if key != member}
    assert refused(without, "patient-view").pointer == f"/{member}"
    assert refused(request("patient-view", **{member: value}), "patient-view").pointer in {f"/{member}", "/context"}


def test_another_hook_than_the_service_is_for_is_refused() -> None:
    assert refused(request("patient-view"), "order-sign").pointer == "/hook"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"hook":' + b"[" * 100_000, b'{"hook": NaN}', b"{} trailing"],
    ids=["empty", "broken", "array", "null", "string", "not UTF-8", "deep", "NaN", "trailing"],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    assert refused(body, "patient-view").pointer in {"", "/hook"}


def test_the_place_of_a_wrong_type_inside_the_context_is_named() -> None:
    context = CONTEXT["order-sign"] | {"draftOrders": {"entry": [{}, {"fullUrl": 3}]}}
    fault = refused(request("order-sign", context=context), "order-sign")
    assert fault.pointer == "/context/draftOrders/entry/1/fullUrl"
    assert "str" in fault.why


def test_no_value_of_the_request_is_ever_quoted() -> None:
    secret = "SECRET-4711"
    for changes in ({"hook": secret}, {"context": secret}, {"prefetch": secret}, {"fhirAuthorization": secret}):
        assert secret not in str(refused(request("patient-view", **changes), "patient-view"))


def test_unknown_members_are_passed_over_wherever_they_stand() -> None:
    body = request("patient-view", user="x", patient=1, extension={"a": [1]}, fhirAuthorization={"access_token": "t"})
    body["context"] = body["context"] | {"more": {"deep": []}}
    call = read_call(json.dumps(body).encode(), "patient-view")
    assert call.fhir_authorization is not None
    assert call.fhir_authorization.access_token == "t"


def test_prefetch_keeps_null_apart_from_a_missing_key() -> None:
    call = read_call(json.dumps(request("patient-view", prefetch={"conditions": None})).encode(), "patient-view")
    assert bytes(call.prefetch["conditions"]) == b"null"
    assert "observations" not in call.prefetch


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


@given(
    hook=st.sampled_from(sorted(CONTEXTS)),
    changes=st.dictionaries(
        st.sampled_from(["hook", "hookInstance", "context", "prefetch", "fhirServer", "fhirAuthorization"]),
        JSON,
        min_size=1,
    ),
)
def test_whatever_is_sent_is_read_or_refused(hook: str, changes: dict[str, Any]) -> None:
    assert pointer_of(request(hook) | changes, hook).partition("/")[0] in {"", "read"}


@given(hook=st.sampled_from(sorted(CONTEXTS)), where=st.data())
def test_whatever_stands_in_a_context_is_read_or_refused(hook: str, where: st.DataObject) -> None:
    field = where.draw(st.sampled_from(sorted(CONTEXT[hook])))
    context = CONTEXT[hook] | {field: where.draw(JSON)}
    assert pointer_of(request(hook, context=context), hook).startswith(("read", "/context"))


@given(st.binary(max_size=60))
def test_bytes_are_refused_or_read(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read_call(body, "patient-view")


@pytest.mark.parametrize(
    "orders", [{}, {"resourceType": "MedicationRequest", "id": "d1"}, {"medicationOrders": {"resourceType": "Bundle"}}]
)
def test_draft_orders_that_are_no_bundle_are_refused_and_not_taken_for_none(orders: dict[str, Any]) -> None:
    context = CONTEXT["order-sign"] | {"draftOrders": orders}
    fault = refused(request("order-sign", context=context), "order-sign")
    assert (fault.pointer, fault.why) == ("/context/draftOrders", "must be a Bundle of draft orders")
