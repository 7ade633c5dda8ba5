"""Drafts that once met silence: each shape a real client may send is answered, or said to be unanswerable."""

import json
from typing import Any

import pytest
import respx
from httpx import Response
from hypothesis import given
from hypothesis import strategies as st

from tests.support.hooks.calls import (
    ESKETAMINE,
    KETAMINE,
    ORDER_SELECT,
    ORDER_SIGN,
    TMS,
    body,
    cards,
    check,
    client,
    knowledge,
    order,
    patient_id,
)
from tests.support.profiles import examples

HYPERTENSION, FAILED = "uncontrolled-hypertension", "two-failures"
SYSTEM = {"resourceType": "Medication", "id": "ket-vial"}
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
NAMELESS = {"medicationReference": {"reference": "Medication/ket-vial"}}


def drug(patient: str = HYPERTENSION, **members: Any) -> dict[str, Any]:
    """A draft of a drug that is named by ``members`` alone."""
    draft = order(KETAMINE, patient)
    del draft["medicationCodeableConcept"]
    return draft | members


def contained(**medication: Any) -> dict[str, Any]:
    """A draft whose drug is inside it."""
    return drug(
        medicationReference={"reference": "#m"}, contained=[{"resourceType": "Medication", "id": "m"} | medication]
    )


