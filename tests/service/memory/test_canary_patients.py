"""A rule that has fallen silent is noticed on synthetic patients before it is missed on a real one."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.operation.canaries import silent_criteria
from cds_hooks.settings.settings import Settings
from mappings.schema.load import Knowledge, load_knowledge
from tests.support.hooks.calls import DAY, knowledge
from tests.support.memory.service import PATIENCE_SECONDS, remembering

SAFETY = "suicidality.current"


def blinded() -> Knowledge:
    """The knowledge after an edit that lets the criterion about suicide look at something else."""
    criteria = {**knowledge().criteria}
    criteria[SAFETY] = criteria[SAFETY].model_copy(update={"facts": criteria["psychosis.ever"].facts})
    sentences = {**knowledge().sentences, SAFETY: knowledge().sentences["psychosis.ever"]}
    return replace(knowledge(), criteria=criteria, sentences=sentences)


@pytest.mark.parametrize("days", [0, 1, 45, 400])
def test_our_own_knowledge_sees_every_story_on_any_day(days: int) -> None:
    assert silent_criteria(knowledge(), DAY + timedelta(days=days)) == ()


def test_a_blinded_criterion_is_named() -> None:
    assert SAFETY in silent_criteria(blinded(), DAY)


def test_a_number_of_the_site_is_no_alarm(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        """
reviewed: 2026-01-01
review_due: 2027-01-01
answers_for_it: Test committee
criteria:
  blood_pressure.hold:
    limits.systolic: {value: 240, source: design, verification: design}
    limits.diastolic: {value: 140, source: design, verification: design}
"""
    )
    assert silent_criteria(load_knowledge(site=site), date(2026, 1, 15)) == ()


def test_a_service_that_sees_is_ready(tmp_path: Path) -> None:
    with remembering(tmp_path / "memory.sqlite") as service:
        _wait(service, "ok")
        assert service.get("/readyz").status_code == 200


def test_a_service_that_misses_a_danger_is_not_ready_and_answers_all_the_same() -> None:
    with TestClient(create_app(Settings(), blinded(), lambda: DAY)) as service:
        _wait(service, "silent")
        assert service.get("/readyz").status_code == 503
        assert f'tandem_canary_silent{{criterion="{SAFETY}"}} 1.0' in service.get("/metrics").text
        assert service.get("/healthz").status_code == 200
        assert service.get("/cds-services").status_code == 200


def test_canaries_that_cannot_be_looked_at_are_told() -> None:
    """Knowledge on which every call would fail."""
    with TestClient(create_app(Settings(), replace(knowledge(), sentences={}), lambda: DAY)) as service:
        _wait(service, "failed")
        assert service.get("/readyz").status_code == 503


def _wait(service: TestClient, state: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while (now := service.get("/readyz").json()["canaries"]) == "not yet" and time.monotonic() < end:
        pass
    assert now == state
