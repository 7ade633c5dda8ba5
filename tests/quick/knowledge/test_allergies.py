"""Hypersensitivity to ketamine, wherever an allergy names it."""

from typing import Any

import pytest

from fhir_plugin.facts.allergies import read_ketamine_allergy
from fhir_plugin.facts.fact import Fact, Presence
from mappings.schema.load import Knowledge
from tests.support.knowledge.charts import AS_OF, SCT, chart

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
