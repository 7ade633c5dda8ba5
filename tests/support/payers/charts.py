"""The test patients of the checklists, and what a payer's checklist makes of them."""

from __future__ import annotations

from functools import cache
from typing import Any

from msgspec.structs import replace

from fhir_plugin.deciding.assess import assess
from fhir_plugin.facts.read import Facts
from fhir_plugin.facts.trials.read import TrialHistory
from fhir_plugin.facts.trials.trial import MET, NOT_MET, Trial
from fhir_plugin.payers.checklist import Checklist, checklist
from mappings.schema.base.files import KNOWLEDGE
from mappings.schema.load import Knowledge
from mappings.schema.payers.model import PayerPolicy
from tests.support.knowledge.cases import facts_of
from tests.support.shipped import load_yaml, shipped

FOLDER = KNOWLEDGE / "payers"
OUTCOMES = {"failed": "failed", "intolerant": "intolerant", "responded": "responded", "open": "unknown"}


@cache
def patients() -> dict[str, dict[str, Any]]:
    """The charts by name."""
    told: dict[str, dict[str, Any]] = load_yaml(FOLDER / "patients.cases.yaml")
    return told


def cases(policy: str) -> dict[str, dict[str, str]]:
    """What a policy makes of which patient: patient, item, verdict."""
    path = FOLDER / f"{policy}.cases.yaml"
    told: dict[str, dict[str, str]] = load_yaml(path)
    return told


@cache
def facts(patient: str) -> Facts:
    """The facts of a test patient."""
    told = {key: value for key, value in patients()[patient].items() if key not in ("trials", "lifetime")}
    read = facts_of({"patient": patient, **told}, shipped())
    if "trials" not in patients()[patient]:
        return read
    return replace(read, trials=history(read.trials, patients()[patient]))


def history(empty: TrialHistory, told: dict[str, Any]) -> TrialHistory:
    """A history with the trials of a patient and nothing missing."""
    trials = tuple(map(trial, told["trials"]))
    return replace(empty, trials=trials, lifetime_trials=(*map(trial, told.get("lifetime", ())), *trials), missing=())


def trial(text: str) -> Trial:
    """``sertraline SSRI 60 days failed``."""
    ingredient, drug_class, days, _, outcome = text.split()
    policy = shipped().medications.policy(None)
    return Trial(
        ingredient=ingredient,
        drug_class=drug_class,
        start=None,
        stop=None,
        adequate_days=int(days),
        highest_daily_dose=None,
        minimum_daily_dose=None,
        instrument=None,
        adequate=MET if int(days) >= policy.adequate_days else NOT_MET,
        outcome=OUTCOMES[outcome],
        outcome_because="as given",
        outcome_documented=True,
        evidence_grade="dispensed",
        references=(f"MedicationDispense/{ingredient}",),
        flags=(),
        line=text,
    )


def answered(policy: PayerPolicy, read: Facts, knowledge: Knowledge) -> Checklist:
    """The checklist of a policy for these facts."""
    findings = {finding.criterion: finding for finding in assess(read, knowledge)}
    return checklist(policy, read, findings, knowledge)


def verdicts(policy: PayerPolicy, patient: str, knowledge: Knowledge) -> dict[str, str]:
    """The verdict of each item for a test patient."""
    return {item.id: item.verdict.value for item in answered(policy, facts(patient), knowledge).items}
