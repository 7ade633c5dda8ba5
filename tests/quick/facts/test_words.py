"""Words read in the manner of ConText: abbreviations, denial and its scope, notes, words beside a code."""

import pytest

from fhir_plugin.facts.fact import Presence
from mappings.schema.load import Knowledge
from tests.support.knowledge.charts import SCT, condition
from tests.support.knowledge.topics import fact, presence, words

STATED = [
    ("psychosis", "endorses AH/VH"),
    ("psychosis", "Delusions of grandeur"),
    ("psychosis", "Paranoid, responding to internal stimuli"),
    ("psychosis", "prior admission for voices"),
    ("suicidality", "Tried to hang self last week"),
    ("suicidality", "Cut both wrists"),
    ("suicidality", "passive death wish"),
    ("suicidality", "Feels life is not worth living"),
    ("substance_use", "Drinks 12 beers a day"),
    ("substance_use", "Methadone maintenance"),
    ("substance_use", "addicted to oxycodone"),
    ("seizure", "Petit mal as a child"),
    ("seizure", "Lennox-Gastaut"),
    ("seizure", "Eclampsia 2015"),
    ("seizure", "siezure disorder"),
    ("seizure", "No sz since 2019"),
    ("seizure", "no seizures in 5 years"),
    ("seizure_risk", "Head trauma, MVA"),
    ("seizure_risk", "SDH after fall"),
    ("seizure_risk", "MS"),
    ("cardiovascular_risk", "LVEF 30-35%"),
    ("cardiovascular_risk", "s/p PCI"),
    ("aneurysm_avm", "Dilated ascending aorta 4.4 cm"),
    ("aneurysm_avm", "Fusiform dilatation of basilar artery"),
    ("intracerebral_haemorrhage", "bled into brain 2015"),
    ("intracerebral_haemorrhage", "hemorrhage, cerebellum"),
    ("hypertensive_crisis", "HTN emergency last week"),
    ("implant_head_neck", "Inspire device implanted"),
    ("implant_head_neck", "LeFort I osteotomy, hardware in place"),
    ("cardiac_device", "dual chamber PM"),
    ("severe_liver_disease", "Childs-Pugh class C"),
    ("pregnancy", "Di-di twins, 14 wks"),
    ("breastfeeding", "Currently nursing 6 mo old"),
    ("dementia", "Delirium"),
    ("cystitis", "IC"),
    ("substance_use", "AUD, severe"),
    ("substance_use", "OUD on buprenorphine"),
    ("intracerebral_haemorrhage", "Hx of ICH 2019"),
    ("intracerebral_haemorrhage", "s/p SAH, coiled"),
    ("intracerebral_haemorrhage", "SDH after fall"),
    ("intracerebral_haemorrhage", "SAH cannot be ruled out"),
    ("intracerebral_haemorrhage", "No recurrent ICH"),
    ("aneurysm_avm", "No known allergies, cerebral aneurysm 7 mm"),
    ("aneurysm_avm", "Denies headache, history of AVM"),
    ("aneurysm_avm", "No seizures since surgery for AVM"),
    ("aneurysm_avm", "R/o aneurysm"),
    ("aneurysm_avm", "s/p clipping"),
    ("aneurysm_avm", "TAA 4.2 cm"),
    ("seizure", "Sz d/o"),
    ("seizure", "No longer having seizures"),
    ("seizure", "No recent seizures"),
    ("seizure", "Lives with brother, seizure disorder"),
    ("seizure_risk", "TBI with LOC 2019"),
    ("seizure_risk", "TBI without LOC"),
    ("seizure_risk", "CVA 2018"),
    ("raised_intracranial_pressure", "IIH"),
    ("hypertension", "HTN, uncontrolled"),
    ("hypertension", "HTN, pulmonary hypertension"),
    ("cardiovascular_risk", "CAD s/p CABG"),
    ("cardiovascular_risk", "NSTEMI"),
    ("cardiovascular_risk", "severe AS"),
    ("cardiac_device", "AICD"),
    ("cardiac_device", "ICD placed 2020"),
    ("cardiac_device", "PPM"),
    ("implant_head_neck", "GSW to head 2010, retained pellets"),
    ("implant_head_neck", "BAHA, left"),
    ("implant_head_neck", "Craniotomy with hardware"),
    ("implant_head_neck", "ACDF C5-C7"),
    ("implant_head_neck", "Titanium mesh, orbital floor"),
    ("cystitis", "IC/BPS"),
    ("cystitis", "ketamine bladder"),
    ("phaeochromocytoma", "Pheo, left adrenal"),
    ("psychosis", "Psychosis, denied seizures"),
    ("psychosis", "Psychosis, denied by the patient"),
    ("psychosis", "SI: denies; psychotic disorder"),
    ("psychosis", "Seeing things"),
    ("psychosis", "CAH telling him to jump"),
    ("dementia", "Delirium on dementia, 2019"),
    ("dementia", "Metabolic encephalopathy"),
    ("substance_use", "Drinks 6 beers a week"),
    ("substance_use", "Drinks 2 beers, most nights"),
    ("substance_use", "EtOH abuse, social drinker"),
    ("substance_use", "Heroin: no longer, uses fentanyl; opioid use"),
    ("aneurysm_avm", "Dural AV fistula, on hemodialysis"),
    ("aneurysm_avm", "AV fistula"),
    ("implant_head_neck", "Coil embolization of pelvic AVM, and cerebral coil"),
    ("implant_head_neck", "Cochlear implant for otosclerosis"),
    ("implant_head_neck", "Staples in scalp"),
    ("cardiac_device", "Pacemaker for wandering rhythm"),
    ("raised_intracranial_pressure", "PTC, on acetazolamide"),
    ("severe_liver_disease", "Chronic liver disease"),
    ("suicidality", "Denies AVH. Wants to die"),
    ("suicidality", "High risk of suicide"),
]
NOT_STATED = [
    ("bipolar", "Mom w/ BPAD"),
    ("bipolar", "Dad and brother both with bipolar I"),
    ("substance_use", "Father alcoholic"),
    ("substance_use", "Gambling addiction"),
    ("pregnancy", "Partner is pregnant"),
    ("psychosis", "Paranoid personality disorder"),
    ("seizure", "Pre-eclampsia 2015"),
    ("seizure", "No seizures since birth"),
    ("cardiovascular_risk", "LVEF 60%"),
    ("aneurysm_avm", "Fusiform bronchiectasis"),
    ("dementia", "Delirium tremens"),
    ("substance_use", "No AUD"),
    ("substance_use", "Denies AUD, OUD or SUD"),
    ("substance_use", "No current alcohol use disorder"),
    ("intracerebral_haemorrhage", "ICH ruled out"),
    ("intracerebral_haemorrhage", "No evidence of ICH, SAH or SDH"),
    ("intracerebral_haemorrhage", "CT head negative for bleed, no SDH"),
    ("intracerebral_haemorrhage", "Mother had SAH"),
    ("intracerebral_haemorrhage", "Lumbar epidural steroid injection"),
    ("aneurysm_avm", "FHx of aneurysm"),
    ("aneurysm_avm", "Father: AAA"),
    ("aneurysm_avm", "Risk of aneurysm"),
    ("aneurysm_avm", "Retinal microaneurysms"),
    ("aneurysm_avm", "Aneurysm: none"),
    ("seizure", "Denies seizures, tics, syncope"),
    ("seizure", "No history of seizures"),
    ("seizure", "Psychogenic nonepileptic seizures"),
    ("seizure_risk", "Heat stroke 2015"),
    ("hypertension", "Pulmonary HTN"),
    ("hypertension", "Ht 170 cm, wt 70 kg"),
    ("cardiovascular_risk", "Walks 2 mi daily"),
    ("cardiovascular_risk", "No MI, CHF or CAD"),
    ("cardiac_device", "ICD-10 code pending"),
    ("cardiac_device", "No pacemaker"),
    ("implant_head_neck", "Testosterone pellets"),
    ("implant_head_neck", "GSW to left leg"),
    ("implant_head_neck", "No metal in head or neck"),
    ("urinary_symptoms", "Acute cholecystitis"),
    ("suicidality", "Risk of suicide"),
    ("psychosis", "Negative for delusions, hallucinations or paranoia"),
    ("psychosis", "Hallucinations denied"),
    ("psychosis", "Thought disorder absent"),
    ("psychosis", "AVH: denies"),
    ("psychosis", "Paranoid about side effects of meds"),
    ("psychosis", "Seeing things double"),
    ("psychosis", "CAH, non-classic"),
    ("psychosis", "CAH carrier"),
    ("suicidality", "SI denied"),
    ("suicidality", "SI: denies"),
    ("dementia", "Delirium post op 2018"),
    ("dementia", "Metabolic encephalopathy, resolved 2018"),
    ("dementia", "History of delirium"),
    ("substance_use", "EtOH: socially"),
    ("substance_use", "Occasional EtOH"),
    ("substance_use", "Heroin: none"),
    ("substance_use", "Drinks 1 beer a week"),
    ("aneurysm_avm", "AV fistula for dialysis"),
    ("aneurysm_avm", "ESRD on HD via left arm AV fistula"),
    ("implant_head_neck", "Cochlear otosclerosis"),
    ("implant_head_neck", "Coil embolization of varicocele"),
    ("implant_head_neck", "Scalp laceration with staples, removed"),
    ("cardiac_device", "Wandering atrial pacemaker on ECG"),
    ("raised_intracranial_pressure", "PTC s/p thyroidectomy"),
    ("severe_liver_disease", "Chronic liver disease, mild"),
]


