"""Which texts and codes are recognised as drugs, and which drugs they name."""

import gzip
from pathlib import Path

import pytest

from fhir_plugin.facts.medications.products import IdentifiedProduct, identify, may_be_antidepressant
from fhir_plugin.facts.medications.recognised import names_in_text
from fhir_plugin.facts.trials.told import told_trials
from fhir_plugin.record.coded import MOST_LETTERS
from fhir_plugin.record.datatypes import CodeableConcept, Coding
from mappings.schema.base.entries import KnowledgeError
from mappings.schema.base.systems import system_key
from mappings.schema.load import Knowledge
from mappings.schema.medications import FOLDER
from mappings.schema.medications.recognition import FILE, read_drug_names
from tests.support.medications.records import order, record_of

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


def of_text(text: str, knowledge: Knowledge) -> IdentifiedProduct:
    return identify(CodeableConcept(text=text), knowledge.medications)


def of_code(system: str, code: str, knowledge: Knowledge, text: str | None = None) -> IdentifiedProduct:
    return identify(CodeableConcept(coding=(Coding(system=system, code=code),), text=text), knowledge.medications)


def ingredients(drug: IdentifiedProduct) -> list[str]:
    return [part.ingredient for part in drug.product.parts] if drug.product else []


@pytest.mark.parametrize(
    "text",
    [
        "baby aspirin",
        "vitamin B-12 1000 mcg",
        "Omega 3 1000 mg",
        "semaglutide, weight loss, (WEGOVY) 2.4 MG/0.75ML",
        "SMX-TMP DS",
        "Normal saline 1000 mL",
        "blood glucose test strips",
        "BD pen needles",
        "FreeStyle Libre 2 sensor",
        "artificial tears",
        "CPAP supplies",
        "lisinopril 10 mg oral tablet",
        "amLODIPine-benazepril 5-10 mg capsule",
        "atorvastatin (LIPITOR) 40 MG tablet, take 1 daily",
        "NDA020503 200 ACTUAT Albuterol 0.09 MG/ACTUAT Metered Dose Inhaler",
        "{28 (norethindrone 0.35 MG Oral Tablet) } Pack [Camila]",
        "insulin glargine-yfgn 100 UNT/ML Injectable Solution",
        "insulin glargine (Lantus) 100 unit/mL solostar pen",
        "Vitamin D3 1000 units",
        "levotiroxina 50 mcg comprimidos",
        "Metformine 850 mg comprimé",
        "aspirin 81 mg for the heart, from a neighbour",
        "glucose test strips",
        "Prenatal vitamins",
    ],
)
def test_a_drug_that_is_none_of_the_tables_is_recognised(text: str, knowledge: Knowledge) -> None:
    drug = of_text(text, knowledge)
    assert drug.product is None
    assert not drug.in_doubt


@pytest.mark.parametrize(
    "text",
    [
        "zorbaxil 10 mg",
        "zorbaxil 10 mg (like lisinopril)",
        "lisinopril / zorbaxil",
        "lisinopril with zorbaxil 5 mg",
        "lisinopril-zorbaxil",
        "lisinopril/blor",
        "lisinopril, blor",
        "ロラゼパム錠 1mg",
        "лоразепам 1 мг",
        "tablet 10 mg",
        "pain medication",
        "SSRI per previous provider",
        "reconcile with the patient",
        "today, as before",
        "see note",
        "4711",
    ],
)
def test_what_may_be_any_drug_is_not_recognised(text: str, knowledge: Knowledge) -> None:
    assert of_text(text, knowledge).in_doubt


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Xyrem 500 mg/mL oral solution", ["oxybate"]),
        ("Adipex-P 37.5 mg tablet", ["phentermine"]),
        ("Ultram 50 mg", ["tramadol"]),
        ("Belsomra 20 mg", ["suvorexant"]),
        ("Xadago 100 mg", ["safinamide"]),
        ("Provayblue 5 mg/mL", ["methylthioninium"]),
        ("Lorazépam 1 mg", ["lorazepam"]),
        ("Lorazepamum", ["lorazepam"]),
        ("sertralina 150 mg", ["sertraline"]),
        ("venlafaxina 225 mg", ["venlafaxine"]),
        ("metilfenidato 10 mg", ["methylphenidate"]),
        ("fenitoína 100 mg", ["phenytoin"]),
        ("litio 300 mg", ["lithium"]),
        ("Kétamine 50 mg/5 ml, solution injectable", ["ketamine"]),
        ("divalproex sodium 500 mg", ["valproate"]),
        ("Suboxone 8 mg-2 mg film", ["buprenorphine", "naloxone"]),
        ("Klonopin 1 mg (not prescribed)", ["clonazepam"]),
        ("zopiclone 7.5 mg", ["zopiclone"]),
    ],
)
def test_a_drug_by_brand_salt_or_foreign_name(text: str, expected: list[str], knowledge: Knowledge) -> None:
    drug = of_text(text, knowledge)
    assert ingredients(drug) == expected
    assert not drug.in_doubt


@pytest.mark.parametrize(
    "system",
    [
        RXNORM,
        RXNORM + "/",
        RXNORM.replace("http:", "https:"),
        "HTTP://WWW.NLM.NIH.GOV/research/umls/RxNorm",
        "urn:oid:2.16.840.1.113883.6.88",
        "2.16.840.1.113883.6.88",
        RXNORM + "|2026",
    ],
)
def test_a_code_however_its_system_is_written(system: str, knowledge: Knowledge) -> None:
    assert ingredients(of_code(system, "312941", knowledge)) == ["sertraline"]


