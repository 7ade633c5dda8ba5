"""A rule that stops speaking is noticed: from the counts of the days, in the metrics and in the report."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cds_hooks.memory.silence import is_silent, rule_activities
from cds_hooks.memory.tally import ANSWERED, CALLS, DailyCounts, Tally, TallyKey
from cds_hooks.protocol.clock import today
from tests.support.hooks.calls import KETAMINE, ORDER_SIGN, PATIENT_VIEW, knowledge, order
from tests.support.memory.service import accepted, call, overridden, remembering, tandem, tell

RULES = knowledge().memory.silence
DAY = date(2026, 1, 15)
PLACE = TallyKey("", "service", "live")
RULE = "suicidality.current"


def history(before: int, recent: int, calls: int = 10) -> DailyCounts:
    """Thirty-five days with so many calls each, and a rule that spoke so often each day before and recently."""
    counts: dict[tuple[date, TallyKey, tuple[str, str]], int] = {}
    for back in range(35):
        day = DAY - timedelta(days=back)
        counts[day, PLACE, (CALLS, ANSWERED)] = calls
        counts[day, PLACE, (RULE, "met")] = recent if back < 7 else before
        counts[day, PLACE, (RULE, "unknown")] = calls
    return counts


def silent(counts: DailyCounts) -> list[str]:
    return [rule.rule for rule in rule_activities(counts, DAY, RULES) if is_silent(rule, RULES)]


def test_a_rule_that_stopped_is_silent() -> None:
    assert silent(history(before=2, recent=0)) == [RULE]


def test_a_rule_that_still_speaks_or_hardly_ever_did_is_not() -> None:
    assert silent(history(before=2, recent=1)) == []
    assert silent(history(before=1, recent=0)) == []
    assert silent({}) == []


def test_no_calls_no_alarm() -> None:
    quiet_week = {key: count for key, count in history(before=2, recent=0).items() if key[0] <= DAY - timedelta(days=7)}
    assert silent(quiet_week) == []


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["a", "b"]), st.integers(0, 5)), max_size=30))
def test_nothing_is_lost_between_tally_and_database(events: list[tuple[int, str, int]]) -> None:
    tally, stored = Tally(), dict[object, int]()
    for offset, rule, times in events:
        tally.count(DAY + timedelta(days=offset), PLACE, [(rule, "met")] * times)
        if times == 3:
            counts = tally.unsaved()
            tally.count(DAY, PLACE, [("a", "met")])
            for key, count in counts.items():
                stored[key] = stored.get(key, 0) + count
            tally.saved(counts)
    kept = sum(stored.values()) + sum(tally.unsaved().values())
    assert kept == sum(tally.total.values())


def test_a_silent_rule_shows_in_metrics_log_and_report(tmp_path: Path) -> None:
    file = tmp_path / "memory.sqlite"
    with remembering(file, detail="full") as service:
        cards = call(service, PATIENT_VIEW, "acute-crisis")
        tell(service, PATIENT_VIEW, overridden(cards[0]["uuid"]))
        tell(service, PATIENT_VIEW, overridden(cards[1]["uuid"]), accepted(cards[1]["uuid"], at="2026-01-16T00:00:00Z"))
        call(service, ORDER_SIGN, "acute-crisis", order(KETAMINE, "acute-crisis"))
        counted = service.get("/metrics").text
    assert "tandem_findings_total" in counted
    assert 'rule="safety:suicidality.current",said="critical"' in counted
    with closing(sqlite3.connect(file)) as other, other:
        rows = [
            ((today() - timedelta(days=back)).isoformat(), "", "a-service", "live", rule, said, 20)
            for back in range(35)
            for rule, said in ((CALLS, ANSWERED), (RULE, "met"))
            if rule == CALLS or back >= 7
        ]
        other.executemany("INSERT INTO firings VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    with remembering(file) as service:
        assert f'tandem_rule_silent{{rule="{RULE}",service="a-service"}} 1.0' in service.get("/metrics").text
    report = json.loads(tandem(f"sqlite:///{file}", "feedback", "report", "--days", "3650", "--format", "json"))
    assert [rule["rule"] for rule in report["rules"] if rule["stopped"]] == [RULE]
    told = {(rule["service"].rpartition("-")[2], rule["rule"]): rule for rule in report["rules"]}
    safety = told["view", "safety:suicidality.current"]
    assert (safety["fired"], safety["overridden"], safety["reasons"]) == (1, 1, {"considered": 1})
    criteria = next(
        rule for (service, name), rule in told.items() if service == "view" and name.startswith("criteria:")
    )
    assert (criteria["fired"], criteria["accepted"], criteria["overridden"]) == (1, 1, 0)
    text = tandem(f"sqlite:///{file}", "feedback", "report")
    assert "Stopped firing, find out why:\n  a-service: suicidality.current" in text
