"""The feedback report: per service and rule, how often it fired and what clinicians did with its cards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from typing import TypeAlias

import msgspec

from cds_hooks.memory.silence import is_silent, rule_activities
from cds_hooks.memory.store import OutcomeCount
from cds_hooks.memory.tally import ANSWERED, CALLS, LIVE, UNKNOWN_CARD, DailyCounts, treatment_of
from mappings.schema.service.memory import SilenceRule


class RuleReport(msgspec.Struct, kw_only=True):
    """One rule of one service: a card's rule, or a criterion."""

    service: str
    rule: str
    fired: int = 0
    """Cards shown; for a criterion, how often it was met."""
    silent_mode: int = 0
    """The same, in calls that were answered in silent mode."""
    accepted: int = 0
    """Cards with an accepted suggestion. The latest feedback on a card counts."""
    overridden: int = 0
    reasons: dict[str, int] = {}
    """Overrides by reason."""
    stopped: bool = False
    """Whether it was expected to fire in recent days, by its earlier rate, and did not."""


class FeedbackReport(msgspec.Struct, kw_only=True):
    """The report over some days."""

    since: date
    until: date
    calls: dict[str, dict[str, int]]
    """By service and mode."""
    rules: list[RuleReport]
    standings: dict[str, dict[str, dict[str, int]]] = {}
    """By service, treatment and standing, of the calls that concern the treatment."""
    unknown_cards: dict[str, dict[str, int]] = {}
    """Feedback on cards that were not known, by service and outcome."""
    database: str = ""
    """The database, without a password."""
    written: dict[str, str] = {}
    """The moments of the latest card and the latest feedback in it, and the last day of its counts."""


def make_report(
    counts: DailyCounts,
    answered: Iterable[OutcomeCount],
    since: date,
    until: date,
    silence: SilenceRule,
    criteria: Iterable[str],
) -> FeedbackReport:
    """Counts from ``since`` on; whether a rule has stopped is judged by the periods of ``silence`` up to ``until``."""
    rules: dict[tuple[str, str], RuleReport] = {}
    calls, standings, unknown = _counted(counts, since, rules)
    for service, rule, outcome, reason, count in answered:
        entry = _rule(rules, service, rule)
        if outcome == "accepted":
            entry.accepted += count
        else:
            entry.overridden += count
            entry.reasons[reason] = entry.reasons.get(reason, 0) + count
    for activity in rule_activities(counts, until, silence):
        if is_silent(activity, silence):
            _rule(rules, activity.service, activity.rule).stopped = True
    criterion_names = set(criteria)
    ordered = sorted(
        rules.values(), key=lambda rule: (rule.service, rule.rule in criterion_names, -rule.fired, rule.rule)
    )
    return FeedbackReport(
        since=since,
        until=until,
        calls={name: dict(calls[name]) for name in sorted(calls)},
        rules=ordered,
        unknown_cards={name: dict(unknown[name]) for name in sorted(unknown)},
        standings={name: {of: dict(said) for of, said in standings[name].items()} for name in sorted(standings)},
    )


_Standings: TypeAlias = dict[str, dict[str, Counter[str]]]


def _counted(
    counts: DailyCounts, since: date, rules: dict[tuple[str, str], RuleReport]
) -> tuple[dict[str, Counter[str]], _Standings, dict[str, Counter[str]]]:
    """The calls by service and mode, the standings by service and treatment, and feedback on unknown cards by service
    and outcome; what fired is added to ``rules``.
    """
    calls: dict[str, Counter[str]] = {}
    unknown: dict[str, Counter[str]] = {}
    standings: _Standings = {}
    for (day, key, (rule, outcome)), count in counts.items():
        if day < since:
            continue
        if (rule, outcome) == (CALLS, ANSWERED):
            calls.setdefault(key.service, Counter())[key.mode] += count
        elif rule == UNKNOWN_CARD:
            unknown.setdefault(key.service, Counter())[outcome] += count
        elif treatment := treatment_of(rule):
            standings.setdefault(key.service, {}).setdefault(treatment, Counter())[outcome] += count
        elif outcome not in ("not_met", "unknown"):
            entry = _rule(rules, key.service, rule)
            if key.mode == LIVE:
                entry.fired += count
            else:
                entry.silent_mode += count
    return calls, standings, unknown


def _rule(rules: dict[tuple[str, str], RuleReport], service: str, rule: str) -> RuleReport:
    return rules.setdefault((service, rule), RuleReport(service=service, rule=rule, reasons={}))


def report_lines(report: FeedbackReport) -> Iterator[str]:
    """The report for a terminal."""
    yield f"Cards and feedback from {report.since} to {report.until}"
    if report.database:
        yield f"{report.database}, written until: {', '.join(f'{what} {at}' for what, at in report.written.items())}"
    for service in sorted({*report.calls, *(rule.service for rule in report.rules)}):
        calls = ", ".join(f"{count} {mode}" for mode, count in sorted(report.calls.get(service, {}).items()))
        yield f"\n{service}: {calls or 'no'} calls"
        for treatment, counts in sorted(report.standings.get(service, {}).items()):
            yield f"  {treatment}: " + ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))
        if unknown := report.unknown_cards.get(service):
            told = ", ".join(f"{outcome} {number}" for outcome, number in sorted(unknown.items()))
            yield f"  feedback on cards that are not known: {told}"
        yield f"  {'rule':42} {'fired':>7} {'silent':>7} {'taken':>6} {'overridden':>10}  reasons"
        for rule in report.rules:
            if rule.service == service:
                yield _line(rule)
    stopped = [rule for rule in report.rules if rule.stopped]
    yield "\n" + ("Stopped firing, find out why:" if stopped else "No rule has stopped firing.")
    yield from (f"  {rule.service}: {rule.rule}" for rule in stopped)


def _line(rule: RuleReport) -> str:
    reasons = ", ".join(
        f"{reason} {count}" for reason, count in sorted(rule.reasons.items(), key=lambda item: -item[1])
    )
    numbers = f"{rule.fired:7} {rule.silent_mode:7} {rule.accepted:6} {rule.overridden:10}"
    return f"  {rule.rule:42} {numbers}  {reasons}".rstrip()
