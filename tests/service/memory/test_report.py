"""The report says from where and when its numbers are; what is not about a rule is counted apart."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from cds_hooks.commands.feedback import named
from cds_hooks.telemetry import logs
from tests.support.commands.command import tandem
from tests.support.hooks.calls import DAY, KETAMINE, ORDER_SIGN, order
from tests.support.memory.service import accepted, call, overridden, remembering, rows, tell, until, with_tables

PATIENT = "two-failures"
MISSING = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return with_tables(tmp_path / "memory.sqlite")


def test_feedback_on_unknown_cards_is_counted_apart(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("info", "json")
    with remembering(file) as service:
        (shown,) = call(service, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
        capsys.readouterr()
        items = (overridden(MISSING), accepted("x"), overridden(shown["uuid"]), overridden(MISSING))
        assert tell(service, ORDER_SIGN, *items).status_code == 200
        line = json.loads(capsys.readouterr().err.splitlines()[-1])
        assert (line["count"], line["unknown"]) == (1, 3)
        counted = service.get("/metrics").text
        name = "tandem_feedback_unknown_total"
        assert f'{name}{{outcome="overridden",service="combination-therapy-order-sign"}} 2.0' in counted
        assert f'{name}{{outcome="accepted",service="combination-therapy-order-sign"}} 1.0' in counted
        assert "feedback:" not in counted
    monkeypatch.setenv("TANDEM_DATABASE", f"sqlite:///{file}")
    told = json.loads(tandem("feedback", "report", "--format", "json").stdout)
    assert told["unknown_cards"] == {"combination-therapy-order-sign": {"accepted": 1, "overridden": 2}}
    assert not [rule for rule in told["rules"] if rule["rule"].startswith("feedback")]
    assert "feedback on cards that are not known: accepted 1, overridden 2" in tandem("feedback", "report").stdout


def test_the_report_names_its_database_and_what_was_written_last(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_DATABASE", f"sqlite:///{file}")
    with remembering(file) as service:
        (shown,) = call(service, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
        tell(service, ORDER_SIGN, overridden(shown["uuid"]))
    (latest,) = rows(file, "SELECT max(shown_at) FROM cards")[0]
    moment = datetime.fromtimestamp(latest / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    told = json.loads(tandem("feedback", "report", "--format", "json").stdout)
    assert (told["database"], told["written"]["cards"]) == (f"sqlite:///{file}", moment)
    assert told["written"]["counts"] == DAY.isoformat()
    (line,) = [line for line in tandem("feedback", "report").stdout.splitlines() if line.startswith("sqlite:")]
    assert line.startswith(f"sqlite:///{file}, written until: cards {moment}, feedback 20")
    with remembering(empty := tmp_path / "empty.sqlite") as service:
        until(service, "open")
    monkeypatch.setenv("TANDEM_DATABASE", f"sqlite:///{empty}")
    assert "written until: cards never, feedback never, counts never" in tandem("feedback", "report").stdout


def test_a_database_is_named_without_its_password() -> None:
    url = make_url("postgresql+asyncpg://tandem:4711-secret@db.example:5433/tandem?password=4711-secret")
    assert named(cast("AsyncEngine", SimpleNamespace(url=url))) == "postgresql://tandem:***@db.example:5433/tandem"
