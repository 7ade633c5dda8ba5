"""A site may make the rules stricter; what would switch a gate off does not load, and no file makes a call fail."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.demo.stories import demo_patients
from cds_hooks.settings.settings import Settings
from fhir_plugin.deciding.assess import assess
from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.deciding.recommend import TreatmentAnswer, recommend
from fhir_plugin.deciding.standing import Standing
from fhir_plugin.facts.read import Facts, read_facts
from fhir_plugin.record.decoding import record_from_bundle
from mappings.schema.base.entries import KnowledgeError
from mappings.schema.gates import check_gates
from mappings.schema.load import Knowledge, with_site
from mappings.schema.rules.protocols import Clause, Protocol, Role
from tests.support.commands.command import tandem
from tests.support.hooks.calls import DAY, ESKETAMINE, KETAMINE, ORDER_SIGN, PATIENT_VIEW, TMS, body, check, order
from tests.support.profiles import examples
from tests.support.shipped import shipped

PROTOCOL = "safer_reading"
HEAD = {"reviewed": "2026-05-01", "review_due": "2027-05-01", "answers_for_it": "medication safety committee"}
REQUIRED = ("age.adult", "depression.current", "trials.two_failed", "baseline.recorded")


def site_file(folder: Path, **content: Any) -> Path:
    path = folder / "site.yaml"
    path.write_text(json.dumps(HEAD | content), encoding="utf-8")
    return path


def roles(*criteria: str, role: str) -> dict[str, Any]:
    return {"roles": {PROTOCOL: dict.fromkeys(criteria, role)}}


def number(criterion: str, key: str, value: float) -> dict[str, Any]:
    return {"criteria": {criterion: {key: {"value": value, "source": "design", "verification": "design"}}}}


# Roles


@pytest.mark.parametrize(
    ("criteria", "role", "allowed"),
    [
        (REQUIRED, "context", "required"),
        (("age.adult",), "expected", "required"),
        (("age.adult",), "contraindication", "required"),
        (("psychosis.ever",), "caution", "contraindication"),
        (("psychosis.ever",), "context", "contraindication"),
        (("psychosis.ever",), "required", "contraindication"),
        (("heart.risk",), "context", "caution or contraindication"),
        (("heart.risk",), "expected", "caution or contraindication"),
        (("heart.risk",), "required", "caution or contraindication"),
        (("severity.moderate",), "context", "expected or required"),
        (("severity.moderate",), "caution", "expected or required"),
        # a contraindication to ketamine and a caution for TMS: the caution for both would free ketamine
        (("pregnancy.current",), "caution", "contraindication"),
    ],
)
def test_a_weaker_role_does_not_load(
    tmp_path: Path, knowledge: Knowledge, criteria: tuple[str, ...], role: str, allowed: str
) -> None:
    with pytest.raises(KnowledgeError) as fault:
        with_site(knowledge, site_file(tmp_path, **roles(*criteria, role=role)))
    said = str(fault.value)
    assert re.fullmatch(
        rf"site\.yaml: roles\.{PROTOCOL}\.({'|'.join(criteria)}): {role}: .*allowed is {allowed}", said
    ), said


@pytest.mark.parametrize(
    ("criterion", "role"),
    [
        ("age.adult", "required"),
        ("severity.moderate", "required"),
        ("heart.risk", "contraindication"),
        ("pregnancy.current", "contraindication"),
        ("ptsd.present", "caution"),
        ("ptsd.present", "contraindication"),
        ("severity.severe", "expected"),
        ("severity.severe", "required"),
    ],
)
def test_a_stricter_role_loads(tmp_path: Path, knowledge: Knowledge, criterion: str, role: str) -> None:
    changed = with_site(knowledge, site_file(tmp_path, **roles(criterion, role=role)))
    given_ = {clause.role for clause in changed.protocols[PROTOCOL].clauses if clause.criterion == criterion}
    assert given_ == {Role(role)}


def test_check_config_says_in_one_line_which_gate_would_be_off(tmp_path: Path) -> None:
    site_file(tmp_path, **roles(*REQUIRED, role="context"))
    config = tmp_path / "tandem.toml"
    config.write_text(f"site = {json.dumps(str(tmp_path / 'site.yaml'))}\n", encoding="utf-8")
    done = tandem("check-config", str(config))
    assert (done.returncode, done.stdout) == (2, "")
    said = r"tandem: tandem\.toml:1: site: site\.yaml: roles\.safer_reading\.age\.adult: context: .*required\n"
    assert re.fullmatch(said, done.stderr)


# Numbers


@pytest.mark.parametrize(
    ("criterion", "key", "value", "allowed"),
    [
        ("age.adult", "limit", 0, "above 0, up to 130"),
        ("age.adult", "limit", 10_000, "above 0, up to 130"),
        ("age.adult", "limit", -18, "above 0, up to 130"),
        ("trials.two_failed", "limit", 0, "above 0, up to inf"),
        ("severity.moderate", "limits.scores.phq9.latest", 0, "above 0, up to 27"),
        ("severity.moderate", "limits.scores.madrs.latest", 61, "above 0, up to 60"),
        ("blood_pressure.hold", "limits.systolic", 10_000, "from 50 on, below 300"),
        ("blood_pressure.hold", "limits.diastolic", 0, "from 20 on, below 200"),
        ("blood_pressure.hold", "max_age_days", 10_000, "0 to 366"),
        ("baseline.recorded", "max_age_days", -1, "0 to 366"),
    ],
)
def test_a_number_that_leaves_one_answer_does_not_load(
    tmp_path: Path, knowledge: Knowledge, criterion: str, key: str, value: float, allowed: str
) -> None:
    with pytest.raises(KnowledgeError) as fault:
        with_site(knowledge, site_file(tmp_path, **number(criterion, key, value)))
    said = str(fault.value)
    assert said.startswith(f"site.yaml: criteria.{criterion}.{key}: {value:g}: {criterion} "), said
    assert said.endswith(f"allowed is {allowed}"), said


@pytest.mark.parametrize("value", ["1e9999", ".inf", ".nan"])
def test_a_number_is_finite(tmp_path: Path, knowledge: Knowledge, value: str) -> None:
    path = site_file(tmp_path, **number("age.adult", "limit", 18))
    path.write_text(path.read_text(encoding="utf-8").replace('"value": 18', f'"value": {value}'), encoding="utf-8")
    with pytest.raises(KnowledgeError, match=r"site\.yaml: criteria\.age\.adult\.limit\.value: .*number"):
        with_site(knowledge, path)


@pytest.mark.parametrize(
    ("name", "low", "unit", "said"),
    [
        ("monitoring.pressure_after_dose", -40, "min", "a number above 0"),
        ("esketamine.from_week_9_interval", 0, "days", "a number above 0"),
        ("ketamine.weight_max_age", 10_000, "days", "allowed is up to 366"),
    ],
)
def test_a_parameter_that_means_nothing_does_not_load(
    tmp_path: Path, knowledge: Knowledge, name: str, low: float, unit: str, said: str
) -> None:
    parameter = {"low": low, "unit": unit, "source": "design", "verification": "design"}
    with pytest.raises(KnowledgeError, match=rf"^site\.yaml: parameters\.{PROTOCOL}\.{re.escape(name)}: .*{said}"):
        with_site(knowledge, site_file(tmp_path, parameters={PROTOCOL: {name: parameter}}))


# Whatever the file

FEWER = examples(0.25, *HealthCheck)
"""Each example makes a service of its own."""

NAMES = sorted({clause.criterion for clause in shipped().protocols[PROTOCOL].clauses})
KEYS = sorted((name, key) for name, criterion in shipped().criteria.items() for key in criterion.numbers)
VALUES = st.sampled_from([-1, 0, 1, 2, 18, 28, 60, 140, 366, 10_000, 1e308]) | st.integers(-400, 400)
ROLES = st.sampled_from([role.value for role in Role])
PATIENTS = st.sampled_from([patient.id for patient in demo_patients(DAY)])


@st.composite
def site_files(draw: st.DrawFn) -> dict[str, Any]:
    """Some roles of the protocol that is applied, and some numbers."""
    given_ = draw(st.dictionaries(st.sampled_from(NAMES), ROLES, max_size=3))
    content = {"roles": {PROTOCOL: given_}} if given_ else {}
    numbers = draw(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=1))
    for (name, key), value in numbers.items():
        content |= number(name, key, value)
    return content


@st.composite
def protocols(draw: st.DrawFn) -> Protocol:
    """The protocol that is applied, with clauses left out, given to other treatments, or in other roles."""
    protocol = shipped().protocols[PROTOCOL]
    left_out = draw(st.sets(st.sampled_from(list(Role)), max_size=2))
    treatments = draw(st.sampled_from([protocol.treatments, (*protocol.treatments, "ect")]))
    spared = draw(st.sampled_from(["", *treatments]))
    clauses = tuple(_changed(draw, each, spared, treatments) for each in protocol.clauses if each.role not in left_out)
    kept = tuple(each for each in clauses if each.treatments)
    return protocol.model_copy(update={"treatments": treatments, "clauses": kept})


def _changed(draw: st.DrawFn, clause: Clause, spared: str, treatments: tuple[str, ...]) -> Clause:
    if "ect" in treatments and spared != "ect" and draw(st.booleans()):
        clause = clause.model_copy(update={"treatments": (*clause.treatments, "ect")})
    if spared in clause.treatments and draw(st.booleans()):
        rest = tuple(each for each in clause.treatments if each != spared)
        clause = clause.model_copy(update={"treatments": rest})
    return clause


@cache
def facts() -> tuple[Facts, ...]:
    return tuple(read_facts(record_from_bundle(patient.bundle), shipped(), DAY) for patient in demo_patients(DAY))


def answers(knowledge: Knowledge) -> Iterator[tuple[int, TreatmentAnswer]]:
    """Every treatment of every demo patient under the protocol."""
    for index, each in enumerate(facts()):
        for answer in recommend(assess(each, knowledge), knowledge.protocols[PROTOCOL], knowledge).treatments:
            yield index, answer


def met(knowledge: Knowledge) -> set[tuple[int, str]]:
    return {(index, answer.treatment) for index, answer in answers(knowledge) if answer.standing is Standing.MET}


@cache
def met_as_shipped() -> frozenset[tuple[int, str]]:
    return frozenset(met(shipped()))


def assert_earned(knowledge: Knowledge) -> None:
    """What is met has something that is required and met, and something that would forbid it and is not there."""
    for _, answer in answers(knowledge):
        if answer.standing is Standing.MET:
            said = {(weighed.role, weighed.finding.verdict) for weighed in answer.weighed}
            assert (Role.REQUIRED, Verdict.MET) in said
            assert (Role.CONTRAINDICATION, Verdict.NOT_MET) in said


def assert_every_call_is_answered(knowledge: Knowledge, patient: str) -> None:
    client = TestClient(create_app(Settings(), knowledge, today=lambda: DAY))
    calls = [body(ORDER_SIGN, patient, order(what, patient)) for what in (KETAMINE, ESKETAMINE, TMS)]
    for url, call in [(PATIENT_VIEW, body(PATIENT_VIEW, patient)), *((ORDER_SIGN, call) for call in calls)]:
        answer = client.post(url, json=call)
        assert answer.status_code == 200, answer.text
        for card in check(answer.json()):
            assert "all 0 required" not in card["summary"]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sites")


def loaded(scratch: Path, content: dict[str, Any]) -> tuple[Knowledge | None, str]:
    """The knowledge with such a site file, or why it does not load."""
    try:
        return with_site(shipped(), site_file(scratch, **content)), ""
    except KnowledgeError as fault:
        return None, str(fault)


@given(content=site_files())
def test_no_site_file_lets_through_what_the_originals_hold_back(scratch: Path, content: dict[str, Any]) -> None:
    changed, refused = loaded(scratch, content)
    if changed is None:
        assert re.fullmatch(r"site\.yaml: .+", refused), refused
        return
    assert_earned(changed)
    assert "criteria" in content or met(changed) <= met_as_shipped()


@given(content=site_files(), patient=PATIENTS)
@FEWER
def test_no_site_file_makes_a_call_fail(scratch: Path, content: dict[str, Any], patient: str) -> None:
    changed, _ = loaded(scratch, content)
    assume(changed is not None)
    assert changed is not None
    assert_every_call_is_answered(changed, patient)


@given(protocol=protocols())
def test_no_protocol_that_loads_is_met_unasked(protocol: Protocol) -> None:
    changed = replace(shipped(), protocols={**shipped().protocols, PROTOCOL: protocol})
    assert_earned(changed)
    asked = {
        (treatment, role)
        for treatment in protocol.treatments
        for role in (Role.REQUIRED, Role.CONTRAINDICATION)
        if any(clause.role is role and treatment in clause.treatments for clause in protocol.clauses)
    }
    if len(asked) == 2 * len(protocol.treatments):
        check_gates(changed)
    else:
        with pytest.raises(KnowledgeError, match=r"^safer_reading\.yaml: treatments: "):
            check_gates(changed)


@given(protocol=protocols(), patient=PATIENTS)
@FEWER
def test_no_protocol_makes_a_call_fail(protocol: Protocol, patient: str) -> None:
    """Not even one that would not load."""
    assert_every_call_is_answered(replace(shipped(), protocols={**shipped().protocols, PROTOCOL: protocol}), patient)
