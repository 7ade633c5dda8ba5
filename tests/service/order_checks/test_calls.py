"""The checks on the card, in whole calls: what is said, what is suggested, and that nothing else is."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.settings.settings import Settings
from mappings.schema.base.entries import KnowledgeError
from mappings.schema.base.files import KNOWLEDGE
from mappings.schema.load import load_knowledge
from tests.support.hooks.calls import (
    DAY,
    ESKETAMINE,
    KETAMINE,
    ORDER_SELECT,
    ORDER_SIGN,
    TMS,
    body,
    cards,
    check,
    client,
    order,
)

FAILED, HYPERTENSION, IMPLANT = "two-failures", "uncontrolled-hypertension", "cochlear-implant"
PSYCHOSIS = "past-psychosis"


def infusion(patient: str, milligrams: float, **members: Any) -> dict[str, Any]:
    """A draft infusion whose dose stands in its fields alone; the patient of FAILED weighs 71.4 kg."""
    dosage = {"doseAndRate": [{"doseQuantity": {"value": milligrams, "unit": "mg"}}]}
    return order(KETAMINE, patient, dosageInstruction=[dosage]) | members


def actions(card: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    found = [action for each in card.get("suggestions", ()) for action in each["actions"]]
    return [action for action in found if action["type"] == kind]


def test_a_dose_as_expected_is_said_in_a_line_and_alarms_nobody() -> None:
    (card,) = cards(ORDER_SIGN, FAILED, infusion(FAILED, 36))
    assert card["indicator"] == "info"
    assert "dose 36 mg, that is 0.5 mg/kg at 71.4 kg (2026-01-09)" in card["detail"]
    assert actions(card, "update") == []


def test_a_dose_far_out_warns_in_the_summary() -> None:
    (card,) = cards(ORDER_SIGN, FAILED, infusion(FAILED, 100))
    assert card["indicator"] == "warning"
    assert "dose far outside what is expected" in card["summary"]
    assert "expected 0.5 to 0.75 mg/kg (Andrade 2017)" in card["detail"]


def test_an_overdose_is_critical_and_stands_alone_in_the_summary() -> None:
    (card,) = cards(ORDER_SIGN, FAILED, infusion(FAILED, 250))
    assert card["indicator"] == "critical"
    assert card["summary"] == (
        "Ketamine: dose far outside what is expected: 250 mg, that is 3.5 mg/kg at 71.4 kg (2026-01-09); "
        "expected 0.5 to 0.75 mg/kg"
    )
    (corrected,) = actions(card, "update")
    assert corrected["resource"]["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] == 35


SAID = [
    (
        KETAMINE,
        "36 mg IV push over 2 minutes",
        "IV push or bolus, not an infusion; infusion time 2 min, expected 40 to 60 min",
    ),
    (KETAMINE, "36 mg IV over 1-2 minutes", "infusion time 1 to 2 min, expected 40 to 60 min"),
    (KETAMINE, "50 mg IM, self-injection at home", "for use at home, without observation"),
    (ESKETAMINE, "56 mg at home twice weekly", "for use at home, which the REMS does not allow"),
]


@pytest.mark.parametrize(("what", "sig", "said"), SAID)
@pytest.mark.parametrize("member", ["text", "patientInstruction"])
def test_what_the_order_says_leads_the_summary_as_a_whole(
    what: dict[str, Any], sig: str, said: str, member: str
) -> None:
    (card,) = cards(ORDER_SIGN, FAILED, order(what, FAILED, dosageInstruction=[{member: sig}]))
    assert card["indicator"] == "warning"
    assert card["summary"].partition(": review before signing: ")[2].startswith(said)


def test_a_note_says_it_too() -> None:
    draft = order(ESKETAMINE, FAILED, dosageInstruction=[{"text": "56 mg"}], note=[{"text": "patient uses it at home"}])
    (card,) = cards(ORDER_SIGN, FAILED, draft)
    assert "for use at home" in card["summary"]


def test_a_contraindication_that_is_only_possible_hides_no_overdose() -> None:
    request = body(ORDER_SIGN, FAILED, infusion(FAILED, 250))
    request["prefetch"]["allergies"] = {"resourceType": "OperationOutcome", "issue": []}
    (card,) = check(client().post(ORDER_SIGN, json=request).json())
    assert (card["indicator"], card["summary"][:31]) == ("critical", "Ketamine: dose far outside what")


@pytest.mark.parametrize(("what", "said"), [(KETAMINE, "airway and resuscitation"), (ESKETAMINE, "certified setting")])
def test_what_every_dose_needs_is_said_where_it_is_signed(what: dict[str, Any], said: str) -> None:
    (signed,) = cards(ORDER_SIGN, FAILED, order(what, FAILED))
    (selected,) = cards(ORDER_SELECT, FAILED, order(what, FAILED))
    assert (said in signed["detail"], said in selected["detail"]) == (True, False)


@pytest.mark.parametrize(("drug", "name"), [(KETAMINE, "Ketamine"), (ESKETAMINE, "Esketamine")])
def test_a_drug_and_tms_in_one_call_are_seen_as_the_combination(drug: dict[str, Any], name: str) -> None:
    (card,) = cards(ORDER_SIGN, FAILED, order(drug, FAILED), order(TMS, FAILED, id="t"))
    assert "TMS is ordered too (among these drafts): this would be the combination" in card["detail"]
    assert f"{name} is ordered too (among these drafts): this would be the combination" in card["detail"]


def test_a_draft_that_was_not_selected_counts_beside_the_selected_one() -> None:
    vitals = {"resourceType": "ServiceRequest", "id": "v", "code": {"text": "Vital signs every 15 minutes"}}
    request = body(ORDER_SELECT, FAILED, infusion(FAILED, 36), vitals, order(TMS, FAILED, id="t"))
    request["context"]["selections"] = ["MedicationRequest/draft-1"]
    (card,) = check(client().post(ORDER_SELECT, json=request).json())
    assert "vital signs among the drafts or on the record" in card["detail"]
    assert "TMS is ordered too (among these drafts)" in card["detail"]


def test_an_active_order_of_the_family_is_named_with_its_day() -> None:
    request = body(ORDER_SIGN, FAILED, order(ESKETAMINE, FAILED))
    standing = order(KETAMINE, FAILED, id="standing", status="active", authoredOn="2025-12-20")
    request["prefetch"]["medicationRequests"]["entry"].append({"resource": standing})
    (card,) = check(client().post(ORDER_SIGN, json=request).json())
    assert "an active order for Ketamine of 20 Dec 2025 stands on the record" in card["detail"]
    del request["prefetch"]["serviceRequests"]
    (card,) = check(client().post(ORDER_SIGN, json=request).json())
    assert "other course or order none found" not in card["detail"]


def test_a_cleared_accelerated_schedule_is_known_as_such() -> None:
    draft = order(TMS, FAILED) | {"code": {"text": "SAINT TMS, 10 sessions a day for 5 days"}}
    (card,) = cards(ORDER_SIGN, FAILED, draft)
    assert "accelerated schedule (SAINT), 50 sessions at 10 a day" in card["detail"]
    assert "; expected" not in card["detail"]
    coded = {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "0890T"}]}
    (card,) = cards(ORDER_SIGN, FAILED, order(TMS, FAILED, quantityQuantity={"value": 1}) | {"code": coded})
    assert "accelerated schedule (SAINT)" in card["detail"]
    assert "number of sessions" not in card["detail"]


def test_a_dose_a_little_out_is_said_and_does_not_warn() -> None:
    (card,) = cards(ORDER_SIGN, FAILED, infusion(FAILED, 60))
    assert card["indicator"] == "info"
    assert "**dose**: 60 mg, that is 0.84 mg/kg" in card["detail"]


def test_a_correction_is_the_whole_draft_with_one_number_changed_and_never_pre_selected() -> None:
    draft = infusion(FAILED, 80.0, extension=[{"url": "urn:x", "valueDecimal": 1.10}], category={"odd": None}, note=[])
    text = json.dumps(draft, indent=1).replace("1.1\n", "1.10\n").replace('"odd"', '"\\u006fdd"')
    request = json.dumps(body(ORDER_SIGN, FAILED, draft)).replace(json.dumps(draft), text)
    answer = client().post(ORDER_SIGN, content=request, headers={"Content-Type": "application/json"})
    assert text.replace("80.0", "35") in answer.text
    (card,) = check(answer.json())
    (suggestion,) = [each for each in card["suggestions"] if each["actions"][0]["type"] == "update"]
    assert suggestion["label"] == "Change the dose to 35 mg"
    assert "0.5 mg/kg, 71.4 kg (2026-01-09)" in suggestion["actions"][0]["description"]
    assert "isRecommended" not in suggestion


@pytest.mark.parametrize(
    "members",
    [
        {"id": "a b"},
        {"medicationCodeableConcept": KETAMINE | {"text": "ketamine 80 mg infusion"}},
        {"note": [{"text": "80 mg agreed with the patient"}]},
        {"dispenseRequest": {"extension": [{"valueString": "2 syringes of 40 mg"}]}},
    ],
)
def test_an_order_that_states_an_amount_elsewhere_or_has_no_id_is_not_corrected(members: dict[str, Any]) -> None:
    (card,) = cards(ORDER_SIGN, FAILED, infusion(FAILED, 80, **members))
    assert "80 mg" in card["detail"]
    assert actions(card, "update") == []


def test_an_order_of_which_a_step_cannot_be_read_is_not_corrected() -> None:
    draft = infusion(FAILED, 80)
    draft["dosageInstruction"].insert(0, {"text": 7, "doseAndRate": [{"doseQuantity": {"value": 40, "unit": "mg"}}]})
    (card,) = cards(ORDER_SIGN, FAILED, draft)
    assert "80 mg" in card["detail"]
    assert actions(card, "update") == []


def test_the_strength_of_the_product_is_no_dose() -> None:
    concept = KETAMINE | {"text": "ketamine 50 mg/mL injection"}
    (card,) = cards(ORDER_SIGN, FAILED, infusion(FAILED, 80, medicationCodeableConcept=concept))
    assert len(actions(card, "update")) == 1


@pytest.mark.parametrize("url", [ORDER_SIGN, ORDER_SELECT])
@pytest.mark.parametrize(("patient", "what"), [(PSYCHOSIS, KETAMINE), (PSYCHOSIS, ESKETAMINE), (IMPLANT, TMS)])
def test_a_contraindicated_order_is_offered_for_removal(url: str, patient: str, what: dict[str, Any]) -> None:
    (card,) = cards(url, patient, order(what, patient))
    kind = "ServiceRequest" if what is TMS else "MedicationRequest"
    (action,) = actions(card, "delete")
    assert action["resourceId"] == f"{kind}/draft-1"
    assert card["indicator"] == ("critical" if url == ORDER_SIGN else "warning")


@pytest.mark.parametrize("kind", ["Medication Request", "MedicationRequest/x", "Médication"])
def test_a_type_that_is_none_is_not_sent_back(kind: str) -> None:
    draft = order(KETAMINE, PSYCHOSIS, resourceType=kind)
    (card,) = check(client().post(ORDER_SIGN, json=body(ORDER_SIGN, PSYCHOSIS, draft)).json())
    assert (card["indicator"], actions(card, "delete")) == ("critical", [])


def test_a_contraindicated_order_without_an_id_cannot_be_removed_and_is_still_refused() -> None:
    draft = order(KETAMINE, PSYCHOSIS)
    del draft["id"]
    (card,) = check(client().post(ORDER_SIGN, json=body(ORDER_SIGN, PSYCHOSIS, draft)).json())
    assert (card["indicator"], actions(card, "delete")) == ("critical", [])


@pytest.mark.parametrize("milligrams", [36, 80, 800])
def test_a_contraindication_adds_nothing_but_the_removal(milligrams: float) -> None:
    def suggested(*, psychosis: bool) -> set[tuple[str, str]]:
        request = body(ORDER_SIGN, PSYCHOSIS, infusion(PSYCHOSIS, milligrams))
        conditions = request["prefetch"]["conditions"]
        conditions["entry"] = [each for each in conditions["entry"] if psychosis or "F29" not in json.dumps(each)]
        (card,) = check(client().post(ORDER_SIGN, json=request).json())
        return {(a["type"], s["label"]) for s in card.get("suggestions", ()) for a in s["actions"]}

    assert suggested(psychosis=True) - suggested(psychosis=False) == {("delete", "Remove this order for Ketamine")}


@pytest.mark.parametrize("milligrams", [36, 80, 800])
def test_a_hold_adds_nothing_and_removes_nothing(milligrams: float) -> None:
    def suggested(pressure: str) -> list[tuple[str, str]]:
        request = body(ORDER_SIGN, HYPERTENSION, infusion(HYPERTENSION, milligrams))
        text = json.dumps(request).replace('"value": 172', f'"value": {pressure}')
        text = text.replace('"value": 104,', '"value": 80,') if pressure == "120" else text
        (card,) = check(client().post(ORDER_SIGN, content=text).json())
        return [(a["type"], s["label"]) for s in card.get("suggestions", ()) for a in s["actions"]]

    without, with_one = suggested("120"), suggested("172")
    assert set(with_one) < set(without)
    assert "delete" not in {kind for kind, _ in with_one}


def test_two_orders_are_checked_each_by_itself() -> None:
    vitals = {"resourceType": "ServiceRequest", "id": "v", "code": {"text": "Vital signs every 15 minutes"}}
    tms = order(TMS, FAILED, id="t", quantityQuantity={"value": 10})
    (card,) = cards(ORDER_SIGN, FAILED, infusion(FAILED, 36), tms, vitals)
    assert "`MedicationRequest/draft-1`:" in card["detail"]
    assert "`ServiceRequest/t`:" in card["detail"]
    assert "**number of sessions**: 10; expected 30 to 36 (" in card["detail"]
    assert "vital signs among the drafts or on the record" in card["detail"]


def test_the_words_of_the_order_never_reach_the_card_outside_a_code_span() -> None:
    draft = infusion(FAILED, 36, id="draft-1")
    draft["dosageInstruction"][0]["text"] = "<script>alert(1)</script> over 10 minutes"
    (card,) = cards(ORDER_SIGN, FAILED, draft)
    assert "script" not in card["detail"]
    assert "**infusion time**: 10 min" in card["detail"]


def test_a_site_decides_its_own_numbers_and_the_card_says_so(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        "reviewed: 2026-01-01\nreview_due: 2027-01-01\nanswers_for_it: Test committee\n"
        "parameters:\n  safer_reading:\n"
        "    ketamine.dose_per_kg_highest: {low: 1.2, unit: mg/kg, source: design, verification: design}\n"
    )
    local = TestClient(create_app(Settings(site=site, detail="full"), load_knowledge(site=site), today=lambda: DAY))
    (card,) = check(local.post(ORDER_SIGN, json=body(ORDER_SIGN, FAILED, infusion(FAILED, 80))).json())
    assert card["indicator"] == "info"
    assert "dose 80 mg" in card["detail"]
    (card,) = check(local.post(ORDER_SIGN, json=body(ORDER_SIGN, FAILED, infusion(FAILED, 100))).json())
    assert "expected 0.5 to 1.2 mg/kg" in card["detail"]
    assert "this site's own number" in card["detail"]


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        ("ketamine_dose.yaml", "ketamine.dose_per_kg]", "ketamine.dose]", "no protocol has ketamine.dose"),
        ("ketamine_dose.yaml", "source: design", "source: hearsay", "no source 'hearsay'"),
        ("ketamine_dose.yaml", "[ketamine]", "[music]", "no treatment music"),
        ("baseline.yaml", "criterion: baseline.recorded", "criterion: baseline.guessed", "no criterion"),
        ("_words.yaml", "{title} ({why})", "{title} ({name})", "items: may name only"),
        ("_words.yaml", "order: [contraindicated, ", "order: [", "must name every check"),
        ("_reading.yaml", "units: {mg: 1, milligram: 1, milligrams: 1}", "units: {}", "the pattern reads a unit"),
    ],
)
def test_a_wrong_file_does_not_load(tmp_path: Path, file: str, before: str, after: str, said: str) -> None:
    folder = tmp_path / "mappings"
    shutil.copytree(KNOWLEDGE, folder, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    path = folder / "order_checks" / file
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(KnowledgeError, match=said.replace("(", r"\(")):
        load_knowledge(folder)


PATIENTS = ["two-failures", "acute-crisis", "trauma", "partial-response-to-ketamine"]


@pytest.mark.parametrize("patient", PATIENTS)
def test_an_order_that_we_offer_passes_our_own_checks(patient: str) -> None:
    offered: dict[str, dict[str, Any]] = {}
    for what in (KETAMINE, ESKETAMINE, TMS):
        for card in cards(ORDER_SELECT, patient, order(what, patient)):
            for action in actions(card, "create"):
                offered[json.dumps(action["resource"])] = {"id": "new"} | action["resource"]
    assert offered
    for resource in offered.values():
        for card in cards(ORDER_SIGN, patient, resource):
            _, _, said = card["detail"].partition("**This order**")
            said = said.partition("\n\n|")[0]
            assert "; expected" not in said, said
            assert "states several" not in said, said
            assert card["indicator"] != "warning" or "far outside" not in card["summary"]


@pytest.mark.parametrize("text", ["Blood pressure after each esketamine dose", "Monitoring of the ketamine infusion"])
def test_vital_signs_around_a_treatment_are_no_order_for_it(text: str) -> None:
    beside = {"resourceType": "ServiceRequest", "id": "v", "code": {"text": text}}
    assert cards(ORDER_SIGN, HYPERTENSION, beside) == []
    drug = beside | {"code": {"text": "Ketamine infusion with blood pressure monitoring"}}
    (card,) = cards(ORDER_SIGN, HYPERTENSION, drug)
    assert card["indicator"] == "critical"
