"""What one thing on a record does to each treatment, under each protocol; and the numbers that each protocol gives."""

from __future__ import annotations

import pytest

from fhir_plugin.deciding.assess import Verdict
from fhir_plugin.deciding.recommend import recommend
from fhir_plugin.deciding.standing import Standing
from mappings.schema.load import Knowledge
from mappings.schema.rules.protocols import Role
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


DECIDED = {
    (Role.CONTRAINDICATION, Verdict.MET): Standing.CONTRAINDICATED,
    (Role.REQUIRED, Verdict.NOT_MET): Standing.NOT_MET,
    (Role.REQUIRED, Verdict.UNKNOWN): Standing.UNKNOWN,
}


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case["patient"] for case in CASES])
def test_a_treatment_stands_where_the_one_thing_puts_it(number: int, knowledge: Knowledge) -> None:
    for protocol in knowledge.protocols.values():
        for answer in recommend(findings(number), protocol, knowledge).treatments:
            said = [(weighed.role, weighed.finding.verdict) for weighed in answer.weighed]
            stands = [DECIDED[each] for each in said if each in DECIDED]
            assert answer.standing is (min(stands, key=list(Standing).index) if stands else Standing.MET)


def test_every_criterion_of_a_protocol_has_its_patient(knowledge: Knowledge) -> None:
    named = {clause.criterion for protocol in knowledge.protocols.values() for clause in protocol.clauses}
    assert {case["criterion"] for case in CASES} == named


def test_the_numbers_are_those_that_were_reviewed(knowledge: Knowledge) -> None:
    assert {name for name, each in knowledge.protocols.items() if not numbers_as_expected(each)} == set()