SHAPES = {
    "contained, only an ingredient": contained(ingredient=[{"itemCodeableConcept": KETAMINE}]),
    "contained, only an ingredient, R5": contained(ingredient=[{"item": {"concept": KETAMINE}}]),
    "contained, an ingredient by its name": contained(ingredient=[{"itemReference": {"display": "ketamine HCl"}}]),
    "contained, an ingredient that is contained too": drug(
        medicationReference={"reference": "#m"},
        contained=[
            {"resourceType": "Substance", "id": "s", "code": KETAMINE},
            {"resourceType": "Medication", "id": "m", "ingredient": [{"itemReference": {"reference": "#s"}}]},
        ],
    ),
    "contained, a code that says nothing": contained(
        code={"text": "pharmacy compound 7"}, ingredient=[{"itemCodeableConcept": KETAMINE}]
    ),
    "R5 concept": drug(medication={"concept": KETAMINE}),
    "R5 reference with a name": drug(medication={"reference": {"reference": "Medication/x", "display": "Ketalar"}}),
    "R5 reference into itself": drug(
        medication={"reference": {"reference": "#m"}},
        contained=[{"resourceType": "Medication", "id": "m", "code": KETAMINE}],
    ),
    "one coding, not a list": drug(medicationCodeableConcept={"coding": KETAMINE["coding"][0]}),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_ketamine_is_known_in_every_shape(shape: str) -> None:
    (card,) = cards(ORDER_SIGN, HYPERTENSION, SHAPES[shape])
    assert (card["indicator"], card["summary"][:26]) == ("critical", "Ketamine: hold. BP 172/104")


def test_tms_is_known_as_a_reference_of_r5() -> None:
    draft = order(TMS, "cochlear-implant") | {"code": {"concept": TMS}}
    (card,) = cards(ORDER_SIGN, "cochlear-implant", draft)
    assert card["summary"].startswith("TMS: contraindicated")


# The drug is elsewhere


def test_a_medication_that_came_with_the_prefetch_names_the_drug() -> None:
    request = body(ORDER_SIGN, HYPERTENSION, drug(**NAMELESS))
    request["prefetch"]["medicationRequests"]["entry"] += [
        {"resource": SYSTEM | {"code": KETAMINE}, "search": {"mode": "include"}}
    ]
    (card,) = check(client().post(ORDER_SIGN, json=request).json())
    assert card["summary"].startswith("Ketamine: hold. BP 172/104")


@pytest.mark.parametrize(
    "reference",
    ["Medication/ket-vial", "Medication/ket-vial/_history/2", "http://127.0.0.1:9/fhir/Medication/ket-vial"],
)
def test_a_medication_is_read_from_the_fhir_server(respx_mock: respx.MockRouter, reference: str) -> None:
    asked = respx_mock.get(url__startswith="http://127.0.0.1:9/fhir/Medication").mock(
        return_value=Response(200, json=SYSTEM | {"code": KETAMINE})
    )
    draft = drug(medicationReference={"reference": reference})
    request = body(ORDER_SIGN, HYPERTENSION, draft, fhirServer="http://127.0.0.1:9/fhir")
    (card,) = check(client().post(ORDER_SIGN, json=request).json())
    assert asked.called
    assert card["summary"].startswith("Ketamine: hold. BP 172/104")


def test_a_medication_of_another_server_is_not_read(respx_mock: respx.MockRouter) -> None:
    draft = drug(medicationReference={"reference": "https://elsewhere.example/fhir/Medication/ket-vial"})
    request = body(ORDER_SIGN, HYPERTENSION, draft, fhirServer="http://127.0.0.1:9/fhir")
    (card,) = check(client().post(ORDER_SIGN, json=request).json())
    assert not respx_mock.calls
    assert card["summary"].startswith("The drug of 1 draft orders could not be read")


def test_a_drug_that_nobody_can_name_is_said_and_not_passed_over() -> None:
    (card,) = cards(ORDER_SIGN, HYPERTENSION, drug(**NAMELESS))
    assert card["indicator"] == "info"
    assert card["summary"] == "The drug of 1 draft orders could not be read: no criteria were applied"
    assert "nothing was checked" in card["detail"]
    (card,) = cards(ORDER_SIGN, HYPERTENSION, drug(**NAMELESS, id="other"), order(TMS, HYPERTENSION))
    assert card["summary"].startswith("TMS")
    assert "The drug of 1 draft orders could not be read" in card["detail"]


def test_a_drug_that_is_read_and_is_not_ours_is_met_with_silence() -> None:
    request = body(ORDER_SIGN, HYPERTENSION, drug(**NAMELESS))
    request["prefetch"]["medicationRequests"]["entry"] += [{"resource": SYSTEM | {"code": {"text": "Amoxicillin"}}}]
    assert check(client().post(ORDER_SIGN, json=request).json()) == []


def test_a_draft_without_a_drug_yet_is_met_with_silence() -> None:
    assert cards(ORDER_SIGN, HYPERTENSION, drug()) == []


# Other forms, other words

ELSEWISE = ["Ketamine 100 mg troche", "ketamine 50 mg sublingual lozenges", "Ketamine HCl 200 mg rapid dissolve tablet",
    "compounded ketamine oral suspension 10 mg/mL", "Ketamine nasal spray 100 mg/mL"]  # fmt: skip


@pytest.mark.parametrize("text", ELSEWISE)
def test_ketamine_in_another_form_is_answered_as_such(text: str) -> None:
    (card,) = cards(ORDER_SIGN, FAILED, order({"text": text}, FAILED))
    assert (card["indicator"], card["summary"]) == (
        "info",
        "Ketamine in a form or by a route that the criteria here are not made for",
    )
    (card,) = cards(ORDER_SIGN, HYPERTENSION, order({"text": text}, HYPERTENSION))
    assert card["indicator"] == "warning"
    assert "Against ketamine IV or IM on the record: BP 172/104 on 13 Jan; recheck before any dose." in card["detail"]
    (card,) = cards(ORDER_SIGN, "bipolar", order({"text": text}, "bipolar"))
    assert card["indicator"] == "warning"
    assert "Against ketamine IV or IM on the record: bipolar disorder Jan 2023." in card["detail"]


def test_the_route_and_the_form_tell_as_well() -> None:
    route = order(KETAMINE, FAILED, dosageInstruction=[{"route": {"coding": [{"display": "Oral route"}]}}])
    form = contained(code=KETAMINE, form={"text": "Troche"})
    for patient, draft in ((FAILED, route), (HYPERTENSION, form)):
        (card,) = cards(ORDER_SIGN, patient, draft)
        assert card["summary"].startswith("Ketamine in a form")


@pytest.mark.parametrize(
    "text",
    ["ketamine 50 mg IV infusion, nothing by mouth for 4 h before", "Ketamine injection, patient takes oral meds"],
)
def test_a_mouth_in_an_order_for_an_infusion_makes_it_no_other_form(text: str) -> None:
    (card,) = cards(ORDER_SIGN, HYPERTENSION, order({"text": text}, HYPERTENSION))
    assert card["indicator"] == "critical"


def test_esketamine_stays_esketamine() -> None:
    draft = order(ESKETAMINE | {"text": "esketamine 56 mg nasal spray"}, FAILED)
    (card,) = cards(ORDER_SIGN, FAILED, draft)
    assert card["summary"].startswith("Esketamine:")


@pytest.mark.parametrize("text", ["Ketamine 10 % cream", "ketamine topical gel"])
def test_ketamine_for_the_skin_is_no_treatment_of_depression(text: str) -> None:
    assert cards(ORDER_SIGN, FAILED, order({"text": text}, FAILED)) == []


TMS_WORDS = ["TMS evaluation and treatment", "TMS eval & treat", "Evaluate and treat: TMS", "Referral for TMS therapy",
    "dTMS course", "r-TMS x 36", "rTMS", "Transcranial-magnetic stimulation", "Transcranial mag stim", "T.M.S. series",
    "Theta burst stimulation", "iTBS", "NeuroStar therapy", "consult + treat, TMS", "Deep TMS (BrainsWay)"]  # fmt: skip


@pytest.mark.parametrize("text", TMS_WORDS)
def test_tms_is_known_by_its_usual_names(text: str) -> None:
    draft = order(TMS, "cochlear-implant") | {"code": {"text": text}}
    (card,) = cards(ORDER_SIGN, "cochlear-implant", draft)
    assert card["summary"].startswith("TMS: contraindicated")


@pytest.mark.parametrize("text", ["TMS consult", "TMS evaluation", "motor-evoked potential by TMS", "TMJ treatment"])
def test_what_only_comes_near_tms_is_no_order_for_it(text: str) -> None:
    draft = order(TMS, "cochlear-implant") | {"code": {"text": text}}
    assert cards(ORDER_SIGN, "cochlear-implant", draft) == []


# Orders that are none


@pytest.mark.parametrize(
    "members", [{"status": status} for status in ("cancelled", "stopped", "revoked", "ended", "entered-in-error")]
    + [{"doNotPerform": True}]
)  # fmt: skip
def test_an_order_that_orders_nothing_is_not_answered(members: dict[str, Any]) -> None:
    assert cards(ORDER_SIGN, HYPERTENSION, order(KETAMINE, HYPERTENSION) | members) == []


@pytest.mark.parametrize(
    "members", [{"status": "active"}, {"status": "on-hold"}, {"status": 7}, {"doNotPerform": False}]
)
def test_an_order_that_is_signed_again_is_answered(members: dict[str, Any]) -> None:
    (card,) = cards(ORDER_SIGN, HYPERTENSION, order(KETAMINE, HYPERTENSION) | members)
    assert card["indicator"] == "critical"


# Whose


def test_drafts_of_nobody_here_are_said_without_reading_the_record() -> None:
    request = body(ORDER_SIGN, HYPERTENSION, order(KETAMINE, HYPERTENSION, subject={"reference": "Patient/other"}))
    del request["prefetch"]
    (card,) = check(client().post(ORDER_SIGN, json=request).json())
    assert card["summary"].startswith("No draft order names the patient in context: 1 left out")
    assert "other" not in card["summary"]


def test_a_patient_id_with_its_type_makes_no_draft_foreign() -> None:
    request = body(ORDER_SIGN, HYPERTENSION, order(KETAMINE, HYPERTENSION))
    request["context"]["patientId"] = f"Patient/{patient_id(HYPERTENSION)}"
    (card,) = check(client().post(ORDER_SIGN, json=request).json())
    assert card["indicator"] == "critical"


# Selections


def selecting(*selections: Any) -> Any:
    request = body(ORDER_SELECT, HYPERTENSION, order(KETAMINE, HYPERTENSION))
    request["context"]["draftOrders"]["entry"][0]["fullUrl"] = "urn:uuid:4a1f"
    request["context"]["draftOrders"]["entry"] += [{"resource": order({"text": "Amoxicillin"}, HYPERTENSION, id="b")}]
    request["context"]["selections"] = list(selections)
    return client().post(ORDER_SELECT, json=request)


@pytest.mark.parametrize(
    "selection",
    ["MedicationRequest/draft-1", "draft-1", "urn:uuid:4a1f", "MedicationRequest/draft-1/_history/2",
     "https://ehr.example/fhir/MedicationRequest/draft-1", " MedicationRequest/draft-1/ ", "urn:uuid:nobody"],
)  # fmt: skip
def test_a_selection_in_any_shape_finds_its_draft_and_one_that_finds_none_hides_none(selection: str) -> None:
    (card,) = check(selecting(selection).json())
    assert card["summary"].startswith("Ketamine: hold. BP 172/104")


@pytest.mark.parametrize("selection", ["b", "MedicationRequest/b"])
def test_what_is_not_selected_is_not_answered(selection: str) -> None:
    assert check(selecting(selection).json()) == []
    assert len(check(selecting().json())) == 1  # nothing selected: it is unknown what was


@pytest.mark.parametrize("selection", [7, None, {"reference": "MedicationRequest/draft-1"}])
def test_a_selection_that_is_no_text_is_refused(selection: Any) -> None:
    assert selecting(selection).status_code == 400


# Whatever comes

WORDS = st.sampled_from(["ketamine", "Ketamine troche", "TMS", "esketamine", "x", "", "#m", "Medication/1"])
LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS
NAMES = st.sampled_from(
    ["coding", "code", "system", "display", "text", "reference", "concept", "item", "itemCodeableConcept", "value",
     "unit", "doseAndRate", "doseQuantity", "timing", "repeat", "frequency", "period", "periodUnit", "route",
     "resourceType", "id", "ingredient", "duration", "durationUnit", "rateQuantity", "rateRatio", "numerator",
     "denominator"]
)  # fmt: skip
ODD = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
MEMBERS = st.sampled_from(
    ["id", "status", "doNotPerform", "subject", "code", "medication", "medicationCodeableConcept",
     "medicationReference", "contained", "dosageInstruction", "occurrenceTiming", "quantityQuantity", "note",
     "patientInstruction"]
)  # fmt: skip


@examples(1.5)
@given(st.dictionaries(MEMBERS, ODD, max_size=5), st.sampled_from([KETAMINE, ESKETAMINE, TMS, None]))
def test_no_draft_is_odd_enough_to_fail_a_call(members: dict[str, Any], what: dict[str, Any] | None) -> None:
    draft = order(what, FAILED) if what else drug(FAILED)
    answer = client().post(ORDER_SIGN, json=body(ORDER_SIGN, FAILED, draft | members))
    assert answer.status_code == 200, json.dumps(members)
    check(answer.json())


def test_other_forms_are_data_with_a_source() -> None:
    forms = knowledge().treatments["ketamine"].other_forms
    assert forms is not None
    assert forms.source


@pytest.mark.parametrize(
    "draft_orders",
    [
        {"resourceType": "Bundle", "entry": [order(KETAMINE, HYPERTENSION)]},
        {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Bundle", "entry": []}}]},
        {"resourceType": "Bundle", "entry": [{"fullUrl": "urn:uuid:1"}]},
    ],
    ids=["resources without their entries", "a Bundle within", "only an address"],
)
def test_entries_that_hold_no_order_are_not_met_with_silence(draft_orders: dict[str, Any]) -> None:
    request = body(ORDER_SIGN, HYPERTENSION)
    request["context"]["draftOrders"] = draft_orders
    (card,) = client().post(ORDER_SIGN, json=request).json()["cards"]
    assert card["summary"] == "1 draft orders could not be read: no criteria were applied"


@pytest.mark.parametrize(
    "members",
    [
        {"medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": "999999999"}]}},
        {"medicationReference": "Medication/9"},
    ],
)
def test_a_drug_that_only_an_unknown_code_or_nothing_readable_names_is_said_to_be_unread(
    members: dict[str, Any],
) -> None:
    (card,) = cards(ORDER_SIGN, HYPERTENSION, drug(**members))
    assert card["summary"] == "The drug of 1 draft orders could not be read: no criteria were applied"


@pytest.mark.parametrize(
    "dose",
    [
        {"doseQuantity": {"value": 5000}},
        {"doseQuantity": {"value": 5000, "unit": "mg", "comparator": "<"}},
        {"doseQuantity": {"value": 2, "unit": "vials"}},
        {"doseRange": {"low": {"value": 5000, "unit": "mg"}}},
    ],
    ids=["no unit", "a limit", "another unit", "half a range"],
)
def test_a_dose_of_which_nothing_can_be_made_could_not_be_read(dose: dict[str, Any]) -> None:
    draft = order(KETAMINE, HYPERTENSION, dosageInstruction=[{"doseAndRate": [dose]}])
    text = " ".join(card["detail"] for card in cards(ORDER_SIGN, HYPERTENSION, draft))
    assert "could not be read" in text
    assert "dose" not in text.partition("Not stated by the order:")[2].partition("\n")[0]
