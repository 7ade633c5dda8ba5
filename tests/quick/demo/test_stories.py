"""The demo patients are valid FHIR R4, hang together, and are the patients that their stories tell of."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from cds_hooks.demo.forms import FormRenderer
from cds_hooks.demo.stories import DemoPatient, demo_patients
from mappings.schema.base.entries import KnowledgeError

ANCHOR = date(2026, 11, 21)
PATIENTS = {patient.id: patient for patient in demo_patients(ANCHOR)}


def resources(patient: DemoPatient) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in json.loads(patient.bundle)["entry"]]


def members(node: Any, name: str) -> Iterator[Any]:
    """Every value of a member called ``name``, however deep."""
    if isinstance(node, dict):
        if name in node:
            yield node[name]
        for value in node.values():
            yield from members(value, name)
    elif isinstance(node, list):
        for value in node:
            yield from members(value, name)


def test_there_are_the_twelve_stories() -> None:
    assert list(PATIENTS) == [
        "two-failures",
        "acute-crisis",
        "trauma",
        "partial-response-to-tms",
        "partial-response-to-ketamine",
        "uncontrolled-hypertension",
        "cochlear-implant",
        "alcohol-use",
        "past-psychosis",
        "bipolar",
        "nearly-empty",
        "doing-well",
    ]


@pytest.mark.parametrize("patient", PATIENTS.values(), ids=PATIENTS)
def test_every_resource_is_valid_r4(patient: DemoPatient) -> None:
    for resource in resources(patient):
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)


@pytest.mark.parametrize("patient", PATIENTS.values(), ids=PATIENTS)
def test_the_bundle_is_a_transaction_that_puts_each_resource_under_its_own_id(patient: DemoPatient) -> None:
    bundle = json.loads(patient.bundle)
    get_fhir_model_class("Bundle").model_validate(bundle)
    assert bundle["type"] == "transaction"
    for entry in bundle["entry"]:
        resource = entry["resource"]
        assert entry["request"] == {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}


def test_ids_are_unique_over_all_patients() -> None:
    ids = [(r["resourceType"], r["id"]) for patient in PATIENTS.values() for r in resources(patient)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("patient", PATIENTS.values(), ids=PATIENTS)
def test_every_reference_resolves_within_the_record(patient: DemoPatient) -> None:
    present = {f"{r['resourceType']}/{r['id']}" for r in resources(patient)}
    for resource in resources(patient):
        inside = {f"#{contained['id']}" for contained in resource.get("contained", ())}
        for reference in members(resource, "reference"):
            assert reference in present | inside, resource["id"]


@pytest.mark.parametrize("patient", PATIENTS.values(), ids=PATIENTS)
def test_every_resource_is_about_the_patient(patient: DemoPatient) -> None:
    for resource in resources(patient):
        if resource["resourceType"] == "Patient":
            assert resource["id"] == patient.id
        elif resource["resourceType"] != "Medication":
            about = resource.get("subject") or resource.get("patient") or resource["beneficiary"]
            assert about == {"reference": f"Patient/{patient.id}"}


@pytest.mark.parametrize("patient", PATIENTS.values(), ids=PATIENTS)
def test_no_blank_and_no_relative_date_is_left(patient: DemoPatient) -> None:
    text = patient.bundle.decode()
    assert "$" not in text
    assert '"T-' not in text


@pytest.mark.parametrize("anchor", [date(2024, 2, 29), date(2026, 1, 1), date(2031, 8, 31)])
def test_nothing_in_a_record_lies_after_the_anchor_day(anchor: date) -> None:
    names = ("effectiveDateTime", "authored", "authoredOn", "performedDateTime", "whenHandedOver", "recordedDate")
    for patient in demo_patients(anchor):
        for resource in resources(patient):
            for name in names:
                assert resource.get(name, "")[:10] <= anchor.isoformat(), resource["id"]


def test_the_same_anchor_gives_the_same_bytes_and_another_day_moves_every_record() -> None:
    again = {patient.id: patient.bundle for patient in demo_patients(ANCHOR)}
    later = {patient.id: patient.bundle for patient in demo_patients(date(2027, 1, 9))}
    for name, patient in PATIENTS.items():
        assert again[name] == patient.bundle
        assert later[name] != patient.bundle


def phq9(resource: dict[str, Any]) -> int:
    points = {"LA6568-5": 0, "LA6569-3": 1, "LA6570-1": 2, "LA6571-9": 3}
    return sum(points[coding["code"]] for coding in members(resource["item"], "valueCoding"))


@pytest.mark.parametrize(
    ("name", "answered", "total"),
    [
        ("two-failures", "phq-5", 16),
        ("acute-crisis", "phq-4", 25),
        ("trauma", "phq-4", 19),
        ("partial-response-to-tms", "phq-2", 20),
        ("partial-response-to-tms", "phq-6", 13),
        ("partial-response-to-ketamine", "phq-3", 22),
        ("partial-response-to-ketamine", "phq-6", 14),
        ("uncontrolled-hypertension", "phq-2", 18),
        ("cochlear-implant", "phq-3", 18),
        ("alcohol-use", "phq-2", 16),
        ("past-psychosis", "phq-2", 20),
        ("bipolar", "phq-2", 18),
        ("doing-well", "phq-4", 2),
    ],
)
def test_the_answers_add_up_to_what_the_story_says(name: str, answered: str, total: int) -> None:
    (response,) = (r for r in resources(PATIENTS[name]) if r["id"] == f"{name}-{answered}")
    assert phq9(response) == total


def test_the_course_of_tms_has_thirty_six_sessions_on_different_days() -> None:
    for anchor in (date(2026, 11, day) for day in range(16, 23)):
        told = {patient.id: patient for patient in demo_patients(anchor)}["partial-response-to-tms"]
        days = [
            r["performedDateTime"][:10]
            for r in resources(told)
            if r["resourceType"] == "Procedure" and r["code"]["coding"][0]["code"] in ("90867", "90868")
        ]
        assert len(days) == len(set(days)) == 36


def test_servers_differ_and_so_do_these_records() -> None:
    """Each way of writing the same thing is there at least once."""
    everything = [r for patient in PATIENTS.values() for r in resources(patient)]
    orders = [r for r in everything if r["resourceType"] == "MedicationRequest"]
    assert {"valueInteger", "valueQuantity", "valueString", "hasMember"} <= {key for r in everything for key in r}
    assert any(r["medicationReference"]["reference"].startswith("#") for r in orders if "medicationReference" in r)
    assert any(r["medicationReference"]["reference"].startswith("Med") for r in orders if "medicationReference" in r)
    assert any("coding" not in r.get("medicationCodeableConcept", {"coding": 1}) for r in orders)
    assert {"active", "stopped", "completed", "cancelled"} <= {r["status"] for r in orders}


class TestForms:
    """A wrong story does not pass in silence."""

    def fill(self, node: Any, **values: Any) -> Any:
        return FormRenderer(values, {"colour": {1: {"code": "red"}}}, ANCHOR).fill(node)

    def test_a_blank_keeps_the_type_of_what_is_given(self) -> None:
        assert self.fill({"value": "$dose", "text": "$dose mg"}, dose=50) == {"value": 50, "text": "50 mg"}

    def test_a_question_mark_leaves_the_member_out_and_an_exclamation_mark_the_element(self) -> None:
        form = {"a": {"x": "$n?", "y": 1}, "b": {"x": "$n!", "y": 1}, "c": [{"x": "$n!"}], "d": {"x": "$n?"}}
        assert self.fill(form) == {"a": {"y": 1}}

    def test_tables_and_places(self) -> None:
        assert self.fill("$colour[answers.2]", answers=[0, 1]) == {"code": "red"}

    def test_a_blank_that_is_not_given_is_an_error(self) -> None:
        with pytest.raises(KnowledgeError, match="mara: dose is not given for order-1"):
            self.fill({"value": "$dose"}, patient="mara", id="order-1")

    def test_a_row_that_a_table_lacks_is_an_error(self) -> None:
        with pytest.raises(KnowledgeError, match="mara: no 7 in the table colour"):
            self.fill("$colour[n]", n=7, patient="mara")