def test_a_code_alone_that_no_table_holds_may_be_any_drug(knowledge: Knowledge) -> None:
    drug = of_code(RXNORM, "2619154", knowledge)
    assert drug.in_doubt
    assert may_be_antidepressant(drug, knowledge.medications)


@pytest.mark.parametrize(
    ("code", "in_doubt"), [("C09AA03", False), ("N05AB02", True), ("N06AX99", True), ("C09", True)]
)
def test_a_code_of_atc_states_its_class(code: str, in_doubt: bool, knowledge: Knowledge) -> None:
    assert of_code("http://www.whocc.no/atc/", code, knowledge).in_doubt is in_doubt


def test_a_product_of_rxnorm_that_does_not_matter_is_recognised_by_its_code(knowledge: Knowledge) -> None:
    code = next(iter(sorted(knowledge.medications.other_products)))
    assert not of_code(RXNORM, code, knowledge).in_doubt


def test_words_that_name_another_drug_contradict_the_code(knowledge: Knowledge) -> None:
    drug = of_code(RXNORM, "312941", knowledge, text="lorazepam 1 mg")
    assert drug.in_doubt
    assert drug.flags == ("conflicting_codes",)
    assert [[part.ingredient for part in other.parts] for other in drug.contradicted_by] == [["lorazepam"]]


@pytest.mark.parametrize("text", ["lisinopril 10 mg", "Metformin"])
def test_words_of_a_drug_in_no_table_contradict_the_code_too(text: str, knowledge: Knowledge) -> None:
    assert of_code(RXNORM, "312941", knowledge, text=text).in_doubt


@pytest.mark.parametrize(
    "text", ["Zoloft", "sertralina", "white tablet", "SERTRALINE HCL 50 MG TABS", "zorbaxil", None]
)
def test_words_that_name_no_other_drug_do_not_contradict_the_code(text: str | None, knowledge: Knowledge) -> None:
    drug = of_code(RXNORM, "312941", knowledge, text=text)
    assert ingredients(drug) == ["sertraline"]
    assert not drug.in_doubt


def test_a_name_in_place_of_a_code_is_read(knowledge: Knowledge) -> None:
    drug = of_code("http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-medication-name", "LORazepam", knowledge)
    assert ingredients(drug) == ["lorazepam"]


def test_every_shown_name_is_read_where_the_text_says_nothing(knowledge: Knowledge) -> None:
    coding = Coding(system="urn:local", code="1", display="lorazepam 1 MG Oral Tablet")
    drug = identify(CodeableConcept(coding=(coding,), text="home medication 3"), knowledge.medications)
    assert ingredients(drug) == ["lorazepam"]


def test_an_antidepressant_without_a_dose_table_may_have_been_a_trial(knowledge: Knowledge) -> None:
    for name in ("amineptine 100 mg", "toloxatone 200 mg", "etoperidone 50 mg"):
        assert may_be_antidepressant(of_text(name, knowledge), knowledge.medications), name
    for name in ("domperidone 10 mg", "hydralazine 25 mg"):
        assert not may_be_antidepressant(of_text(name, knowledge), knowledge.medications), name


def test_each_product_of_the_tables_is_what_its_own_name_says(knowledge: Knowledge) -> None:
    rows = (line.split("\t") for line in _lines("other_products.txt"))
    wrong = [name for _, name in rows if of_text(name, knowledge).product is not None]
    assert wrong == []


def test_a_text_is_read_once(knowledge: Knowledge) -> None:
    first = names_in_text("warfarin 5 mg", knowledge.medications)
    assert names_in_text("warfarin 5 mg", knowledge.medications) is first


def test_nothing_of_a_note_is_kept(knowledge: Knowledge) -> None:
    names_in_text.cache_clear()
    note = {"note": [{"text": "Mrs. Example failed Zoloft. Lives with her sister"}]}
    told = told_trials(
        record_of([order({"text": "warfarin 5 mg", "start": "2026-01-01"}) | note]), knowledge.medications
    )
    assert told == {"sertraline"}
    assert names_in_text.cache_info().currsize == 0


def test_a_list_of_names_that_is_cut_off_does_not_load(tmp_path: Path, knowledge: Knowledge) -> None:
    rules = knowledge.medications.recognised.rules
    for content in (b"", b"no gzip", gzip.compress(b"a\n\nb\n\n=")):
        (tmp_path / FILE).write_bytes(content)
        with pytest.raises(KnowledgeError, match=FILE):
            read_drug_names(tmp_path, rules, ())


def test_the_key_of_a_system() -> None:
    assert system_key(None) == system_key("") == ""
    assert system_key("https://www.whocc.no/atc/") == system_key("http://www.whocc.no/ATC")
    assert system_key("urn:oid:2.16.840.1.113883.6.73") == "2.16.840.1.113883.6.73"


def _lines(name: str) -> list[str]:
    return (FOLDER / name).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("hidden", ["sertraline 50 mg", "ibuprofen"])
def test_a_name_too_long_to_be_read_may_be_any_drug_unless_a_code_says_which(hidden: str, knowledge: Knowledge) -> None:
    long = f"{hidden} {'see the label ' * (MOST_LETTERS // 14)} {hidden}"
    for concept in (CodeableConcept(text=long), CodeableConcept(coding=(Coding(display=long),))):
        drug = identify(concept, knowledge.medications)
        assert (drug.product, drug.label, drug.unmapped) == (None, "", True)
        assert may_be_antidepressant(drug, knowledge.medications)
    coded = of_code(RXNORM, "312941", knowledge, long)
    assert ingredients(coded) == ["sertraline"]
    assert not coded.unmapped
