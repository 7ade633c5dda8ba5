"""What an entry of the chart says about a topic, by its code, its status and its dates."""

from datetime import timedelta

import pytest

from fhir_plugin.facts.conditions import read_conditions
from fhir_plugin.facts.fact import Presence
from mappings.schema.load import Knowledge
from tests.support.knowledge.charts import AS_OF, ICD, SCT, chart, condition

UNCONFIRMED = {"verificationStatus": {"coding": [{"code": "provisional"}]}}
REFUTED = {"verificationStatus": {"coding": [{"code": "refuted"}]}}
IN_ERROR = {"verificationStatus": {"coding": [{"code": "entered-in-error"}]}}
CONFIRMED = {"verificationStatus": {"coding": [{"code": "confirmed"}]}}


def read(knowledge: Knowledge, topic: str, *contents: dict) -> str:
    """Which buckets of the topic are filled: ``c``urrent, ``p``ast, p``o``ssible."""
    presence = read_conditions(chart(*contents), knowledge, AS_OF).facts()[f"conditions.{topic}"].value
    assert isinstance(presence, Presence)
    return ("c" if presence.current else "") + ("p" if presence.past else "") + ("o" if presence.possible else "")


@pytest.mark.parametrize(
    ("topic", "entry", "expected"),
    [
        ("psychosis", condition("F20.0"), "c"),
        ("psychosis", condition("F20.0", **CONFIRMED), "c"),
        ("psychosis", condition("F20.0", status="resolved"), "p"),
        ("psychosis", condition("F20.0", status="inactive"), "p"),
        ("psychosis", condition("F20.0", status="recurrence"), "c"),
        ("psychosis", condition("F20.0", **UNCONFIRMED), "o"),
        ("psychosis", condition("F20.0", **REFUTED), ""),
        ("psychosis", condition("F20.0", **IN_ERROR), ""),
        ("psychosis", condition("F20.0", status=None), "po"),
        ("psychosis", condition("F20.0", status=None, abatementDateTime="2020-01-01"), "p"),
        ("psychosis", condition("F20.0", status=None, abatementBoolean=True), "p"),
        ("psychosis", condition("F20.0", abatementDateTime="2020-01-01"), "po"),
        ("psychosis", condition("F20.0", abatementDateTime="2027-01-01"), "c"),
        ("psychosis", condition("F20.0", onsetDateTime="2027-01-01"), "o"),
        ("psychosis", condition("F20.0", onsetDateTime="2026"), "c"),
        ("psychosis", condition("f200"), "c"),
        ("psychosis", condition("F20"), "c"),
        ("psychosis", condition("F32.3"), "c"),
        ("psychosis", condition("F32.2"), ""),
        ("psychosis", condition("F20.0", system="urn:oid:2.16.840.1.113883.6.90"), "c"),
        ("psychosis", condition("F20.0", system="http://example.org/local"), ""),
        ("psychosis", condition("58214004", SCT), "c"),
        ("psychosis", condition("58214004", ICD), ""),
        ("psychosis", condition("4926007", SCT), "p"),
        ("depression", condition("F33.1"), "c"),
        ("depression", condition("F33.42"), "p"),
        ("depression", condition("F33.41"), "o"),
        ("depression", condition("F32.A"), "o"),
        ("depression", condition("F33"), "o"),
        ("depression", condition("1153570009", SCT), "c"),
        ("substance_use", condition("F10.20"), "c"),
        ("substance_use", condition("F10.21"), "p"),
        ("substance_use", condition("F10.90"), "o"),
        ("substance_use", condition("F10"), "o"),
        ("substance_use", condition("F17.210"), ""),
        ("seizure_uncontrolled", condition("G40.919"), "c"),
        ("seizure_uncontrolled", condition("G40.909"), ""),
        ("seizure_uncontrolled", condition("84757009", SCT), "o"),
        ("seizure", condition("G40.909"), "c"),
        ("seizure", condition("R56.9"), "o"),
        ("hypertensive_crisis", condition("I10"), ""),
        ("hypertensive_crisis", condition("I16.1"), "c"),
        ("intracerebral_haemorrhage", condition("I69.154"), "p"),
        ("intracerebral_haemorrhage", condition("Z86.79"), "o"),
        ("implant_head_neck", condition("Z96.21"), "c"),
        ("implant_head_neck", condition("Z96.82"), "o"),
        ("implant_head_neck", condition("Z96.82", status="resolved"), ""),
        ("pregnancy", condition("Z33.1", onsetDateTime="2026-03-01"), "c"),
        ("pregnancy", condition("Z33.1", onsetDateTime="2024-03-01"), "p"),
        ("pregnancy", condition("Z33.1"), "po"),
        ("suicidality", condition("R45.851", onsetDateTime="2026-05-20"), "c"),
        ("suicidality", condition("R45.851", onsetDateTime="2025-05-20"), "po"),
        ("mania", condition("F31.9"), ""),
        ("mania", condition("F31.13"), "c"),
        ("bipolar", condition("F31.75"), "p"),
    ],
)
def test_what_an_entry_says(knowledge: Knowledge, topic: str, entry: dict, expected: str) -> None:
    assert read(knowledge, topic, entry) == expected


