"""Prefetch first, the server for the gaps, and what is missing named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence

import pytest

from fhir_plugin.errors import (
    BadInput,
    PermanentlyUnavailable,
    TemporarilyUnavailable,
    WrongPatient,
)
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.gather import FhirAccess, gather
from fhir_plugin.reading.responses import Limits
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.record import InputState, Record
from fhir_plugin.record.resources import Condition, Medication, MedicationRequest
from tests.support.reading.faults import Faults, Request, faulty_server, good_body, reply
from tests.support.reading.material import OTHER, PATIENT, bundle, outcome, patient, resource, supplied, to_bytes

WANTED = tuple(INPUTS)
CODES = ("44261-6", "http://loinc.org|85354-9")


def read(
    prefetch: Mapping[str, bytes],
    wanted: Sequence[str] = WANTED,
    answers: Callable[[Request], bytes] | None = None,
    faulty: str = "Condition",
    limits: Limits | None = None,
) -> tuple[Record, Faults]:
    """The record with the help of the server on loopback; ``answers`` says what it answers for one type."""

    async def go() -> tuple[Record, Faults]:
        async with faulty_server() as faults, FhirServers(limits) as clients:
            if answers:
                faults.answers["own"] = answers
            source = FhirAccess(faults.base("own", faulty), "t0ken")
            return await gather(PATIENT, prefetch, wanted, CODES, source, clients, 1.5), faults

    return asyncio.run(go())


def alone(prefetch: Mapping[str, bytes], wanted: Sequence[str] = WANTED, patient_id: str = PATIENT) -> Record:
    """The record from the prefetch alone."""

    async def go() -> Record:
        async with FhirServers() as clients:
            return await gather(patient_id, prefetch, wanted, CODES, None, clients)

    return asyncio.run(go())


def test_a_whole_prefetch_asks_the_server_nothing() -> None:
    record, faults = read(supplied())
    assert faults.requests == []
    assert record.queries == ()
    assert not record.gaps(WANTED)


def test_a_whole_prefetch_never_waits() -> None:
    clients = FhirServers()
    step = gather(PATIENT, supplied(), WANTED, CODES, FhirAccess("https://ehr.example/fhir"), clients)
    with pytest.raises(StopIteration) as stopped:
        step.send(None)
    assert isinstance(stopped.value.value, Record), "it came to its end without an event loop"


@pytest.mark.parametrize("missing", WANTED)
def test_one_missing_key_is_one_query_about_this_patient(missing: str) -> None:
    prefetch = supplied(missing)
    record, faults = read(prefetch)
    assert not record.gaps(WANTED)
    kind = INPUTS[missing].resource_type
    asked = [each for each in faults.requests if each.kind != "Medication"]
    assert [(each.method, each.kind) for each in asked] == [("GET", kind)]
    assert PATIENT in asked[0].target
    assert asked[0].headers["authorization"] == "Bearer t0ken"
    assert record.input(missing) == alone({**prefetch, missing: good_body(asked[0])}).input(missing) or (
        missing == "medicationRequests"
    )


def test_prefetch_and_server_give_the_same_record() -> None:
    fetched, _ = read({})
    half, _ = read(supplied("conditions", "observations", "medicationRequests", "devices"))
    assert fetched.inputs == half.inputs
    assert {name for name in WANTED if fetched.input(name) != alone(supplied()).input(name)} == {"medicationRequests"}


def test_codes_are_asked_for_with_their_system() -> None:
    _, faults = read(supplied("observations"))
    assert faults.requests[0].query["code"] == ["44261-6,http://loinc.org|85354-9"]


def test_without_a_server_a_missing_key_is_a_gap() -> None:
    record = alone(supplied("observations", "devices"))
    assert record.gaps(WANTED) == ("observations: not retrieved", "devices: not retrieved")


@pytest.mark.parametrize("name", [name for name in WANTED if INPUTS[name].required])
def test_without_a_server_a_required_key_is_refused(name: str) -> None:
    with pytest.raises(PermanentlyUnavailable, match=f"{name}: not retrieved .*no FHIR server"):
        alone(supplied(name))


def test_a_required_key_is_required_only_where_it_is_wanted() -> None:
    assert alone({}, ("devices",)).gaps(("devices",)) == ("devices: not retrieved",)


def test_null_and_outcome_are_not_asked_again() -> None:
    prefetch = supplied() | {"conditions": b"null", "observations": to_bytes(outcome())}
    record, faults = read(prefetch)
    assert faults.requests == []
    assert record.input("conditions").state is InputState.NONE
    assert record.gaps(WANTED) == ("observations: unreadable",)


def test_a_required_outcome_is_refused_without_its_text() -> None:
    with pytest.raises(PermanentlyUnavailable, match=r"conditions: unreadable \(an OperationOutcome") as caught:
        read(supplied() | {"conditions": to_bytes(outcome())})
    assert "Canary" not in str(caught.value)


@pytest.mark.parametrize("value", [b"", b"{}", b'"x"', to_bytes(patient()), to_bytes(resource("Condition"))])
def test_what_is_of_no_use_is_asked_for(value: bytes) -> None:
    record, faults = read(supplied() | {"conditions": value})
    assert [each.kind for each in faults.requests] == ["Condition"]
    assert record.input("conditions").state is InputState.COMPLETE


def test_a_second_patient_is_refused_from_either_channel() -> None:
    with pytest.raises(WrongPatient):
        alone(supplied() | {"patient": to_bytes(patient(OTHER))})
    with pytest.raises(WrongPatient):
        read(supplied("patient"), answers=lambda request: reply(to_bytes(patient(OTHER))), faulty="Patient")


def pages(request: Request) -> bytes:
    """Three pages, the second with what is wrong: another patient's, one twice, a warning, and a relative link."""
    number = int(request.query.get("page", ["1"])[0])
    one = resource("Condition", 1)
    if number == 1:
        return reply(bundle(one, next_url=f"{request.base}/Condition?patient={PATIENT}&page=2"))
    if number == 2:
        warning = outcome("warning", "not-supported")
        other = resource("Condition", 9, about=f"Patient/{OTHER}")
        return reply(bundle(one, resource("Condition", 2), other, warning, next_url="Condition?page=3"))
    return reply(bundle(resource("Condition", 3)))


