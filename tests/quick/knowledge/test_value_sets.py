"""The code tables: what each billable ICD-10-CM code says, and which neighbours say nothing."""

import csv
from pathlib import Path

import pytest

from mappings.schema.codes.value_sets import ICD_10_CM, SNOMED_CT, Meaning
from mappings.schema.load import Knowledge

with (Path(__file__).parent / "icd10cm_codes.csv").open(encoding="utf-8", newline="") as lines:
    CODES = [(row["code"], row["topic"], row["meaning"]) for row in csv.DictReader(lines)]


def said(knowledge: Knowledge, system: str, code: str) -> dict[str, str]:
    senses = knowledge.value_sets.index.senses(system, code) or ()
    return {sense.topic: sense.meaning for sense in senses if sense.meaning is not Meaning.IGNORED}


def test_every_billable_code_says_what_the_table_of_2025_was_read_to_say(knowledge: Knowledge) -> None:
    wrong = [
        (code, topic, meaning, said(knowledge, ICD_10_CM, code).get(topic, "ignored"))
        for code, topic, meaning in CODES
        if said(knowledge, ICD_10_CM, code).get(topic, "ignored") != meaning
    ]
    assert not wrong
    assert len(CODES) > 1000


@pytest.mark.parametrize(
    "code",
    [
        "F41.1",
        "F43.21",
        "F17.210",
        "G43.909",
        "I20.9",
        "I63.9",
        "I69.354",
        "I70.0",
        "K76.0",
        "Z96.641",
        "Z95.1",
        "R45.4",
        "T14.8XXA",
        "Q21.0",
        "E03.9",
        "E80.6",
        "H04.123",
        "Z87.891",
        "Z98.890",
    ],
)
def test_a_neighbour_says_nothing(knowledge: Knowledge, code: str) -> None:
    assert said(knowledge, ICD_10_CM, code) == {}


@pytest.mark.parametrize("code", ["F20", "F31", "F10.2", "I60", "I71.4", "G40", "F43.1", "K74", "E05"])
def test_a_category_that_cannot_be_billed_is_not_missed(knowledge: Knowledge, code: str) -> None:
    assert said(knowledge, ICD_10_CM, code)


@pytest.mark.parametrize("code", ["f20.0", "F200", "F20.0"])
def test_dots_and_case_do_not_matter(knowledge: Knowledge, code: str) -> None:
    assert said(knowledge, ICD_10_CM, code) == {"psychosis": "current"}


def test_a_code_of_one_system_says_nothing_in_another(knowledge: Knowledge) -> None:
    assert said(knowledge, SNOMED_CT, "F20.0") == {}
    assert said(knowledge, ICD_10_CM, "58214004") == {}
    assert said(knowledge, "http://hl7.org/fhir/sid/icd-10", "F20.0") == {}


def test_every_topic_has_codes_and_hints(knowledge: Knowledge) -> None:
    with_codes = {value_set.topic for value_set in knowledge.value_sets.sets}
    assert with_codes == set(knowledge.value_sets.topics)
    for name, topic in knowledge.value_sets.topics.items():
        assert topic.hints, name
        assert all(hint == hint.lower() for hint in topic.hints), name


def test_every_value_set_has_a_review_date_in_the_future_of_its_review(knowledge: Knowledge) -> None:
    for value_set in knowledge.value_sets.sets:
        assert value_set.review_due > value_set.reviewed
