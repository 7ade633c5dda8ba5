"""Knowledge that is wrong does not load, and the error names the file and the key."""

import pickle
import re
import shutil
from pathlib import Path

import pytest

from fhir_plugin.facts.fact import Count, Measurement, Presence
from fhir_plugin.facts.read import read_facts
from mappings.schema.base.entries import KnowledgeError
from mappings.schema.base.files import KNOWLEDGE
from mappings.schema.load import Knowledge, load_knowledge
from mappings.schema.rules.criteria import FactKind
from tests.support.knowledge.charts import AS_OF, chart, condition, observation, patient, pressure

KINDS = {Presence: FactKind.PRESENCE, Measurement: FactKind.MEASUREMENT, Count: FactKind.COUNT}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "mappings"
    shutil.copytree(KNOWLEDGE, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return copy


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "criteria/age.adult.yaml",
            "source: aetna_0469",
            "source: hearsay",
            r"age\.adult\.yaml: limit\.source: .*hears",
        ),
        ("criteria/age.adult.yaml", "source: aetna_0469, ", "", r"age\.adult\.yaml: limit\.source: Field required"),
        ("criteria/age.adult.yaml", "person.age", "person.shoes", r"age\.adult\.yaml: facts: no fact 'person\.shoes'"),
        ("criteria/age.adult.yaml", "at_least", "present", r"age\.adult\.yaml: compare: .* a count"),
        ("criteria/age.adult.yaml", "at_least", "feels_like", r"age\.adult\.yaml: compare: "),
        ("criteria/age.adult.yaml", "id: age.adult", "id: age.old", r"age\.adult\.yaml: id: "),
        ("criteria/age.adult.yaml", "review_due", "review_some_day", r"age\.adult\.yaml: review_due: Field required"),
        ("criteria/blood_pressure.hold.yaml", "diastolic:", "mean:", r"hold\.yaml: limits: .*no component 'mean'"),
        ("protocols/safer_reading.yaml", "criterion: age.adult", "criterion: age.young", r"clauses: no criterion"),
        ("protocols/safer_reading.yaml", "focus: combination", "focus: music", r"focus: no treatment 'music'"),
        ("conflicts.yaml", "shanok_2024:", "nobody:", r"conflicts\.yaml: timing\.positions: no source 'nobody'"),
        ("value_sets/psychosis.icd10cm.yaml", "topic: psychosis", "topic: humours", r"topic: no topic 'humours'"),
        ("value_sets/psychosis.icd10cm.yaml", "F21, ", "F20, ", r"psychosis\.icd10cm\.yaml: .*F20 is listed twice"),
        ("claims.yaml", "pathway trauma, criterion ptsd", "pathway drama, criterion ptsd", r"no 'pathway drama'"),
        (
            "claims.yaml",
            "used_in: [conflict cost]",
            "why_unused: No.",
            r"claims\.yaml: conflict cost rests on no claim",
        ),
        ("claims.yaml", "why_unused: An anecdote.", "", r"benign_disorientation: .*either used_in"),
        ("claims.yaml", "rests_on: [elkrief_2022]", "rests_on: [hearsay]", r"bipolar_remission: no source 'hearsay'"),
        ("conflicts.yaml", "pathways: [simultaneous]", "pathways: [together]", r"no protocol has a pathway 'together'"),
        (
            "cards.yaml",
            "\n  encounter-start: {",
            "\n  encounter-end: {",
            r"indicators\.encounter-start: add contra.*, unknown;",
        ),
        (
            "facts.yaml",
            "treatments.ect.partial_",
            "treatments.ect.little_",
            r"facts: add treatments\.ect\.partial_response",
        ),
        ("instruments/_drawing.yaml", "\n  ect:", "\n  tect:", r"_drawing\.yaml: sessions: add ect, .* of ect\.yaml"),
        ("cards.yaml", "except: [long_ago]", "except: [once]", r"reviews\.except: no entry 'once'"),
        ("payers/cigna.esketamine.yaml", "duration: MGH-ATRQ", "duration: a while", r"duration: no policy 'a while'"),
        (
            "payers/cigna.esketamine.yaml",
            "source: cigna_spravato",
            "source: rumour",
            r"cigna\.esketamine\.yaml: source",
        ),
        (
            "payers/aetna.tms.yaml",
            "criterion: dementia.present",
            "criterion: dementia",
            r"items: dementia: no criterion",
        ),
        ("payers/uhc.tms.yaml", "id: uhc.tms", "id: uhc.music", r"uhc\.tms\.yaml: id: "),
        (
            "payers/uhc.tms.yaml",
            "fact: conditions.psychotherapy",
            "fact: conditions.therapy",
            r"no fact 'conditions\.th",
        ),
        ("wording.yaml", "below {limit}", "below {limits}", r"wording\.yaml: .*no field \{limits\}"),
        ("wording.yaml", "\n  ever:", "\n  always:", r"wording\.yaml: "),
    ],
)
def test_a_wrong_file_is_named_with_its_key(folder: Path, file: str, old: str, new: str, message: str) -> None:
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(KnowledgeError) as fault:
        load_knowledge(folder)
    assert re.search(message, str(fault.value)), str(fault.value)


def test_the_digest_follows_the_files(folder: Path, knowledge: Knowledge) -> None:
    assert load_knowledge(folder).digest == knowledge.digest
    with (folder / "criteria" / "age.adult.yaml").open("a", encoding="utf-8") as file:
        file.write("# a remark\n")
    assert load_knowledge(folder).digest != knowledge.digest


def test_facts_are_exactly_those_declared(knowledge: Knowledge) -> None:
    record = chart(
        patient(), condition("F33.1"), pressure(120, 80, "2026-05-01"), observation("29463-7", 80, "kg", "2026-05-01")
    )
    facts = read_facts(record, knowledge, AS_OF).named
    assert facts.keys() == knowledge.facts.keys()
    for name, fact in facts.items():
        assert fact.name == name
        if fact.value is not None:
            assert KINDS[type(fact.value)] == knowledge.facts[name].kind


def test_components_and_units_are_those_declared(knowledge: Knowledge) -> None:
    record = chart(
        patient(),
        pressure(120, 80, "2026-05-01"),
        observation("29463-7", 80, "kg", "2026-05-01"),
        observation("44261-6", 12, "{score}", "2026-05-01"),
    )
    measured = 0
    for name, fact in read_facts(record, knowledge, AS_OF).named.items():
        if isinstance(fact.value, Measurement):
            measured += 1
            assert set(fact.value.components) <= set(knowledge.facts[name].components)
            assert fact.value.unit == knowledge.facts[name].unit
    assert measured >= 4


def test_inputs_follow_from_criteria(knowledge: Knowledge) -> None:
    screened = {"questionnaireResponses", "observations"}
    assert knowledge.inputs_for(["implant.head_neck"]) == {"conditions", "procedures", "devices"} | screened
    assert knowledge.inputs_for(["blood_pressure.hold", "age.adult"]) == {"observations", "patient"}


def test_knowledge_can_be_sent_to_a_worker(knowledge: Knowledge) -> None:
    assert pickle.loads(pickle.dumps(knowledge)).digest == knowledge.digest  # noqa: S301


def test_every_source_is_used_or_says_what_it_supports(knowledge: Knowledge) -> None:
    for key, source in knowledge.sources.items():
        assert source.supports, key
        assert source.read, key