@pytest.mark.parametrize(
    ("topic", "words", "expected"),
    [
        ("psychosis", "Schizophrenia, per mother", "o"),
        ("psychosis", "Family history of schizophrenia", ""),
        ("substance_use", "Alcohol use disorder", "o"),
        ("substance_use", "Nicotine or other substance use", ""),
        ("implant_head_neck", "Deep brain stimulator", "o"),
        ("hypertension", "Pulmonary hypertension", ""),
    ],
)
def test_words_without_a_code_only_hint(knowledge: Knowledge, topic: str, words: str, expected: str) -> None:
    entry = {"resourceType": "Condition", "id": "w", "code": {"text": words}}
    assert read(knowledge, topic, entry | {"clinicalStatus": {"coding": [{"code": "active"}]}}) == expected


@pytest.mark.parametrize(
    ("topic", "words"),
    [
        ("depression", "MDD, recurrent, severe"),
        ("bipolar", "BPAD I"),
        ("aneurysm_avm", "AVM of brain"),
        ("aneurysm_avm", "AAA 4.2 cm"),
        ("intracerebral_haemorrhage", "Intracranial bleed 2019"),
        ("substance_use", "EtOH abuse"),
        ("substance_use", "Polysubstance dependence"),
        ("implant_head_neck", "S/p DBS for tremor"),
        ("implant_head_neck", "Metal foreign body in left eye"),
        ("severe_liver_disease", "ESLD"),
    ],
)
def test_the_abbreviations_of_clinicians_hint_too(knowledge: Knowledge, topic: str, words: str) -> None:
    entry = {"resourceType": "Condition", "id": "w", "code": {"text": words}}
    assert read(knowledge, topic, entry | {"clinicalStatus": {"coding": [{"code": "active"}]}}) == "o"


def test_the_name_of_a_code_is_read_though_a_text_stands_before_it(knowledge: Knowledge) -> None:
    coding = {"system": "http://hl7.org/fhir/sid/icd-9-cm", "code": "295.90", "display": "Schizophrenia"}
    entry = condition("295.90") | {"code": {"coding": [coding], "text": "see note"}}
    assert read(knowledge, "psychosis", entry) == "o"


@pytest.mark.parametrize(
    ("status", "expected"),
    [("Refuted", ""), ("Entered in error", ""), ("Confirmed", "c"), ("Suspected", "o"), ("  ", "c")],
)
def test_a_verification_in_words_is_heard(knowledge: Knowledge, status: str, expected: str) -> None:
    assert read(knowledge, "psychosis", condition("F20.0", verificationStatus={"text": status})) == expected


def test_a_clinical_status_in_words_is_heard(knowledge: Knowledge) -> None:
    assert read(knowledge, "psychosis", condition("F20.0", status=None, clinicalStatus={"text": "Resolved"})) == "p"