def test_pages_are_followed_to_the_end() -> None:
    record, faults = read(supplied("conditions"), answers=pages)
    assert [each.id for each in record.all("conditions", Condition)] == ["1", "2", "3"]
    assert record.input("conditions").whole
    assert record.dropped == 1
    assert record.warnings == ("conditions, page 2: warning not-supported",)
    assert [(query.outcome, query.count) for query in record.queries] == [("200, 3 pages", 4)]
    assert {each.headers["authorization"] for each in faults.requests} == {"Bearer t0ken"}


@pytest.mark.parametrize(
    ("limits", "outcome_words"),
    [(Limits(pages=2), "more pages than are read"), (Limits(entries=4), "more pages than are read")],
)
def test_caps_leave_a_part_and_say_so(limits: Limits, outcome_words: str) -> None:
    record, _ = read(supplied("conditions"), answers=pages, limits=limits)
    assert record.gaps(WANTED) == ("conditions: partial",)
    assert [each.id for each in record.all("conditions", Condition)] == ["1", "2"]
    assert record.queries[0].outcome == f"{outcome_words}, 2 pages"


def test_a_resource_that_cannot_be_read_on_any_page_leaves_a_part() -> None:
    def spoiled(request: Request) -> bytes:
        if "page" in request.query:
            return reply(bundle(resource("Condition", 2)))
        return reply(bundle(resource("Condition", 1, code=7), next_url="Condition?page=2"))

    record, _ = read(supplied("conditions"), answers=spoiled)
    assert [each.id for each in record.all("conditions", Condition)] == ["2"]
    assert record.gaps(WANTED) == ("conditions: partial",)
    assert [each.where for each in record.unread] == ["conditions.entry[0]"]


def test_a_partial_prefetch_is_continued_by_its_link() -> None:
    part = bundle(resource("Condition", 1), next_url="Condition?page=2")
    record, faults = read(supplied() | {"conditions": part}, answers=pages)
    assert [each.id for each in record.all("conditions", Condition)] == ["1", "2", "3"]
    assert record.input("conditions").whole
    assert [each.query["page"] for each in faults.requests] == [["2"], ["3"]]


