"""What is kept of the patients beside the knowledge is decided as they were."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cds_hooks.replay.days import Calendar
from cds_hooks.replay.deidentify import Deidentifier
from cds_hooks.replay.recording import Recorder, complete_request
from fhir_plugin.facts.trials.read import TrialHistory
from mappings.schema.base.files import KNOWLEDGE
from mappings.schema.codes.vocabulary import load_vocabulary
from tests.support.hooks.calls import answered, called, knowledge
from tests.support.knowledge.cases import read_cases, record_of
from tests.support.knowledge.charts import AS_OF
from tests.support.medications import checks
from tests.support.medications.records import resources

SECRET = b"one secret of a site, thirty-two bytes"
CRITERIA = sorted((KNOWLEDGE / "criteria").glob("*.cases.yaml"))
FEWEST, EVERY = 600, 9
_REQUIRED = frozenset({"conditions", "patient"})
"""Inputs without which a call is not answered."""
TIMELESS = Calendar(timedelta(0), 0, 0, AS_OF, 90)
"""So that a case keeps its days."""


@cache
def recorder() -> Recorder:
    return Recorder(knowledge(), SECRET)


@cache
def hidden() -> Deidentifier:
    return Deidentifier(SECRET, load_vocabulary(), knowledge().medications)


def requests(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """The small patients of one file, each as a call with the whole record in its prefetch."""
    call = called(
        {"hook": "patient-view", "hookInstance": "", "context": {"userId": "Practitioner/1", "patientId": "p"}}
    )
    return [
        (case["patient"], complete_request(call, record_of(case)) | {"hookInstance": ""})
        for case in read_cases(path)
        if _REQUIRED.isdisjoint(case.get("not_read", ()))
    ]


def test_there_are_enough_patients() -> None:
    assert sum(len(read_cases(path)) for path in CRITERIA) >= FEWEST


@pytest.mark.parametrize("path", CRITERIA, ids=lambda path: path.name.removesuffix(".cases.yaml"))
def test_every_verdict_stays_what_it_was(path: Path) -> None:
    assert [found for patient in requests(path)[::EVERY] for found in differing(*patient)] == []


@pytest.mark.nightly
@pytest.mark.parametrize("path", CRITERIA, ids=lambda path: path.name.removesuffix(".cases.yaml"))
def test_every_verdict_of_every_patient_stays_what_it_was(path: Path) -> None:
    assert [found for patient in requests(path) for found in differing(*patient)] == []


def differing(name: str, request: dict[str, Any]) -> list[Any]:
    """The verdicts that are not the same after de-identification."""
    call = called(request)
    before = answered(call, AS_OF).decision
    assert before is not None
    kept = asyncio.run(recorder().replay(call, before.record, AS_OF))
    after = answered(called(kept.request), kept.as_of).decision
    assert after is not None
    verdicts = [{(finding.criterion, finding.verdict) for finding in each.findings} for each in (before, after)]
    return [(name, changed)] if (changed := verdicts[0] ^ verdicts[1]) else []


def trial_cases() -> Iterator[Any]:
    """Every case of the trials: one of a few before a merge, all at night."""
    for number, case in enumerate(checks.cases().values()):
        yield pytest.param(case, id=case["id"], marks=() if number % EVERY == 0 else pytest.mark.nightly)


@pytest.mark.parametrize("case", list(trial_cases()))
def test_every_trial_stays_what_it_was(case: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    before = checks.history_of(case, knowledge().medications)
    monkeypatch.setattr(checks, "resources", lambda case: [kept(each) for each in resources(case)])
    hidden_case = {**case, "medications": [kept(each) for each in case.get("medications", [])]}
    assert of(checks.history_of(hidden_case, knowledge().medications)) == of(before)


def kept(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = hidden()._walk("resource", content, TIMELESS)
    return found


def of(history: TrialHistory) -> Any:
    """What is decided on; names of unknown drugs and references are replaced."""
    trials = [(each.ingredient, each.adequate, each.adequate_days, each.highest_daily_dose, each.outcome, each.flags)
              for each in history.trials]  # fmt: skip
    facts = {name: (fact.value, bool(fact.missing)) for name, fact in history.facts().items()}
    return trials, facts, len(history.unmapped), history.counters, history.lifetime