@pytest.mark.parametrize(
    ("code", "gap"),
    [
        ({"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "F20.9"}]}, True),
        ({"coding": [{"code": "F20.9"}]}, True),
        ({}, True),
        (
            {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "F20.9", "display": "Schizophrenie"}]},
            False,
        ),
        ({"coding": [{"system": ICD, "code": "J45.909"}]}, False),
        ({"coding": [{"system": SCT, "code": "195967001"}]}, False),
    ],
)
def test_a_diagnosis_that_says_nothing_here_leaves_absence_open(knowledge: Knowledge, code: dict, gap: bool) -> None:
    entries = condition("F33.1"), condition("F20.9", id="x") | {"code": code}
    fact = read_conditions(chart(*entries), knowledge, AS_OF).facts()["conditions.psychosis"]
    assert bool(fact.missing) == gap


def test_a_problem_list_of_errors_alone_is_an_empty_one(knowledge: Knowledge) -> None:
    fact = read_conditions(chart(condition("J45.909", **IN_ERROR)), knowledge, AS_OF).facts()["conditions.psychosis"]
    assert fact.missing == ("the problem list is empty",)


def test_two_codes_of_one_entry_that_disagree_leave_it_open(knowledge: Knowledge) -> None:
    codes = [{"system": SCT, "code": "66344007"}, {"system": ICD, "code": "F33.42"}]
    entry = condition("F33.42") | {"code": {"coding": codes}}
    assert read(knowledge, "depression", entry) == "o"


def test_devices_and_procedures_are_looked_at_too(knowledge: Knowledge) -> None:
    device = {
        "resourceType": "Device",
        "id": "d",
        "status": "active",
        "type": {"coding": [{"system": SCT, "code": "43252007"}]},
    }
    clipping = {
        "resourceType": "Procedure",
        "id": "x",
        "status": "completed",
        "code": {"coding": [{"system": SCT, "code": "230898002"}]},
    }
    assert read(knowledge, "implant_head_neck", device) == "c"
    assert read(knowledge, "implant_head_neck", device | {"status": "inactive"}) == "po"
    assert read(knowledge, "implant_head_neck", clipping) == "c"
    assert read(knowledge, "aneurysm_avm", clipping) == "p"
    assert read(knowledge, "implant_head_neck", clipping | {"status": "not-done"}) == ""
    assert read(knowledge, "implant_head_neck", clipping | {"status": "on-hold"}) == "o"


def test_one_diagnosis_written_at_many_visits_is_one_piece_of_evidence(knowledge: Knowledge) -> None:
    visits = [condition("F33.1", id=f"v{n}", onsetDateTime="2024-01-05") for n in range(5)]
    fact = read_conditions(chart(*visits), knowledge, AS_OF).facts()["conditions.depression"]
    assert [piece.reference for piece in fact.evidence] == ["Condition/v0"]


def test_an_empty_problem_list_says_nothing(knowledge: Knowledge) -> None:
    fact = read_conditions(chart(), knowledge, AS_OF).facts()["conditions.psychosis"]
    assert fact.missing == ("the problem list is empty",)


def test_a_place_that_was_not_read_is_named(knowledge: Knowledge) -> None:
    facts = read_conditions(chart(condition("I10"), without=("devices",)), knowledge, AS_OF).facts()
    assert facts["conditions.implant_head_neck"].missing == ("devices: not retrieved",)
    assert facts["conditions.psychosis"].missing == ()
    assert facts["conditions.implant_head_neck"].looked_in == ("conditions (1)", "procedures (0)", "devices (0)")