def test_a_partial_prefetch_whose_link_leads_away_is_asked_for_anew() -> None:
    part = bundle(resource("Condition", 1), next_url="https://elsewhere.example/fhir/Condition?page=2")
    record, faults = read(supplied() | {"conditions": part}, answers=pages)
    assert [each.id for each in record.all("conditions", Condition)] == ["1", "2", "3"]
    assert record.input("conditions").whole
    assert [query.outcome for query in record.queries] == ["next link refused", "200, 3 pages"]
    assert len(faults.requests) == 3


def test_a_partial_prefetch_that_cannot_be_completed_stays_a_part() -> None:
    part = bundle(resource("Condition", 1), next_url="https://elsewhere.example/fhir/Condition?page=2")
    prefetch = supplied() | {"conditions": part}
    record, _ = read(prefetch, answers=lambda request: reply(b"", "403 Forbidden"))
    for each in (record, alone(prefetch)):
        assert [kept.id for kept in each.all("conditions", Condition)] == ["1"]
        assert each.gaps(WANTED) == ("conditions: partial",)


def test_a_total_above_what_came_is_a_part_that_is_asked_for_anew() -> None:
    prefetch = supplied() | {"conditions": bundle(resource("Condition", 1), total=250)}
    assert alone(prefetch).gaps(WANTED) == ("conditions: partial (1 of 250 entries)",)
    assert read(prefetch, answers=pages)[0].input("conditions").whole


def test_a_search_that_ends_before_its_total_leaves_a_part() -> None:
    def short(request: Request) -> bytes:
        number, link = (2, None) if "page" in request.query else (1, "Condition?page=2")
        return reply(bundle(resource("Condition", number), total=3, next_url=link))

    record, _ = read(supplied("conditions"), answers=short)
    assert record.gaps(WANTED) == ("conditions: partial (2 of 3 entries)",)


def test_a_part_supplied_and_a_part_found_are_kept_together() -> None:
    def first_page_only(request: Request) -> bytes:
        if "page" in request.query:
            return reply(b"", "403 Forbidden")
        return reply(bundle(resource("Condition", 2), next_url="Condition?page=2"))

    part = bundle(resource("Condition", 1), next_url="https://elsewhere.example/fhir/Condition?page=2")
    record, _ = read(supplied() | {"conditions": part}, answers=first_page_only)
    assert [each.id for each in record.all("conditions", Condition)] == ["1", "2"]
    assert record.gaps(WANTED) == ("conditions: partial",)


def test_links_that_go_in_a_circle_are_followed_once() -> None:
    def circle(request: Request) -> bytes:
        return reply(bundle(resource("Condition"), next_url="Condition?page=again"))

    record, faults = read(supplied("conditions"), answers=circle)
    assert record.queries[0].outcome == "next link goes in a circle, 2 pages"
    assert len(faults.requests) == 2


def test_a_server_that_refuses_the_page_size_is_asked_without() -> None:
    def plain_only(request: Request) -> bytes:
        return reply(b"", "400 Bad Request") if "_count" in request.query else reply(good_body(request))

    record, faults = read(supplied("conditions"), answers=plain_only)
    assert record.input("conditions").whole
    assert len(faults.requests) == 2


def test_a_type_that_the_server_does_not_know_is_not_retrieved() -> None:
    record, _ = read(
        supplied("devices"), answers=lambda request: reply(to_bytes(outcome()), "404 Not Found"), faulty="Device"
    )
    assert record.gaps(WANTED) == ("devices: not retrieved",)
    assert record.queries[0].outcome == "404"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("401 Unauthorized", PermanentlyUnavailable),
        ("403 Forbidden", PermanentlyUnavailable),
        ("404 Not Found", PermanentlyUnavailable),
        ("429 Too Many Requests", TemporarilyUnavailable),
        ("503 Service Unavailable", TemporarilyUnavailable),
    ],
)
def test_a_required_input_that_the_server_refuses(status: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=rf"conditions: not retrieved \({status[:3]}\)"):
        read(supplied("conditions"), answers=lambda request: reply(b"", status))


# Medications that orders refer to


def orders(*references: str) -> bytes:
    """Orders for the drugs behind those references."""
    return bundle(
        *(
            resource("MedicationRequest", number, medicationReference={"reference": each})
            for number, each in enumerate(references)
        )
    )


