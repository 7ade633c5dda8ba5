"""Whole calls outside the field: no card, the reason in the explanation; and what stays inside keeps its card."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from cds_hooks.hooks.service import HookAnswer, HookService
from cds_hooks.protocol.requests import read_call
from cds_hooks.settings.readable import ReadableServers
from cds_hooks.settings.settings import Settings
from fhir_plugin.reading.client import FhirServers
from tests.support.commands.command import tandem
from tests.support.hooks.calls import (
    DAY,
    ESKETAMINE,
    HOOKS,
    KETAMINE,
    ORDER_SELECT,
    ORDER_SIGN,
    SERTRALINE,
    TMS,
    body,
    check,
    client,
    knowledge,
    order,
    patient_id,
)

FAILED = "two-failures"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
SNOMED = "http://snomed.info/sct"
BUPROPION = {"text": "bupropion SR 150 mg"}
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def answered(url: str, *drafts: dict[str, Any], patient: str = FAILED, **changes: Any) -> HookAnswer:
    """The answer with its reasons, and the cards as they are sent checked on the way."""
    request = body(url, patient, *drafts, **changes)
    check(client().post(url, json=request).json())

    async def answer() -> HookAnswer:
        async with FhirServers() as servers:
            (service,) = [each for each in knowledge().services.services if url.endswith(each.id)]
            call = read_call(json.dumps(request).encode(), HOOKS[url])
            return await HookService(knowledge(), Settings(), servers).answer(call, service, DAY, ReadableServers(()))

    return asyncio.run(answer())


def drug(what: dict[str, Any], sig: str = "", **members: Any) -> dict[str, Any]:
    dosage = {"dosageInstruction": [{"text": sig}]} if sig else {}
    return order(what, FAILED, **dosage, **members)


def service(text: str, **members: Any) -> dict[str, Any]:
    draft = order(TMS, FAILED, **members)
    return draft | {"code": {"text": text}}


def because(code: str = "", text: str = "") -> dict[str, Any]:
    concept: dict[str, Any] = {"coding": [{"system": ICD10, "code": code}]} if code else {}
    return {"reasonCode": [concept | ({"text": text} if text else {})]}


OUTSIDE = {
    "sedation in the sig": drug(KETAMINE, "1 mg/kg IV once for procedural sedation"),
    "sedation as a reason": drug(KETAMINE, "1 mg/kg IV", **because(text="Procedural sedation, shoulder reduction")),
    "intubation": drug(KETAMINE, "2 mg/kg IV push for RSI"),
    "anaesthesia for ECT": drug(KETAMINE, "1 mg/kg IV for induction of anesthesia"),
    "pain in the sig": drug(KETAMINE, "0.2 mg/kg/h IV infusion x 4 h for CRPS pain"),
    "pain by a code alone": drug(KETAMINE, "0.2 mg/kg/h IV", **because("G89.4")),
    "CRPS by a code without its dot": drug(KETAMINE, "0.2 mg/kg/h IV", **because("G90511")),
    "pain as needed": drug(
        KETAMINE, dosageInstruction=[{"text": "20 mg IV", "asNeededCodeableConcept": {"text": "severe pain"}}]
    ),
    "status epilepticus": drug(KETAMINE, "2 mg/kg IV", note=[{"text": "refractory status epilepticus"}]),
    "asthma": drug(KETAMINE, "1 mg/kg IV", **because("J45.901")),
    "migraine": drug(KETAMINE, "0.3 mg/kg IV over 30 min for migraine"),
    "a troche for pain": drug(KETAMINE, "100 mg troche SL for neuropathic pain"),
    "a reason of R5": drug(KETAMINE, "1 mg/kg IV", reason=[{"concept": {"text": "Procedural sedation"}}]),
    "a reason that is contained": drug(
        KETAMINE,
        "0.2 mg/kg/h IV",
        reasonReference=[{"reference": "#c"}],
        contained=[{"resourceType": "Condition", "id": "c", "code": {"coding": [{"system": ICD10, "code": "G89.29"}]}}],
    ),
    "TMS for migraine": order(TMS, FAILED, **because("G43.909")),
    "TMS for pain, in words": service("TMS for chronic pain"),
    "a clinic's referral": service("Ketamine clinic referral"),
    "a referral by its category": service("Ketamine", category=[{"text": "Referral"}]),
    "a consultation": service("Ketamine infusion consult"),
    "a referral for esketamine": service("Referral to psychiatry: Spravato"),
    "a TMS referral": service("Referral to TMS clinic"),
    "an enrolment": service("Spravato REMS enrollment"),
    "a level in serum": service("Ketamine level, serum"),
    "smoking by its code": drug(BUPROPION, "1 tab bid", **because("F17.210")),
    "smoking in words": drug(BUPROPION, "1 tab bid for smoking cessation"),
    "smoking by the brand": drug({"text": "Zyban 150 mg"}, "1 tab bid"),
    "nerve pain": drug({"text": "duloxetine 60 mg"}, "1 daily", **because(text="Diabetic neuropathy")),
    "sleep": drug({"text": "trazodone 50 mg"}, "1 tab at bedtime as needed for sleep"),
    "insomnia by its code": drug({"text": "mirtazapine 7.5 mg"}, "at bedtime", **because("G47.00")),
    "migraine prevention": drug({"text": "amitriptyline 25 mg"}, "at bedtime", **because(text="Migraine prophylaxis")),
}  # fmt: skip


@pytest.mark.parametrize("url", [ORDER_SIGN, ORDER_SELECT])
@pytest.mark.parametrize("case", OUTSIDE)
def test_an_order_outside_the_field_gets_no_card_and_a_reason(case: str, url: str) -> None:
    answer = answered(url, OUTSIDE[case])
    assert answer.cards == ()
    (line,) = answer.silence
    assert line.startswith(f"{OUTSIDE[case]['resourceType']}/draft-1: ")


INSIDE = {
    "depression beside pain": drug(KETAMINE, "36 mg IV for treatment-resistant depression and chronic pain"),
    "depression as one of two reasons": drug(
        KETAMINE, "36 mg IV over 40 min", reasonCode=[*because("G89.4")["reasonCode"], *because("F33.2")["reasonCode"]]
    ),
    "depression as a code of SNOMED CT": drug(
        KETAMINE,
        "36 mg IV over 40 min for pain",
        reasonCode=[{"coding": [{"system": SNOMED, "code": "36923009"}]}],
    ),
    "another mental disorder": drug(KETAMINE, "36 mg IV over 40 min for pain", **because("F43.12")),
    "a reason that cannot be read": drug(
        KETAMINE, "36 mg IV", reasonCode=[{"coding": [{"system": "urn:x", "code": "1"}]}, {"text": "pain"}]
    ),
    "a reason elsewhere": drug(KETAMINE, "36 mg IV for pain", reasonReference=[{"reference": "Condition/none"}]),
    "no reason": drug(KETAMINE, "36 mg IV over 40 minutes"),
    "sedation as what is watched for": drug(KETAMINE, "36 mg IV over 40 min. Monitor for sedation and dissociation"),
    "sedation as a policy": drug(KETAMINE, "36 mg IV over 40 min per moderate sedation policy"),
    "another drug for pain": drug(KETAMINE, "36 mg IV over 40 min. Acetaminophen for headache"),
    "fasting before sedation": drug(KETAMINE, "36 mg IV over 40 min. NPO 6 h prior to sedation"),
    "a history of migraine": drug(KETAMINE, "36 mg IV over 40 min", note=[{"text": "History of migraine"}]),
    "suicidal thoughts": drug(KETAMINE, "36 mg IV over 40 min for suicidal ideation and pain"),
    "an infusion": service("Ketamine infusion with assessment of vital signs"),
    "a referral that orders the treatment": service("TMS evaluation and treatment"),
    "TMS with cortical mapping": service("TMS for cortical mapping and motor threshold determination"),
    "esketamine": drug(ESKETAMINE, "56 mg intranasally twice weekly"),
    "another antidepressant": drug(SERTRALINE, "1 daily"),
    "another one for depression and sleep": drug({"text": "mirtazapine 15 mg"}, "at bedtime for depression and sleep"),
}  # fmt: skip


@pytest.mark.parametrize("case", INSIDE)
def test_an_order_inside_the_field_keeps_its_card(case: str) -> None:
    answer = answered(ORDER_SELECT, INSIDE[case])
    assert len(answer.cards) == 1
    assert answer.silence == ()


def condition(code: str, **members: Any) -> dict[str, Any]:
    subject = {"reference": f"Patient/{patient_id(FAILED)}"}
    coding = {"coding": [{"system": ICD10, "code": code}]}
    return {"resourceType": "Condition", "id": "reason", "subject": subject, "code": coding} | members


@pytest.mark.parametrize(("code", "number"), [("G89.4", 0), ("F33.2", 1), ("S43.0", 1)])
@pytest.mark.parametrize("reference", ["Condition/reason", "https://ehr.example/fhir/Condition/reason/_history/2"])
def test_a_reason_on_the_record_is_looked_up(code: str, number: int, reference: str) -> None:
    draft = drug(KETAMINE, "36 mg IV over 40 minutes", reasonReference=[{"reference": reference}])
    request = body(ORDER_SIGN, FAILED, draft)
    request["prefetch"]["conditions"]["entry"].append({"resource": condition(code)})
    answer = answered(ORDER_SIGN, draft, prefetch=request["prefetch"])
    assert (len(answer.cards), len(answer.silence)) == (number, 1 - number)


# Renewals


def prescribed(text: str, **members: Any) -> dict[str, Any]:
    subject = {"reference": f"Patient/{patient_id(FAILED)}"}
    request = {"resourceType": "MedicationRequest", "id": "current", "intent": "order", "status": "active"}
    return (
        request
        | {"subject": subject, "medicationCodeableConcept": {"text": text}, "authoredOn": "2025-11-20"}
        | members
    )


@pytest.mark.parametrize(
    ("members", "number"),
    [
        ({}, 0),
        ({"status": "on-hold"}, 0),
        ({"status": "stopped"}, 1),
        ({"intent": "plan"}, 1),
        ({"status": "entered-in-error"}, 1),
        ({"medicationCodeableConcept": {"text": "citalopram 20 mg"}}, 1),
        (
            {
                "medicationCodeableConcept": None,
                "medicationReference": {"reference": "#m"},
                "contained": [{"resourceType": "Medication", "id": "m", "code": {"text": "mirtazapine 15 mg"}}],
            },
            0,
        ),
    ],
)
@pytest.mark.parametrize("strength", ["mirtazapine 30 mg tablet", "Remeron 45 mg"])
def test_a_renewal_is_not_another_antidepressant(members: dict[str, Any], number: int, strength: str) -> None:
    draft = drug({"text": strength}, "1 tab at bedtime")
    request = body(ORDER_SELECT, FAILED, draft)
    current = {name: value for name, value in (prescribed("mirtazapine 30 mg") | members).items() if value is not None}
    request["prefetch"]["medicationRequests"]["entry"].append({"resource": current})
    answer = answered(ORDER_SELECT, draft, prefetch=request["prefetch"])
    assert (len(answer.cards), len(answer.silence)) == (number, 1 - number)


def test_a_renewal_hides_no_sign_of_suicidal_thoughts() -> None:
    draft = drug(
        {"text": "mirtazapine 30 mg"}, "at bedtime", subject={"reference": f"Patient/{patient_id('acute-crisis')}"}
    )
    request = body(ORDER_SELECT, "acute-crisis", draft)
    current = prescribed("mirtazapine 30 mg", subject={"reference": f"Patient/{patient_id('acute-crisis')}"})
    request["prefetch"]["medicationRequests"]["entry"].append({"resource": current})
    answer = answered(ORDER_SELECT, draft, patient="acute-crisis", prefetch=request["prefetch"])
    assert [card.indicator for card in answer.cards] == ["critical"]


# The encounter

EMERGENCY = {"class": {"system": ACT, "code": "EMER"}}
THEATRE = {"class": {"system": ACT, "code": "IMP"}, "location": [{"location": {"display": "Operating Room 3"}}]}
CLINIC = {"class": {"system": ACT, "code": "AMB"}, "type": [{"text": "Infusion visit"}]}
LATER = {"class": [{"coding": [{"system": ACT, "code": "EMER"}]}]}


def in_encounter(
    members: dict[str, Any], *, depressed: bool = False, sig: str = "70 mg IV", **context: Any
) -> HookAnswer:
    draft = drug(KETAMINE, sig)
    request = body(ORDER_SIGN, FAILED, draft)
    for name in ("conditions", "medicationRequests", "medicationDispenses", "medicationStatements"):
        if not depressed:
            request["prefetch"][name]["entry"] = []
    if not depressed:  # an empty problem list would say nothing
        request["prefetch"]["conditions"]["entry"] = [{"resource": condition("I10", id="pressure")}]
    request["context"] |= {"encounterId": "e1"} | context
    subject = {"reference": f"Patient/{patient_id(FAILED)}"}
    encounter = {"resourceType": "Encounter", "id": "e1", "status": "in-progress", "subject": subject} | members
    prefetch = request["prefetch"] | {"encounter": encounter}
    return answered(ORDER_SIGN, draft, prefetch=prefetch, context=request["context"])


@pytest.mark.parametrize("encounter", [EMERGENCY, THEATRE, LATER])
def test_ketamine_without_a_reason_in_an_emergency_of_somebody_without_depression(encounter: dict[str, Any]) -> None:
    answer = in_encounter(encounter)
    assert (answer.cards, len(answer.silence)) == ((), 1)


def test_an_encounter_that_says_nothing_or_is_not_meant_keeps_the_card() -> None:
    assert in_encounter(CLINIC).cards
    assert in_encounter({"class": {"system": ACT, "code": "IMP"}}).cards
    assert in_encounter(EMERGENCY, encounterId="another").cards
    assert in_encounter(EMERGENCY | {"subject": {"reference": "Patient/other"}}).cards
    assert in_encounter(EMERGENCY, depressed=True).cards
    assert in_encounter(EMERGENCY, sig="36 mg IV over 40 minutes for suicidal ideation").cards


def test_the_encounter_is_not_looked_for_where_something_else_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked_for(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("cds_hooks.hooks.service.encounter_of", looked_for)
    assert in_encounter(EMERGENCY, depressed=True).cards
    with pytest.raises(AssertionError):
        in_encounter(EMERGENCY)


# Drafts for somebody else, and the explanation


def foreign(draft: dict[str, Any], number: int = 2) -> dict[str, Any]:
    return draft | {"id": f"foreign-{number}", "subject": {"reference": "Patient/other"}}


def test_drafts_of_something_else_for_another_patient_are_met_with_silence() -> None:
    amoxicillin = [foreign(drug({"text": "amoxicillin 500 mg"}), number) for number in range(2)]
    answer = answered(ORDER_SIGN, *amoxicillin)
    assert answer.cards == ()
    assert answer.silence == ("2 draft(s) for another patient, for nothing that is covered here",)


@pytest.mark.parametrize(
    "draft", [drug(KETAMINE), drug(KETAMINE, "100 mg troche"), order(TMS, FAILED), service("Spravato 56 mg")]
)
def test_a_covered_order_for_another_patient_is_noticed(draft: dict[str, Any]) -> None:
    (card,) = answered(ORDER_SIGN, foreign(draft)).cards
    assert card.summary.startswith("No draft order names the patient in context: 1 left out")
    (card,) = answered(ORDER_SIGN, foreign(draft), drug({"text": "amoxicillin 500 mg"})).cards
    assert card.summary.startswith("1 draft orders name another patient")


def test_a_patient_of_another_server_is_another_patient() -> None:
    draft = drug(KETAMINE, subject={"reference": f"https://other.example/fhir/Patient/{patient_id(FAILED)}"})
    (card,) = answered(ORDER_SIGN, draft).cards
    assert card.summary.startswith("No draft order names the patient in context")


def test_explain_says_why_nothing_is_said() -> None:
    request = json.dumps(body(ORDER_SIGN, FAILED, OUTSIDE["pain in the sig"]))
    done = tandem("explain", "-", "--as-of", DAY.isoformat(), stdin=request.encode())
    assert done.returncode == 0, done.stderr
    assert "silent about MedicationRequest/draft-1: not for depression, by what the order states: pain" in done.stdout
