"""A rule that asks for nothing lets nothing through: it does not load, and the deciding code would not say ``met``."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.settings.settings import Settings
from fhir_plugin.deciding.assess import assess_criterion
from fhir_plugin.deciding.finding import Finding, Verdict
from fhir_plugin.deciding.recommend import recommend
from fhir_plugin.deciding.standing import Standing
from fhir_plugin.facts.fact import Fact, Measurement
from mappings.schema.base.entries import Grade, KnowledgeError
from mappings.schema.base.files import KNOWLEDGE, read_yaml
from mappings.schema.gates import check_gates
from mappings.schema.load import Knowledge, load_knowledge
from mappings.schema.rules.criteria import Criterion
from mappings.schema.rules.protocols import Clause, Pathway, Protocol, Role
from tests.support.hooks.calls import DAY, ORDER_SIGN, TMS, body, check, order

PROTOCOL = "safer_reading"
CAUTION = {"role": "caution", "weight": {"value": "note", "source": "design", "verification": "design"}}
ECT = {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "90870"}]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "mappings"
    shutil.copytree(KNOWLEDGE, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return copy


def fault_of(folder: Path, file: str, change: Callable[[Any], object]) -> str:
    """Why a folder with one changed file does not load."""
    write_changed(KNOWLEDGE / file, folder / file, change)
    with pytest.raises(KnowledgeError) as fault:
        load_knowledge(folder)
    return str(fault.value)


def fault_of_one(tmp_path: Path, knowledge: Knowledge, kind: str, name: str, change: Callable[[Any], object]) -> str:
    """Why one changed protocol or criterion is refused beside the others as they are; without reading all of them."""
    path = write_changed(KNOWLEDGE / kind / f"{name}.yaml", tmp_path / f"{name}.yaml", change)
    shape: type[Protocol | Criterion] = Protocol if kind == "protocols" else Criterion
    with pytest.raises(KnowledgeError) as fault:
        check_gates(replace(knowledge, **{kind: {**getattr(knowledge, kind), name: read_yaml(path, shape)}}))
    return str(fault.value)


def write_changed(original: Path, path: Path, change: Callable[[Any], object]) -> Path:
    content = yaml.safe_load(original.read_text(encoding="utf-8"))
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def clauses_with(content: dict[str, Any], *roles: str) -> list[dict[str, Any]]:
    return [clause for clause in content["clauses"] if clause["role"] in roles]


def without(content: dict[str, Any], role: str, treatment: str) -> None:
    for clause in clauses_with(content, role):
        clause["treatments"] = [name for name in clause["treatments"] if name != treatment] or ["ketamine"]


def given_to_ect(content: dict[str, Any], *roles: str) -> None:
    content["treatments"].append("ect")
    for clause in clauses_with(content, *roles):
        clause["treatments"].append("ect")


# What does not load


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (given_to_ect, r"treatments: 'ect' has no clause with role required.*add one"),
        (
            lambda content: given_to_ect(content, "caution", "context", "expected"),
            r"treatments: 'ect' has no clause with role req",
        ),
        (
            lambda content: given_to_ect(content, "contraindication"),
            r"treatments: 'ect' has no clause with role required",
        ),
        (
            lambda content: given_to_ect(content, "required"),
            r"treatments: 'ect' has no clause with role contraindication",
        ),
        (
            lambda content: without(content, "required", "combination"),
            r"treatments: 'combination' has no clause with role required",
        ),
        (
            lambda content: without(content, "contraindication", "tms"),
            r"treatments: 'tms' has no clause with role contraindication",
        ),
        (lambda content: content.update(clauses=[]), r"treatments: 'ketamine' has no clause with role required"),
        (
            lambda content: content.update(
                clauses=[{key: each[key] for key in each.keys() - {"do"}} | CAUTION for each in content["clauses"]]
            ),
            r"treatments: 'ketamine' has no clause with role required",
        ),
        (lambda content: content["clauses"][1].update(treatments=[]), r"clauses\.1\.treatments: .*at least 1"),
        (
            lambda content: content["pathways"]["trauma"].pop("all_of"),
            r"pathways\.trauma: has no condition.*name criteria",
        ),
        (
            lambda content: content["parameters"]["tms.sessions"].update(low=float("nan")),
            r"parameters\.tms\.sessions\.low: .*finite",
        ),
        (
            lambda content: content["parameters"]["monitoring.pressure_after_dose"].update(low=0),
            r"parameters\.monitoring\.pressure_after_dose: an order needs a number above 0",
        ),
    ],
)
def test_a_protocol_that_asks_for_nothing_does_not_load(
    tmp_path: Path, knowledge: Knowledge, change: Callable[[Any], object], message: str
) -> None:
    fault = fault_of_one(tmp_path, knowledge, "protocols", PROTOCOL, change)
    assert re.match(rf"{PROTOCOL}\.yaml: {message}", fault), fault


@pytest.mark.parametrize(
    ("criterion", "change", "message"),
    [
        ("age.adult", {"facts": []}, r"at least one is needed"),
        ("age.adult", {"limit": {"value": 0}}, r"limit: 0: .*only come out one way.*allowed is above 0, up to 130"),
        ("age.adult", {"limit": {"value": 131}}, r"limit: 131: .*allowed is above 0, up to 130"),
        ("age.adult", {"limit": {"value": float("nan")}}, r"limit\.value: .*finite"),
        ("trials.two_failed", {"limit": {"value": 0}}, r"limit: 0: .*allowed is above 0"),
        ("trials.two_failed", {"limit": {"value": float("inf")}}, r"limit\.value: .*finite"),
        ("blood_pressure.hold", {"limits": {"systolic": {"value": 10_000}}}, r"limits\.systolic: 10000: .*below 300"),
        ("blood_pressure.hold", {"max_age_days": {"value": 10_000}}, r"max_age_days: 10000: .*allowed is 0 to 366"),
        (
            "severity.moderate",
            {"limits": {"scores.phq9.latest": {"value": 0}}},
            r"limits\.scores\.phq9.*above 0, up to",
        ),
        ("measure.due", {"limit": {"value": 5000}}, r"limit: 5000: .*allowed is from 0 on, below 366"),
    ],
)
def test_a_criterion_that_can_only_come_out_one_way_does_not_load(
    tmp_path: Path, knowledge: Knowledge, criterion: str, change: dict[str, Any], message: str
) -> None:
    fault = fault_of_one(tmp_path, knowledge, "criteria", criterion, lambda content: merge(content, change))
    assert re.search(rf"^{criterion}\.yaml: .*{message}", fault), fault


def merge(content: dict[str, Any], change: dict[str, Any]) -> None:
    for key, value in change.items():
        if isinstance(value, dict):
            merge(content[key], value)
        else:
            content[key] = value


def of_score(content: dict[str, Any]) -> dict[str, Any]:
    return next(item for item in content["items"] if item["check"] == "score")


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (f"protocols/{PROTOCOL}.yaml", given_to_ect, r"safer_reading\.yaml: treatments: 'ect' has no clause"),
        ("criteria/age.adult.yaml", lambda content: content["limit"].update(value=0), r"age\.adult\.yaml: limit: 0"),
        ("payers/uhc.tms.yaml", lambda content: content.update(items=[]), r"uhc\.tms\.yaml: items: .*at least 1"),
        (
            "payers/generic.tms.yaml",
            lambda content: (of_score(content).pop("at_least", None), of_score(content).pop("recorded", None)),
            r"generic\.tms\.yaml: items\.\d+\.score: .*names the scales",
        ),
        ("cards.yaml", lambda content: content.update(safety=[]), r"cards\.yaml: safety: .*at least 1"),
        (
            "sessions.yaml",
            lambda content: content["rules"][0].update(treatments=[]),
            r"sessions\.yaml: rules\.0\.treatments: .*at least 1",
        ),
        (
            "sessions.yaml",
            lambda content: content.update(rules=[]),
            r"sessions\.yaml: rules: .*at least 1",
        ),
        (
            "interactions.yaml",
            lambda content: content["drugs"]["maoi"].update(groups=[]),
            r"interactions\.yaml: drugs\.maoi: .*no drug would ever be found",
        ),
        (
            "laboratory.yaml",
            lambda content: next(iter(content["tests"].values()))["positive"].update(words=[], codes={}),
            r"laboratory\.yaml: tests\.\w+: .*positive: no words and no codes",
        ),
        ("treatments/ect.yaml", lambda content: content.update(patterns=[]), r"ect\.yaml: patterns: .*at least 1"),
        (
            "treatments/_allergy.yaml",
            lambda content: content.update(words=[]),
            r"_allergy\.yaml: words: .*at least 1",
        ),
        (
            "value_sets/topics.yaml",
            lambda content: content["topics"]["psychosis"].update(read_in=[]),
            r"topics\.yaml: topics\.psychosis\.read_in: .*at least 1",
        ),
        (
            "value_sets/porphyria.icd10cm.yaml",
            lambda content: [content.pop(key, None) for key in ("current", "past")],
            r"topics\.yaml: topics\.porphyria: no value set has codes",
        ),
    ],
)
def test_what_could_find_nothing_does_not_load(
    folder: Path, file: str, change: Callable[[Any], object], message: str
) -> None:
    fault = fault_of(folder, file, change)
    assert re.match(message, fault), fault


# What the deciding code makes of it, whatever is loaded


def with_clauses(knowledge: Knowledge, treatment: str, *roles: Role) -> Protocol:
    """A protocol with a treatment more, which has the clauses of these roles alone."""
    protocol = knowledge.protocols[PROTOCOL]
    clauses = tuple(
        each.model_copy(update={"treatments": (*each.treatments, treatment)}) if each.role in roles else each
        for each in protocol.clauses
        if each.role in roles or treatment not in each.treatments
    )
    return protocol.model_copy(update={"treatments": (*protocol.treatments, treatment), "clauses": clauses})


def favourable(knowledge: Knowledge, *clauses: Clause) -> list[Finding]:
    """Every finding as it has to be for nothing to stand in the way."""
    required = {clause.criterion for clause in clauses if clause.role in (Role.REQUIRED, Role.EXPECTED)}
    verdicts = {name: Verdict.MET if name in required else Verdict.NOT_MET for name in knowledge.criteria}
    return [Finding(criterion=name, verdict=verdict, because="") for name, verdict in verdicts.items()]


@pytest.mark.parametrize(
    ("roles", "standing"),
    [
        ((), Standing.UNKNOWN),
        ((Role.CAUTION, Role.CONTEXT, Role.EXPECTED), Standing.UNKNOWN),
        ((Role.CONTRAINDICATION,), Standing.UNKNOWN),
        ((Role.REQUIRED,), Standing.UNKNOWN),
        ((Role.REQUIRED, Role.CONTRAINDICATION), Standing.MET),
    ],
)
def test_a_treatment_that_nothing_is_asked_of_is_unknown(
    knowledge: Knowledge, roles: tuple[Role, ...], standing: Standing
) -> None:
    protocol = with_clauses(knowledge, "ect", *roles)
    made = recommend(favourable(knowledge, *protocol.clauses), protocol, knowledge, ["ect"])
    assert made.verdict is standing


def test_a_pathway_without_conditions_fits_nobody_for_certain(knowledge: Knowledge) -> None:
    protocol = knowledge.protocols[PROTOCOL]
    bare = protocol.pathways["trauma"].model_copy(update={"all_of": ()})
    changed = protocol.model_copy(update={"pathways": {"trauma": bare}})
    (answer,) = recommend(favourable(knowledge, *protocol.clauses), changed, knowledge).pathways
    assert isinstance(answer.pathway, Pathway)
    assert answer.fits is Verdict.UNKNOWN


@pytest.mark.parametrize("update", [{"facts": ()}, {"limits": {}}])
def test_a_criterion_over_nothing_is_unknown(knowledge: Knowledge, update: dict[str, Any]) -> None:
    pressure = Measurement(components={"systolic": 200, "diastolic": 120}, unit="mm[Hg]", day=None)
    facts = {"blood_pressure.latest": Fact(name="blood_pressure.latest", value=pressure)}
    criterion = knowledge.criteria["blood_pressure.hold"].model_copy(update=update | {"max_age_days": None})
    assert assess_criterion(criterion, facts, DAY, knowledge).verdict is Verdict.UNKNOWN


def test_a_protocol_without_required_clauses_is_not_graded(knowledge: Knowledge) -> None:
    protocol = knowledge.protocols[PROTOCOL].model_copy(update={"clauses": ()})
    assert protocol.weakest_grade is Grade.NONE


def test_an_order_that_nothing_is_asked_of_is_not_told_that_all_is_met(knowledge: Knowledge) -> None:
    changed = replace(knowledge, protocols={**knowledge.protocols, PROTOCOL: with_clauses(knowledge, "ect")})
    client = TestClient(create_app(Settings(), changed, today=lambda: DAY))
    said: list[str] = []
    for patient in ("two-failures", "acute-crisis"):
        draft = order(TMS, patient, code=ECT)
        for card in check(client.post(ORDER_SIGN, json=body(ORDER_SIGN, patient, draft)).json()):
            assert "criteria met" not in card["summary"]
            if card["summary"].startswith("ECT"):
                assert (card["indicator"], card["summary"]) == ("warning", "ECT: cannot tell yet. No criteria apply")
            said.append(card["summary"])
    assert len([summary for summary in said if summary.startswith("ECT")]) == 2
