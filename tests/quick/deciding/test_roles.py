"""What one thing on a record does to each treatment, under each protocol; and the numbers that each protocol gives."""

from __future__ import annotations

import pytest

from fhir_plugin.deciding.finding import Doubt
from fhir_plugin.deciding.recommend import recommend
from fhir_plugin.deciding.standing import Standing
from mappings.schema.load import Knowledge
from mappings.schema.rules.protocols import Role, Weight
from tests.support.knowledge.roles import (
    CASES,
    as_expected,
    done,
    findings,
    numbers_as_expected,
)


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case["patient"] for case in CASES])
def test_one_thing_does_to_each_treatment_what_the_case_says(number: int, knowledge: Knowledge) -> None:
    (finding,) = [each for each in findings(number) if each.criterion == CASES[number]["criterion"]]
    assert finding.verdict == CASES[number]["verdict"]
    for protocol in knowledge.protocols.values():
        assert as_expected(number, protocol, knowledge), (protocol.id, done(number, protocol, knowledge))


STANDS = {
    "required": {"met": "met", "not_met": "not_met", "unknown": "unknown"},
    "contraindication": {"met": "contraindicated", "not_met": "met", "unknown": "unknown"},
    "hold": {"met": "hold", "not_met": "met", "unknown": "unknown"},
    "expected": {"met": "met", "not_met": "review", "unknown": "open"},
    "caution": {"met": "review", "not_met": "met", "unknown": "open"},
    "context": {"met": "met", "not_met": "met", "unknown": "met"},
}
"""What a case of a role and a verdict does at the worst; a light caution, and a question, only leave it open."""


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case["patient"] for case in CASES])
def test_a_treatment_stands_where_the_one_thing_puts_it(number: int, knowledge: Knowledge) -> None:
    for protocol in knowledge.protocols.values():
        for answer in recommend(findings(number), protocol, knowledge).treatments:
            expected = [Standing.MET]
            for weighed in answer.weighed:
                stands = Standing(STANDS[weighed.role][weighed.finding.verdict])
                question = weighed.finding.doubt in (Doubt.ASK, Doubt.MISSING) and weighed.role is not Role.REQUIRED
                light = weighed.weight is Weight.NOTE or question
                expected.append(Standing.OPEN if light and stands is not Standing.MET else stands)
            assert answer.standing is min(expected, key=list(Standing).index)


def test_every_criterion_of_a_protocol_has_its_patient(knowledge: Knowledge) -> None:
    named = {clause.criterion for protocol in knowledge.protocols.values() for clause in protocol.clauses}
    assert {case["criterion"] for case in CASES} == named


def test_the_numbers_are_those_that_were_reviewed(knowledge: Knowledge) -> None:
    assert {name for name, each in knowledge.protocols.items() if not numbers_as_expected(each)} == set()
