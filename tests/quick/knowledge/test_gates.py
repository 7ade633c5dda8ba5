"""The safety gates of both documents and the labels, together: none is missing, and each says where it looked."""

from pathlib import Path
from typing import Any

import pytest

from fhir_plugin.deciding.assess import assess
from fhir_plugin.facts.read import read_facts
from mappings.schema.load import Knowledge
from mappings.schema.rules.protocols import Role
from tests.support.knowledge.charts import AS_OF, chart, condition, patient
from tests.support.shipped import load_yaml

GATES: dict[str, dict[str, Any]] = load_yaml(Path(__file__).parent / "gates.yaml")

AGAINST = (Role.CONTRAINDICATION, Role.HOLD, Role.CAUTION)


@pytest.mark.parametrize("gate", GATES)
def test_every_protocol_has_the_gate_for_each_treatment_it_bears_on(gate: str, knowledge: Knowledge) -> None:
    shape = GATES[gate]
    for protocol in knowledge.protocols.values():
        for criterion in shape["criteria"]:
            found = [clause for clause in protocol.clauses if clause.criterion == criterion]
            bears_on = {treatment for clause in found for treatment in clause.treatments}
            assert bears_on >= set(shape["treatments"]), (protocol.id, criterion)
            assert all(clause.role in AGAINST for clause in found)


@pytest.mark.parametrize("gate", GATES)
def test_the_finding_lists_every_place_it_looked_in(gate: str, knowledge: Knowledge) -> None:
    facts = read_facts(chart(patient(), condition("E11.9")), knowledge, AS_OF)
    for finding in assess(facts, knowledge, GATES[gate]["criteria"]):
        assert {place.split()[0] for place in finding.looked_in} >= set(GATES[gate]["places"])


def test_no_contraindication_or_caution_stands_outside_the_gates(knowledge: Knowledge) -> None:
    """What a protocol adds beyond the gates is listed here, so that a new one is added to the list above."""
    named = {criterion for gate in GATES.values() for criterion in gate["criteria"]}
    others = {
        clause.criterion
        for protocol in knowledge.protocols.values()
        for clause in protocol.clauses
        if clause.role in AGAINST and clause.criterion not in named
    }
    assert others == {"porphyria.present", "drug.unrecognised"}
