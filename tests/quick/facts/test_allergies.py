"""Hypersensitivity to ketamine, wherever an allergy names it."""

from typing import Any

import pytest

from fhir_plugin.facts.allergies import read_ketamine_allergy
from fhir_plugin.facts.fact import Fact, Presence
from mappings.schema.load import Knowledge
from tests.support.knowledge.charts import AS_OF, SCT, chart

NEEDLESS = {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "7980"}
IN_ERROR = {"verificationStatus": {"coding": [{"code": "entered-in-error"}]}}


def read(knowledge: Knowledge, **members: Any) -> Fact:
    entry = {"resourceType": "AllergyIntolerance", "id": "a", "clinicalStatus": {"coding": [{"code": "active"}]}}
    return read_ketamine_allergy(chart(entry | members), knowledge, AS_OF)[0]


@pytest.mark.parametrize(
    "members",
    [
        {"code": {"text": "see note", "coding": [{"system": SCT, "code": "1", "display": "Ketamine (substance)"}]}},
        {"code": {"text": "Drug"}, "reaction": [{"substance": {"text": "Ketamine"}}]},
        {"code": {"text": "Ketamine 10 % cream"}},
        {"code": {"text": "Ketamine, esketamine"}},
    ],
    ids=["name of the code", "substance of the reaction", "as a cream", "both"],
)
def test_ketamine_is_found_wherever_it_is_named(knowledge: Knowledge, members: dict[str, Any]) -> None:
    value = read(knowledge, **members).value
    assert isinstance(value, Presence)
    assert len(value.current) == 1


def test_a_list_of_errors_alone_is_an_empty_one(knowledge: Knowledge) -> None:
    fact = read(knowledge, code={"text": "Penicillin"}, **IN_ERROR)
    assert fact.missing == ("the allergy list is empty",)
    assert not read(knowledge, code={"text": "Penicillin"}).missing


@pytest.mark.parametrize(
    ("members", "allergic", "intolerant"),
    [
        ({"type": "intolerance", "reaction": [{"manifestation": [{"text": "Vivid dreams"}]}]}, "", "current"),
        (
            {"type": "intolerance", "reaction": [{"manifestation": [{"text": "Nausea"}], "severity": "mild"}]},
            "",
            "current",
        ),
        ({"type": "intolerance", "criticality": "low"}, "", "current"),
        ({"type": "intolerance", "reaction": [{"manifestation": [{"text": "Angioedema"}]}]}, "current", ""),
        (
            {"type": "intolerance", "reaction": [{"manifestation": [{"coding": [{"display": "Urticaria"}]}]}]},
            "current",
            "",
        ),
        ({"type": "intolerance", "criticality": "high"}, "possible", "current"),
        ({"type": "intolerance", "reaction": [{"severity": "severe"}]}, "possible", "current"),
        (
            {"type": "intolerance", "reaction": [{"manifestation": [{"coding": [{"code": "1"}]}]}]},
            "possible",
            "current",
        ),
        ({"type": "allergy", "reaction": [{"manifestation": [{"text": "Vivid dreams"}]}]}, "current", ""),
        ({"reaction": [{"manifestation": [{"text": "Vivid dreams"}]}]}, "current", ""),
        ({"type": "intolerance", "verificationStatus": {"coding": [{"code": "unconfirmed"}]}}, "", "possible"),
        ({"type": "intolerance", "clinicalStatus": {"coding": [{"code": "resolved"}]}}, "", "past"),
    ],
    ids=[
        "vivid dreams",
        "nausea",
        "of low criticality",
        "angioedema",
        "urticaria by its display",
        "of high criticality",
        "a severe reaction",
        "a reaction in a code without words",
        "an allergy whatever the reaction",
        "type not stated",
        "not confirmed",
        "resolved",
    ],
)
def test_an_intolerance_is_no_hypersensitivity_unless_its_reaction_is(
    knowledge: Knowledge, members: dict[str, Any], allergic: str, intolerant: str
) -> None:
    entry = {"resourceType": "AllergyIntolerance", "id": "a", "code": {"text": "Ketamine"}} | members
    facts = read_ketamine_allergy(chart(entry), knowledge, AS_OF)
    for fact, place in zip(facts, (allergic, intolerant), strict=True):
        found = [name for name in ("current", "past", "possible") if getattr(fact.value, name)]
        assert found == ([place] if place else []), fact.name
        assert all(entry.name == "ketamine" for entry in fact.evidence)


@pytest.mark.parametrize("type_", ["intolerance", "allergy", None])
def test_an_allergy_to_something_else_is_neither(knowledge: Knowledge, type_: str | None) -> None:
    entry = {"resourceType": "AllergyIntolerance", "id": "a", "code": {"text": "Penicillin"}, "type": type_}
    assert all(fact.value == Presence() for fact in read_ketamine_allergy(chart(entry), knowledge, AS_OF))


@pytest.mark.parametrize(
    ("code", "unread"),
    [
        ({"coding": [{"system": "http://fdasis.nlm.nih.gov", "code": "690G0D6V8H"}]}, True),
        ({"coding": [{"system": SCT, "code": "373464007"}]}, True),
        ({"coding": [NEEDLESS]}, False),
        ({"coding": [{"system": SCT, "code": "1", "display": "Penicillin"}]}, False),
    ],
)
def test_an_allergy_in_an_unknown_code_without_words_leaves_it_open(
    knowledge: Knowledge, code: dict[str, Any], unread: bool
) -> None:
    assert bool(read(knowledge, code=code).missing) is unread


LOCAL = {"coding": [{"system": "http://terminology.example.org/local", "code": "4711"}]}


@pytest.mark.parametrize(
    ("code", "unread"),
    [
        (LOCAL, True),
        ({"coding": [{"code": "6130"}]}, True),
        ({}, True),
        (None, True),
        ({"text": "ケタミン"}, True),
        ({"coding": [{"system": SCT, "code": "387207008"}]}, True),
        ({"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "1202"}]}, False),
        (LOCAL | {"text": "Peanuts"}, False),
    ],
    ids=["local code", "no system", "empty", "nothing", "other letters", "a code never seen", "atenolol", "words"],
)
def test_an_allergy_that_cannot_be_read_may_be_to_ketamine(
    knowledge: Knowledge, code: dict[str, Any] | None, unread: bool
) -> None:
    entry = {"resourceType": "AllergyIntolerance", "id": "a"} | ({} if code is None else {"code": code})
    for fact in read_ketamine_allergy(chart(entry), knowledge, AS_OF):
        assert bool(fact.missing) is unread
        assert fact.unread == (("allergies",) if unread else ())
    refuted = entry | {"verificationStatus": {"coding": [{"code": "refuted"}]}}
    assert not read_ketamine_allergy(chart(refuted), knowledge, AS_OF)[0].missing


def test_a_diagnosis_that_cannot_be_read_may_be_an_allergy(knowledge: Knowledge) -> None:
    penicillin = {"resourceType": "AllergyIntolerance", "id": "a", "code": {"text": "Penicillin"}}
    unread = {"resourceType": "Condition", "id": "c", "code": LOCAL}
    assert read_ketamine_allergy(chart(penicillin, unread), knowledge, AS_OF)[0].unread == ("conditions",)