@pytest.mark.parametrize(("topic", "text"), STATED)
def test_what_is_stated_is_possible(knowledge: Knowledge, topic: str, text: str) -> None:
    found = presence(knowledge, topic, words(text))
    assert found.possible
    assert not found.current


@pytest.mark.parametrize(("topic", "text"), NOT_STATED)
def test_what_is_denied_or_about_others_suggests_nothing(knowledge: Knowledge, topic: str, text: str) -> None:
    assert presence(knowledge, topic, words(text)) == Presence()


def test_a_note_is_read(knowledge: Knowledge) -> None:
    entry = condition("F33.1", note=[{"text": "MRI 2021: 7 mm MCA aneurysm. Denies seizures."}])
    assert presence(knowledge, "aneurysm_avm", entry).possible[0].day is None
    assert presence(knowledge, "seizure", entry) == Presence()
    assert presence(knowledge, "depression", entry).current


def test_a_note_of_a_refuted_diagnosis_is_not_read(knowledge: Knowledge) -> None:
    refuted = {"verificationStatus": {"coding": [{"code": "refuted"}]}}
    entry = condition("F33.1", note=[{"text": "aneurysm"}], **refuted)
    assert presence(knowledge, "aneurysm_avm", entry) == Presence()


@pytest.mark.parametrize(("topic", "found"), [("aneurysm_avm", True), ("hypertension", False)])
def test_a_note_of_a_closed_diagnosis_counts_for_what_lasts(knowledge: Knowledge, topic: str, found: bool) -> None:
    entry = condition("F33.1", status="resolved", note=[{"text": "aneurysm; hypertension"}])
    assert bool(presence(knowledge, topic, entry).possible) is found


