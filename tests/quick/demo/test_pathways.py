"""Each demo patient gives the pathway that the story says, straight through facts, assess and recommend."""

from datetime import date

import pytest

from cds_hooks.demo.stories import DemoPatient, demo_patients
from fhir_plugin.deciding.assess import assess
from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.deciding.recommend import recommend
from fhir_plugin.facts.read import read_facts
from fhir_plugin.record.decoding import record_from_bundle
from mappings.schema.load import Knowledge
from tests.support.shipped import shipped

PROTOCOL = "safer_reading"
ANCHOR = date(2026, 11, 21)
PATIENTS = {patient.id: patient for patient in demo_patients(ANCHOR)}


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return shipped()


@pytest.mark.parametrize("patient", PATIENTS.values(), ids=PATIENTS)
def test_the_story_gives_its_pathway(patient: DemoPatient, knowledge: Knowledge) -> None:
    record = record_from_bundle(patient.bundle)
    assert record.unread == ()
    findings = assess(read_facts(record, knowledge, ANCHOR), knowledge)
    answer = recommend(findings, knowledge.protocols[PROTOCOL], knowledge)
    assert {each.treatment: each.standing.value for each in answer.treatments} == patient.expect.standings
    assert tuple(each.id for each in answer.pathways if each.fits is Verdict.MET) == patient.expect.fits
    met = {finding.criterion for finding in findings if finding.verdict is Verdict.MET}
    assert set(patient.expect.decided_by) <= met
    assert answer.actionable is patient.expect.speaks
