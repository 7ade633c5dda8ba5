"""A site's own numbers and roles: checked like the originals, and shown as local."""

import re
from pathlib import Path

import pytest

from fhir_plugin.deciding.assess import assess
from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.facts.read import read_facts
from mappings.schema.base.entries import KnowledgeError
from mappings.schema.load import Knowledge, load_knowledge
from mappings.schema.rules.protocols import Role
from tests.support.knowledge.charts import AS_OF, chart, patient, pressure

HEAD = "reviewed: 2026-05-01\nreview_due: 2027-05-01\nanswers_for_it: medication safety committee\n"
SOURCES = """
sources:
  committee: {citation: Minutes of May, kind: this product, grade: not graded, read: in full, supports: Our own limits.}
"""
LIMIT = (
    "criteria:\n  blood_pressure.hold:\n    limits.systolic: {value: 150, source: committee, verification: design}\n"
)


def load(tmp_path: Path, text: str) -> Knowledge:
    path = tmp_path / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return load_knowledge(site=path)


def test_a_local_limit_decides_and_is_marked(tmp_path: Path, knowledge: Knowledge) -> None:
    local = load(tmp_path, HEAD + SOURCES + LIMIT)
    facts = read_facts(chart(patient(), pressure(144, 80, "2026-05-31")), knowledge, AS_OF)
    (ours,) = assess(facts, knowledge, ["blood_pressure.hold"])
    (theirs,) = assess(facts, local, ["blood_pressure.hold"])
    assert (ours.verdict, ours.local) == (Verdict.MET, False)
    assert (theirs.verdict, theirs.local) == (Verdict.NOT_MET, True)
    assert "150/90" in theirs.because
    assert "this site's own" in theirs.because
    assert local.digest != knowledge.digest


def test_a_local_role_and_parameter(tmp_path: Path) -> None:
    local = load(
        tmp_path,
        HEAD
        + SOURCES
        + "protocol: sequenced\n"
        + "roles:\n  safer_reading: {response.single_modality_inadequate: required}\n"
        + "parameters:\n  safer_reading:\n"
        + "    ketamine.infusion: {low: 60, unit: min, source: committee, verification: design}\n",
    )
    protocol = local.protocols["safer_reading"]
    (clause,) = [each for each in protocol.clauses if each.criterion == "response.single_modality_inadequate"]
    assert (clause.role, clause.local) == (Role.REQUIRED, True)
    assert (protocol.parameters["ketamine.infusion"].low, protocol.parameters["ketamine.infusion"].local) == (60, True)
    assert local.site is not None
    assert local.site.protocol == "sequenced"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LIMIT, r"no source 'committee'"),
        (LIMIT.replace("limits.systolic", "limits.mean") + SOURCES, r"site\.yaml: .*no number 'limits\.mean'"),
        (LIMIT.replace("blood_pressure.hold", "blood.hold") + SOURCES, r"site\.yaml: criteria: no criterion"),
        (LIMIT.replace("source: committee, ", "") + SOURCES, r"site\.yaml: .*source: Field required"),
        ("protocol: music\n", r"site\.yaml: no protocol 'music'"),
        ("roles:\n  safer_reading: {age.young: required}\n", r"site\.yaml: roles\.safer_reading: no clause"),
        ("roles:\n  safer_reading: {age.adult: maybe}\n", r"site\.yaml: roles\."),
        (
            (
                "parameters:\n  safer_reading:\n"
                "    ketamine.infusion: {low: 1, unit: h, source: design, verification: design}\n"
            ),
            r"unit: must be min",
        ),
        (SOURCES.replace("committee:", "design:"), r"site\.yaml: sources: design"),
    ],
)
def test_a_wrong_site_file_does_not_load(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(KnowledgeError) as fault:
        load(tmp_path, HEAD + text)
    assert re.search(message, str(fault.value)), str(fault.value)
