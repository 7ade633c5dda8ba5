"""The feedback report: per service and rule, how often it fired and what clinicians did with its cards."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TypeAlias

import msgspec

from cds_hooks.memory.silence import is_silent, rule_activities
from cds_hooks.memory.store import OutcomeCount
from cds_hooks.memory.tally import (
    ANSWERED,
    ANY_TIME,
    CALLS,
    LIVE,
    SLOWER_THAN,
    TOOK,
    UNKNOWN_CARD,
    DailyCounts,
    slower,
    treatment_of,
)
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


class ClientTimes(msgspec.Struct, kw_only=True):
    """How long the calls of one client took."""

    calls: int
    slower: dict[str, float]
    """The share of them that took longer, by the time."""


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
    clients: dict[str, ClientTimes] = {}
    """How long the calls of each client took; of an open service under an empty name."""
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
    counted = _counted(counts, since, rules)
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
        calls=_plain(counted.calls),
        rules=ordered,
        unknown_cards=_plain(counted.unknown),
        standings={name: _plain(counted.standings[name]) for name in sorted(counted.standings)},
        clients={name: _times(counted.times[name]) for name in sorted(counted.times)},
    )


_Counts: TypeAlias = defaultdict[str, Counter[str]]


@dataclass(slots=True)
class _Counted:
    """What is counted by service, and times by client."""

    calls: _Counts = field(default_factory=lambda: defaultdict(Counter))
    """By mode."""
    unknown: _Counts = field(default_factory=lambda: defaultdict(Counter))
    """Feedback on unknown cards, by outcome."""
    standings: defaultdict[str, _Counts] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Counter)))
    """By treatment and standing."""
    times: _Counts = field(default_factory=lambda: defaultdict(Counter))


def _counted(counts: DailyCounts, since: date, rules: dict[tuple[str, str], RuleReport]) -> _Counted:
    """The counts since a day; what fired is added to ``rules``."""
    found = _Counted()
    for (day, key, (rule, outcome)), count in counts.items():
        if day < since:
            continue
        if (rule, outcome) == (CALLS, ANSWERED):
            found.calls[key.service][key.mode] += count
        elif rule == UNKNOWN_CARD:
            found.unknown[key.service][outcome] += count
        elif rule == TOOK:
            found.times[key.tenant][outcome] += count
        elif treatment := treatment_of(rule):
            found.standings[key.service][treatment][outcome] += count
        elif outcome not in ("not_met", "unknown"):
            entry = _rule(rules, key.service, rule)
            if key.mode == LIVE:
                entry.fired += count
            else:
                entry.silent_mode += count
    return found


def _plain(counts: Mapping[str, Counter[str]]) -> dict[str, dict[str, int]]:
    return {name: dict(counts[name]) for name in sorted(counts)}


def _times(counts: Counter[str]) -> ClientTimes:
    calls = counts[ANY_TIME]
    return ClientTimes(calls=calls, slower={slower(limit): counts[slower(limit)] / calls for limit in SLOWER_THAN})


def _rule(rules: dict[tuple[str, str], RuleReport], service: str, rule: str) -> RuleReport:
    return rules.setdefault((service, rule), RuleReport(service=service, rule=rule, reasons={}))


def report_lines(report: FeedbackReport) -> Iterator[str]:
    """The report for a terminal."""
    yield f"Cards and feedback from {report.since} to {report.until}"
    if report.database:
        yield f"{report.database}, written until: {', '.join(f'{what} {at}' for what, at in report.written.items())}"
    for name, times in report.clients.items():
        shares = ", ".join(f"{share:.1%} {what}" for what, share in times.slower.items())
        yield f"{name or 'open service'}: {times.calls} calls answered, {shares}"
    for service in sorted({*report.calls, *(rule.service for rule in report.rules)}):
        yield from _service_lines(report, service)
    stopped = [rule for rule in report.rules if rule.stopped]
    yield "\n" + ("Stopped firing, find out why:" if stopped else "No rule has stopped firing.")
    yield from (f"  {rule.service}: {rule.rule}" for rule in stopped)


def _service_lines(report: FeedbackReport, service: str) -> Iterator[str]:
    yield f"\n{service}: {_listed(report.calls.get(service, {}), '{1} {0}') or 'no'} calls"
    for treatment, counts in sorted(report.standings.get(service, {}).items()):
        yield f"  {treatment}: {_listed(counts)}"
    if unknown := report.unknown_cards.get(service):
        yield f"  feedback on cards that are not known: {_listed(unknown)}"
    yield f"  {'rule':42} {'fired':>7} {'silent':>7} {'taken':>6} {'overridden':>10}  reasons"
    yield from (_line(rule) for rule in report.rules if rule.service == service)


def _listed(counts: Mapping[str, int], each: str = "{0} {1}") -> str:
    return ", ".join(each.format(name, number) for name, number in sorted(counts.items()))


def _line(rule: RuleReport) -> str:
    reasons = ", ".join(
        f"{reason} {count}" for reason, count in sorted(rule.reasons.items(), key=lambda item: -item[1])
    )
    numbers = f"{rule.fired:7} {rule.silent_mode:7} {rule.accepted:6} {rule.overridden:10}"
    return f"  {rule.rule:42} {numbers}  {reasons}".rstrip()
