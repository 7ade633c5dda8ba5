"""How long calls take is told for each client, in metrics and report; a client may have a deadline of its own."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.memory.report import make_report, report_lines
from cds_hooks.memory.silence import rule_activities
from cds_hooks.memory.tally import Tally, TallyKey, times
from cds_hooks.operation.metrics import Metrics
from cds_hooks.settings.settings import Settings
from tests.support.commands.command import tandem
from tests.support.hooks.calls import DAY, KETAMINE, ORDER_SIGN, PATIENT_VIEW, body, knowledge, order
from tests.support.memory.service import call, remembering, with_tables
from tests.support.trust.canary import canary
from tests.support.trust.signing import BASE, bearer, claims, client, header, service, signed

PATIENT = "two-failures"
KEY = TallyKey("general", "a-service", "live")


@pytest.mark.parametrize(("own", "most"), [(0.2, 5.0), (None, 5.0)])
def test_a_deadline_of_the_client_goes_before_that_of_all(own: float | None, most: float) -> None:
    with canary() as (server, _):
        guarded = service(
            client("a", "ec-1", fhir_servers=(server,), deadline_seconds=own), deadline_seconds=60 if own else 0.2
        )
        token = signed(header(kid="ec-1"), claims(iss="https://a.example", aud=BASE + PATIENT_VIEW))
        begun = time.monotonic()
        request = body(PATIENT_VIEW, PATIENT, fhirServer=server, prefetch={})
        assert guarded.post(PATIENT_VIEW, json=request, headers=bearer(token)).status_code == 412
        assert time.monotonic() - begun < most


def tally(*seconds: float) -> Tally:
    counted = Tally()
    for each in seconds:
        counted.count(DAY, KEY, [("some-rule", "warning")])
        counted.add(DAY, KEY, times(each))
    return counted


def report(counted: Tally) -> Any:
    return make_report(counted.unsaved(), (), DAY, DAY, knowledge().memory.silence, ())


def test_the_report_says_which_share_of_a_clients_calls_took_longer() -> None:
    made = report(tally(0.1, 0.5, 0.6, 1.2, 1.9, 2.1, 7.0, 0.01))
    assert made.clients["general"].calls == 8
    assert made.clients["general"].slower == {"over 0.5 s": 5 / 8, "over 1 s": 4 / 8, "over 2 s": 2 / 8}
    assert [rule.rule for rule in made.rules] == ["some-rule"]
    assert "general: 8 calls answered, 62.5% over 0.5 s, 50.0% over 1 s, 25.0% over 2 s" in list(report_lines(made))


def test_times_are_no_rules_that_could_fall_silent() -> None:
    activities = rule_activities(tally(3.0).unsaved(), DAY + timedelta(days=60), knowledge().memory.silence)
    assert {activity.rule for activity in activities} <= {"some-rule"}


def test_each_call_is_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = with_tables(tmp_path / "memory.sqlite")
    with remembering(file) as running:
        call(running, ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
        assert running.post(ORDER_SIGN, json={}).status_code == 400, "only calls that were answered are counted"
        counted = running.get("/metrics").text
    assert 'tandem_calls_timed_total{client="",mode="live"} 1.0' in counted
    assert "calls:" not in counted
    monkeypatch.setenv("TANDEM_DATABASE", f"sqlite:///{file}")
    told = json.loads(tandem("feedback", "report", "--days", "3650", "--format", "json").stdout)
    assert told["clients"][""]["calls"] == 1
    assert set(told["clients"][""]["slower"]) == {"over 0.5 s", "over 1 s", "over 2 s"}
    assert "open service: 1 calls answered" in tandem("feedback", "report", "--days", "3650").stdout


class State:
    """What is read at scrape time: nothing but the tally."""

    def __init__(self) -> None:
        self.memory = SimpleNamespace(tally=Tally())

    def collect(self) -> tuple[()]:
        return ()

    describe = collect


def test_metrics_tell_slow_calls_by_client() -> None:
    state: Any = State()
    metrics = Metrics(state, lambda: DAY)
    for seconds in (0.1, 0.7, 2.5):
        metrics.call("general", "a-service", "live", seconds)
    counted = {(rule, said): number for (_, (rule, said)), number in state.memory.tally.total.items()}
    assert counted == {
        ("calls:took", "any"): 3,
        ("calls:took", "over 0.5 s"): 2,
        ("calls:took", "over 1 s"): 1,
        ("calls:took", "over 2 s"): 1,
    }


def test_a_call_that_was_slow_is_shown_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter((0.0, 1.5))
    monkeypatch.setattr("cds_hooks.operation.middleware.seconds", lambda: next(ticks, 1.5))
    running = TestClient(create_app(Settings(), knowledge(), lambda: DAY))
    assert running.post(PATIENT_VIEW, json=body(PATIENT_VIEW, PATIENT)).status_code == 200
    counted = running.get("/metrics").text
    assert 'tandem_calls_slow_total{client="",mode="live",took="over 1 s"} 1.0' in counted
    assert 'took="over 2 s"' not in counted