@pytest.mark.parametrize(
    ("reason", "topic", "possible"),
    [
        ({"dosageInstruction": [{"text": "1 tab BID for seizures"}]}, "seizure", True),
        ({"note": [{"text": "for bipolar depression"}]}, "bipolar", True),
        ({"reasonReference": [{"reference": "Condition/x", "display": "Bipolar I disorder"}]}, "bipolar", True),
        ({"dosageInstruction": [{"asNeededCodeableConcept": {"text": "seizure"}}]}, "seizure", True),
        ({"dosageInstruction": [{"text": "1 tab BID for 7 days"}]}, "seizure", False),
        ({"reasonReference": [{"reference": "Condition/c", "display": "Bipolar I disorder"}]}, "bipolar", False),
    ],
)
def test_a_drug_tells_its_reason_in_its_sig_a_note_or_a_reference(
    knowledge: Knowledge, reason: dict, topic: str, possible: bool
) -> None:
    """A reference to a diagnosis that is on the record is read there, with its status."""
    order = {"resourceType": "MedicationRequest", "id": "m", "status": "active", "intent": "order"}
    order |= {"authoredOn": (AS_OF - timedelta(days=10)).isoformat(), "medicationCodeableConcept": {"text": "x"}}
    refuted = condition("F31.9", id="c", verificationStatus={"coding": [{"code": "refuted"}]})
    assert ("o" in read(knowledge, topic, refuted, order | reason)) is possible


@pytest.mark.parametrize(
    ("text", "unread"),
    [
        ("Эпилепсия", True),
        ("てんかん (G40)", True),
        ("脳動脈瘤 MRA", True),
        ("-", True),
        ("G40.909", True),
        ("seen by the nurse " * 400, True),
        ("Épisode dépressif", False),
        ("IgA nephropathy", False),
        ("Hashimoto 甲状腺炎", False),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_words_in_letters_that_are_not_read_leave_every_topic_open(
    knowledge: Knowledge, text: str, unread: bool
) -> None:
    entry = {"resourceType": "Condition", "id": "c", "code": {"text": text}}
    fact = read_conditions(chart(entry), knowledge, AS_OF).facts()["conditions.seizure"]
    assert bool(fact.missing) is unread
    known = condition("J45.20") | {"code": {"coding": [{"system": ICD, "code": "J45.20"}], "text": text}}
    assert not read_conditions(chart(known), knowledge, AS_OF).facts()["conditions.seizure"].missing


def test_a_body_site_does_not_name_a_procedure(knowledge: Knowledge) -> None:
    local = {"coding": [{"system": "http://terminology.example.org/local", "code": "4711"}]}
    entry = {
        "resourceType": "Procedure",
        "id": "p",
        "status": "completed",
        "code": local,
        "bodySite": [{"text": "head"}],
    }
    assert read_conditions(chart(condition("I10"), entry), knowledge, AS_OF).facts()["conditions.aneurysm_avm"].missing


@pytest.mark.parametrize("system", ["http://www.cms.gov/Medicare/Coding/ICD10", "http://hl7.org/fhir/sid/icd-10-pcs"])
@pytest.mark.parametrize(
    ("code", "unread"),
    [("10D00Z0", False), ("0sq90zz", False), ("0TY00Z0", False), ("02560ZZ", True), ("00500ZZ", True), ("10D00", True)],
    ids=["a birth", "a hip", "a kidney", "the heart", "the brain", "cut short"],
)
def test_a_procedure_code_by_its_body_system(knowledge: Knowledge, system: str, code: str, unread: bool) -> None:
    entry = {"resourceType": "Procedure", "id": "p", "status": "completed"}
    entry |= {"code": {"coding": [{"system": system, "code": code}]}}
    fact = read_conditions(chart(condition("I10"), entry), knowledge, AS_OF).facts()["conditions.implant_head_neck"]
    assert bool(fact.missing) is unread


@pytest.mark.parametrize(
    ("code", "unread"),
    [("99213", False), ("80053", False), ("61624", True), ("93279", True), ("99100", True), ("8005", True)],
    ids=["a visit", "the laboratory", "the brain", "a device", "an anaesthesia", "cut short"],
)
def test_a_cpt_code_by_its_section(knowledge: Knowledge, code: str, unread: bool) -> None:
    entry = {"resourceType": "Procedure", "id": "p", "status": "completed"}
    entry |= {"code": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": code}]}}
    fact = read_conditions(chart(condition("I10"), entry), knowledge, AS_OF).facts()["conditions.implant_head_neck"]
    assert bool(fact.missing) is unread
