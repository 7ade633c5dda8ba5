"""Draft orders as real clients send them: never valid enough, always answered."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_plugin.drafts.draft_orders import Draft, read_drafts, selected

KETAMINE = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "6130"}], "text": "Ketamine"}


def entries(*resources: Any) -> list[tuple[str | None, msgspec.Raw]]:
    return [(None, msgspec.Raw(json.dumps(resource).encode())) for resource in resources]


def draft(**members: Any) -> dict[str, Any]:
    return {"resourceType": "MedicationRequest", "id": "r1", "subject": {"reference": "Patient/p1"}} | members


def only(*resources: Any) -> Draft:
    (found,) = read_drafts(entries(*resources), "p1").drafts
    return found


@pytest.mark.parametrize(
    "resources",
    [
        [draft(medicationCodeableConcept=KETAMINE)],
        [
            draft(
                medicationReference={"reference": "#m"},
                contained=[{"resourceType": "Medication", "id": "m", "code": KETAMINE}],
            )
        ],
        [
            draft(medicationReference={"reference": "Medication/m"}),
            {"resourceType": "Medication", "id": "m", "code": KETAMINE},
        ],
    ],
    ids=["concept", "contained", "in the Bundle"],
)
def test_the_drug_is_found_wherever_the_draft_names_it(resources: list[dict[str, Any]]) -> None:
    found = only(*resources)
    assert [coding.code for coding in found.codings] == ["6130"]
    assert found.text == "Ketamine"


def test_a_reference_that_leads_nowhere_gives_its_display() -> None:
    assert (
        only(draft(medicationReference={"reference": "Medication/elsewhere", "display": "Spravato"})).text == "Spravato"
    )


@pytest.mark.parametrize(
    "concept",
    [
        KETAMINE | {"coding": KETAMINE["coding"][0]},
        KETAMINE | {"coding": [{"code": ["6130", {}]}, KETAMINE["coding"][0]]},
        KETAMINE | {"coding": [KETAMINE["coding"][0] | {"code": 6130}]},
    ],
    ids=["one coding, not a list", "a coding that is none beside it", "a code that is a number"],
)
def test_what_does_not_decode_of_a_concept_does_not_hide_the_rest(concept: dict[str, Any]) -> None:
    found = only(draft(medicationCodeableConcept=concept))
    assert ([coding.code for coding in found.codings], found.words) == (["6130"], ("Ketamine",))


def test_a_text_does_not_hide_what_the_code_is_called() -> None:
    concept = {"coding": [{"system": "urn:local", "code": "7", "display": "ketamine infusion"}], "text": "per protocol"}
    assert only(draft(medicationCodeableConcept=concept)).words == ("per protocol", "ketamine infusion")


def test_the_draft_of_the_public_sandbox_is_read() -> None:
    found = only(draft(status="draft", category={"coding": []}, medicationCodeableConcept=KETAMINE))
    assert found.reference == "MedicationRequest/r1"
    assert found.status == "draft"


def test_a_draft_without_a_drug_is_a_draft_of_nothing() -> None:
    found = only(draft(status="draft"))
    assert found.codings == ()
    assert found.text == ""


@pytest.mark.parametrize("kind", ["ServiceRequest", "ProcedureRequest", "MedicationOrder", "DeviceRequest", "Unheard"])
def test_a_request_of_any_type_and_version_is_read(kind: str) -> None:
    found = only({"resourceType": kind, "id": "x", "code": {"text": "TMS"}, "patient": {"reference": "Patient/p1"}})
    assert found.resource_type == kind
    assert found.text == "TMS"


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/p2",
        "https://ehr.example/fhir/Patient/p2",
        "Patient/p2/_history/p1",
        "p2",
        "Group/p1",
        "https://ehr.example/fhir/Group/p1",
    ],
)
@pytest.mark.parametrize("member", ["subject", "patient"])
def test_a_draft_for_somebody_else_is_dropped_and_counted(reference: str, member: str) -> None:
    resource = draft(medicationCodeableConcept=KETAMINE)
    del resource["subject"]
    read = read_drafts(entries(resource | {member: {"reference": reference}}), "p1")
    assert read.drafts == ()
    assert len(read.foreign) == 1


@pytest.mark.parametrize("reference", ["Patient/p1", "https://ehr.example/fhir/Patient/p1", "Patient/p1/_history/3"])
def test_a_draft_for_the_patient_is_known_in_every_spelling(reference: str) -> None:
    resource = draft(subject={"reference": reference})
    assert read_drafts(entries(resource), "p1", "https://EHR.example:443/fhir/").drafts


@pytest.mark.parametrize("server", [None, "https://ehr.example/fhir", "https://other.example/fhir/r4"])
def test_a_patient_of_another_server_is_somebody_else(server: str | None) -> None:
    read = read_drafts(entries(draft(subject={"reference": "https://other.example/fhir/Patient/p1"})), "p1", server)
    assert (read.drafts, len(read.foreign)) == ((), 1)


def test_only_what_is_selected_is_looked_at() -> None:
    drafts = read_drafts(entries(draft(id="a"), draft(id="b"), draft(id="c")), "p1")
    assert [each.reference for each in selected(drafts, ["MedicationRequest/b", "c", "urn:uuid:none"]).drafts] == [
        "MedicationRequest/b",
        "MedicationRequest/c",
    ]


def test_without_a_selection_it_is_unknown_what_was_selected() -> None:
    drafts = read_drafts(entries(draft(id="a"), draft(id="b")), "p1")
    assert selected(drafts, []).drafts == drafts.drafts


def reasons(**members: Any) -> tuple[list[str], tuple[str, ...]]:
    found = only(draft(**members)).reasons
    return [concept.label for concept in found.stated], found.references


def test_the_reason_is_found_wherever_the_draft_states_it() -> None:
    pain = {"text": "pain"}
    assert reasons(reasonCode=[pain, 3, {}]) == (["pain"], ())
    assert reasons(reasonCode=pain) == (["pain"], ())
    assert reasons(reason=[{"concept": pain}, {"reference": {"reference": "Condition/c"}}]) == (
        ["pain"],
        ("Condition/c",),
    )
    assert reasons(reasonReference=[{"reference": "Condition/c", "display": "pain"}]) == (["pain"], ())
    inside = [{"resourceType": "Condition", "id": "c", "code": pain}]
    assert reasons(reasonReference=[{"reference": "#c"}], contained=inside) == (["pain"], ())
    assert reasons(reasonReference=[{"reference": "Condition/c"}]) == ([], ("Condition/c",))


def test_everything_that_the_dosage_says_is_an_instruction() -> None:
    dosage = {
        "text": "1 mL",
        "patientInstruction": "slowly",
        "additionalInstruction": [{"text": "at home"}],
        "method": {"text": "swallow"},
        "asNeededCodeableConcept": {"text": "pain"},
    }
    said = only(draft(dosageInstruction=[dosage])).instructions
    assert said == ("1 mL", "slowly", "at home", "swallow", "as needed for pain")


def test_the_bytes_of_the_client_are_kept() -> None:
    resource = draft(extension=[{"url": "x", "valueDecimal": 1.10}], odd={"a": None})
    assert json.loads(bytes(only(resource).raw)) == resource


MEMBER = st.sampled_from(
    [
        "id",
        "status",
        "subject",
        "code",
        "medicationCodeableConcept",
        "medicationReference",
        "contained",
        "dosageInstruction",
    ]
)
ODD = (
    st.none()
    | st.integers()
    | st.text(max_size=5)
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(
        st.sampled_from(["coding", "text", "reference", "id"]),
        st.integers() | st.lists(st.none(), max_size=2),
        max_size=2,
    )
)


@given(st.dictionaries(MEMBER, ODD))
def test_a_member_of_any_shape_costs_no_more_than_itself(members: dict[str, Any]) -> None:
    read = read_drafts(entries(draft(**members)), "p1")
    assert len(read.drafts) + len(read.foreign) == 1


@given(st.lists(ODD, max_size=3))
def test_an_entry_of_any_shape_is_passed_over(resources: list[Any]) -> None:
    assert read_drafts(entries(*resources), "p1").drafts == ()


@pytest.mark.parametrize(
    "subject",
    ["Patient/p2", [{"reference": "Patient/p2"}], ["Patient/p2"], [{"reference": "Patient/p1"}, "Patient/p2"]],
)
def test_a_subject_of_another_shape_is_still_somebody_else(subject: Any) -> None:
    found = read_drafts(entries(draft(medicationCodeableConcept=KETAMINE, subject=subject)), "p1")
    assert (len(found.drafts), len(found.foreign)) == (0, 1)


@pytest.mark.parametrize("subject", ["Patient/p1", [{"reference": "Patient/p1"}], {"display": "somebody"}, 5])
def test_a_subject_of_another_shape_that_names_this_patient_or_nobody_is_taken(subject: Any) -> None:
    assert only(draft(medicationCodeableConcept=KETAMINE, subject=subject)).text == "Ketamine"


def test_entries_that_hold_no_order_are_counted() -> None:
    odd = [{"resourceType": "Bundle", "entry": [{"resource": draft()}]}, {"id": "x"}, 5]
    found = read_drafts([(None, msgspec.Raw(b"")), *entries(*odd, draft())], "p1")
    assert (found.unreadable, len(found.drafts)) == (4, 1)


@pytest.mark.parametrize(
    ("members", "unread"),
    [
        ({"medicationCodeableConcept": 6130}, True),
        ({"medicationReference": "Medication/9"}, True),
        ({"medicationCodeableConcept": {}}, False),
        ({"medicationCodeableConcept": KETAMINE}, False),
        ({}, False),
    ],
)
def test_a_drug_that_is_there_and_cannot_be_read_is_not_one_that_is_still_to_be_chosen(
    members: dict[str, Any], unread: bool
) -> None:
    assert only(draft(**members)).drug_unread is unread
