"""Rules that have stopped firing: an upgrade, a changed code or an edited rule can silence one without error. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta

from cds_hooks.memory.tally import ANSWERED, CALLS, DailyCounts, is_apart
from mappings.schema.service.memory import SilenceRule

_NOT_FIRED = frozenset({"not_met", "unknown", ANSWERED})


@dataclass(slots=True)
class FiringRate:
    """How often one rule of one service fired, and in how many calls."""

    fired: int = 0
    calls: int = 0


@dataclass(slots=True)
class RuleActivity:
    """One rule of one service, in the recent days and in the days before them."""

    service: str
    rule: str
    before: FiringRate = field(default_factory=FiringRate)
    recent: FiringRate = field(default_factory=FiringRate)

    @property
    def expected(self) -> float:
        """How often it was expected to fire in the recent days, by its rate in the days before."""
        return self.before.fired / self.before.calls * self.recent.calls if self.before.calls else 0.0


def rule_activities(counts: DailyCounts, today: date, rules: SilenceRule) -> list[RuleActivity]:
    """Every rule that fired at least once in the periods of ``rules``, by service and name."""
    turn = today - timedelta(days=rules.recent_days.value)
    start = turn - timedelta(days=rules.before_days.value)
    activities: dict[tuple[str, str], RuleActivity] = {}
    calls: Counter[tuple[str, bool]] = Counter()
    for (day, key, (rule, outcome)), count in counts.items():
        if day <= start or is_apart(rule):
            continue
        recent = day > turn
        if rule == CALLS:
            calls[key.service, recent] += count
        elif outcome not in _NOT_FIRED:
            activity = activities.setdefault((key.service, rule), RuleActivity(key.service, rule))
            rate = activity.recent if recent else activity.before
            rate.fired += count
    for activity in activities.values():
        activity.before.calls, activity.recent.calls = calls[activity.service, False], calls[activity.service, True]
    return [activities[key] for key in sorted(activities)]


def is_silent(rule: RuleActivity, rules: SilenceRule) -> bool:
    """Whether it did not fire at all although it was expected to."""
    return rule.recent.fired == 0 and rule.expected >= rules.expected.value