def test_words_beside_a_code_add_what_the_code_does_not_say(knowledge: Knowledge) -> None:
    entry = condition("F33.1")
    entry["code"]["text"] = "MDD; brain aneurysm 2019"
    assert presence(knowledge, "aneurysm_avm", entry).possible
    assert presence(knowledge, "depression", entry).current


@pytest.mark.parametrize(("code", "unread"), [("999480451000087102", True), ("44054006", False), ("58214004", False)])
def test_a_code_that_is_not_known_without_words_leaves_every_topic_open(
    knowledge: Knowledge, code: str, unread: bool
) -> None:
    entry = condition(code, SCT)
    del entry["code"]["text"]
    assert bool(fact(knowledge, "aneurysm_avm", condition("F33.1"), entry).missing) is unread
    assert bool(fact(knowledge, "psychosis", condition("F33.1"), entry).missing) is unread


@pytest.mark.parametrize(
    ("text", "unread"), [("G2P2", False), ("D&C", False), ("I60.9", True), ("M1A.9", True), ("?", True)]
)
def test_letters_among_digits_and_signs_are_words_unless_they_may_be_a_code(
    knowledge: Knowledge, text: str, unread: bool
) -> None:
    assert bool(fact(knowledge, "aneurysm_avm", words(text)).missing) is unread


@pytest.mark.parametrize("status", ["active", "resolved", "inactive", None])
def test_a_lesion_of_the_brain_stays_when_the_entry_is_closed(knowledge: Knowledge, status: str | None) -> None:
    entry = condition("S06.2X9A", status=status, onsetDateTime="2015-01-01")
    assert presence(knowledge, "seizure_risk", entry).current
