"""The code tables: what each billable ICD-10-CM code says, and which neighbours say nothing."""

import csv
from datetime import date
from pathlib import Path

import pytest

from mappings.schema.codes.value_sets import ICD_10_CM, SNOMED_CT, Meaning
from mappings.schema.load import Knowledge

with (Path(__file__).parent / "icd10cm_codes.csv").open(encoding="utf-8", newline="") as lines:
    CODES = [(row["code"], row["topic"], row["meaning"]) for row in csv.DictReader(lines)]


def said(knowledge: Knowledge, system: str, code: str) -> dict[str, str]:
    senses = knowledge.value_sets.index.senses(system, code) or ()
    return {sense.topic: sense.meaning for sense in senses if sense.meaning is not Meaning.IGNORED}


def test_every_billable_code_says_what_the_table_was_read_to_say(knowledge: Knowledge) -> None:
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
        "I49.3",
        "G45.4",
        "I45.10",
        "I70.0",
        "K76.0",
        "Z96.641",
        "Z95.820",
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


REVIEWED_ON = date(2026, 11, 28)
"""The day of the last review: moved on with it, never read from a clock."""


def test_every_edition_of_a_code_system_is_relied_on_no_longer_than_stated(knowledge: Knowledge) -> None:
    known = knowledge.value_sets.known
    assert known.out_of_force(REVIEWED_ON) == ()
    assert known.out_of_force(date(2027, 4, 1)) == ("icd10cm_2026_april",)
    assert max(value_set.reviewed for value_set in knowledge.value_sets.sets) <= REVIEWED_ON
    assert {own.edition for own in knowledge.value_sets.sets if own.system == ICD_10_CM} == {"icd10cm_2026_april"}


@pytest.mark.parametrize(
    ("system", "code", "known"),
    [
        (ICD_10_CM, "E03.9", True),
        (ICD_10_CM, "e039", True),
        ("urn:oid:2.16.840.1.113883.6.90", "M54.50", True),
        (ICD_10_CM, "M54", True),
        (ICD_10_CM, "W97.1", False),
        (ICD_10_CM, "E03.Z", False),
        (ICD_10_CM, "HTN", False),
        (ICD_10_CM, "44054006", False),
        (ICD_10_CM, "", False),
        (ICD_10_CM, None, False),
        ("http://hl7.org/fhir/sid/icd-10", "E03.9", False),
        (None, "E03.9", False),
        (SNOMED_CT, "58214004", True),
        (SNOMED_CT, "44054006", True),
        ("2.16.840.1.113883.6.96", "44054006", True),
        (SNOMED_CT, "E03.9", False),
        (SNOMED_CT, "999480451000087102", False),
    ],
)
def test_a_code_is_known_or_not(knowledge: Knowledge, system: str | None, code: str | None, known: bool) -> None:
    assert knowledge.value_sets.recognises(system, code) is known


def test_no_code_that_is_known_as_harmless_belongs_to_a_topic(knowledge: Knowledge) -> None:
    value_sets = knowledge.value_sets
    assert not [code for code in value_sets.known.listed[SNOMED_CT] if value_sets.index.senses(SNOMED_CT, code)]


def test_every_value_set_has_a_review_date_in_the_future_of_its_review(knowledge: Knowledge) -> None:
    for value_set in knowledge.value_sets.sets:
        assert value_set.review_due > value_set.reviewed