def test_medications_are_read_in_one_go() -> None:
    written = ("Medication/a", "Medication/b", "Medication/a/_history/2", "Medication/c", "#contained")
    record, faults = read(supplied() | {"medicationRequests": orders(*written)})
    assert [each.query for each in faults.requests] == [{"_id": ["a,b,c"]}]
    assert {each: record.medications[each].id for each in record.medications} == {
        "Medication/a": "a",
        "Medication/b": "b",
        "Medication/a/_history/2": "a",
        "Medication/c": "c",
    }
    assert record.input("medicationRequests").whole


def test_a_medication_that_two_inputs_refer_to_is_read_once() -> None:
    dispensed = bundle(resource("MedicationDispense", medicationReference={"reference": "Medication/a"}))
    prefetch = supplied() | {"medicationRequests": orders("Medication/a"), "medicationDispenses": dispensed}
    record, faults = read(prefetch)
    assert len(faults.requests) == 1
    assert not record.gaps(WANTED)


def test_medications_are_read_one_by_one_where_search_leaves_them_out() -> None:
    def reads_only(request: Request) -> bytes:
        return reply(good_body(request)) if request.identifier else reply(b"", "403 Forbidden")

    record, faults = read(
        supplied() | {"medicationRequests": orders("Medication/a", "Medication/b")}, answers=reads_only,
        faulty="Medication",
    )  # fmt: skip
    assert set(record.medications) == {"Medication/a", "Medication/b"}
    assert len(faults.requests) == 3


def test_medications_elsewhere_are_never_asked_for() -> None:
    written = ("https://elsewhere.example/fhir/Medication/a", "Medication/../Patient/2", "Substance/1", "urn:uuid:x")
    record, faults = read(supplied() | {"medicationRequests": orders(*written)})
    assert faults.requests == []
    assert record.medications == {}
    assert record.gaps(WANTED) == ("medicationRequests: partial",)


def test_an_absolute_reference_to_the_server_itself_is_read() -> None:
    async def go() -> Record:
        async with faulty_server() as faults, FhirServers() as clients:
            base = faults.base()
            prefetch = supplied() | {"medicationRequests": orders(f"{base}/Medication/a")}
            return await gather(PATIENT, prefetch, WANTED, CODES, FhirAccess(base), clients)

    record = asyncio.run(go())
    assert record.input("medicationRequests").whole
    (medication,) = record.medications.values()
    assert isinstance(medication, Medication)


def test_included_medications_are_not_asked_for() -> None:
    order = resource("MedicationRequest", medicationReference={"reference": "Medication/a"})
    value = bundle(order, {"resourceType": "Medication", "id": "a", "code": {"text": "x"}})
    record, faults = read(supplied() | {"medicationRequests": value})
    assert faults.requests == []
    assert set(record.medications) == {"Medication/a"}
    assert len(list(record.all("medicationRequests", MedicationRequest))) == 1


# Arguments


@pytest.mark.parametrize("patient_id", ["", "a/b", "../1", "..", "p 1", "p?x=1", "p%2f", "x" * 65, "é", "Patient/"])
def test_ids_that_must_not_enter_a_url(patient_id: str) -> None:
    with pytest.raises(BadInput, match="not a FHIR id"):
        alone({}, WANTED, patient_id)


def test_a_type_in_front_of_the_id_is_tolerated() -> None:
    assert alone(supplied(), WANTED, f"Patient/{PATIENT}").patient_id == PATIENT


def test_an_unknown_input_is_an_error() -> None:
    with pytest.raises(BadInput, match="no such input: visions"):
        alone({}, ("visions",))


def test_the_token_is_not_in_the_repr_of_a_source() -> None:
    assert "t0ken" not in repr(FhirAccess("https://ehr.example/fhir", "t0ken"))


@pytest.mark.parametrize("token", ["", "a b", "a\r\nHost: canary.example", "tökén", "\x00"])
def test_a_token_that_cannot_stand_in_a_header(token: str) -> None:
    with pytest.raises(BadInput, match="access token"):
        FhirAccess("https://ehr.example/fhir", token)


def test_nothing_is_shared_between_records_read_at_the_same_time() -> None:
    async def go() -> list[Record]:
        async with faulty_server() as faults, FhirServers() as clients:
            source = FhirAccess(faults.base())
            return await asyncio.gather(
                *(gather(PATIENT, {}, ("patient", "conditions"), (), source, clients) for _ in range(8))
            )

    first, *others = asyncio.run(go())
    assert all(each.inputs == first.inputs for each in others)
    assert json.dumps([query.outcome for query in first.queries])
