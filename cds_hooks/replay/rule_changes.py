"""The differences between two answers to one call, by rule: for counting, where nobody reads the cards. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import NamedTuple

from cds_hooks.hooks.service import HookAnswer
from cds_hooks.replay.differences import CardJson
from cds_hooks.replay.files import comparable

ABSENT, NOT_SHOWN = "absent", "not_shown"
"""In the place of a verdict or a standing that one side has not, and of a card that it does not show."""
DRAFTS, COVERED, NOT_COVERED = "drafts", "covered", "not_covered"
"""The pseudo-rule of what is ordered, and whether the criteria are for it."""
_STANDING = "standing:"


class RuleChange(NamedTuple):
    """One rule that says something else; all three are from the knowledge or from closed sets."""

    rule: str
    """A criterion, ``standing:`` and a treatment, or the rule of a card."""
    before: str
    after: str
    """Where both are the same, a card of the rule has another content."""


def rule_changes(before: HookAnswer, after: HookAnswer) -> Iterator[RuleChange]:
    """What changed from one answer to the other; nothing if they say the same."""
    if before.ordered.needs_record != after.ordered.needs_record:
        yield RuleChange(DRAFTS, _coverage(before), _coverage(after))
    if before.decision is not None and after.decision is not None:
        yield from _changes(_verdicts(before), _verdicts(after))
        yield from _changes(_standings(before), _standings(after))
    yield from _card_changes(_cards(before), _cards(after))


def _coverage(answer: HookAnswer) -> str:
    return COVERED if answer.ordered.needs_record else NOT_COVERED


def _verdicts(answer: HookAnswer) -> dict[str, str]:
    return {finding.criterion: finding.verdict.value for finding in answer.decision.findings} if answer.decision else {}


def _standings(answer: HookAnswer) -> dict[str, str]:
    """The standing of each treatment that the call concerns."""
    if answer.decision is None:
        return {}
    ordered = answer.decision.recommendation.ordered
    return {
        f"{_STANDING}{treatment.treatment}": treatment.standing.value
        for treatment in answer.decision.recommendation.treatments
        if treatment.treatment in ordered or not ordered
    }


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[RuleChange]:
    for rule in dict.fromkeys((*before, *after)):
        old, new = before.get(rule, ABSENT), after.get(rule, ABSENT)
        if old != new:
            yield RuleChange(rule, old, new)


def _cards(answer: HookAnswer) -> dict[str, list[CardJson]]:
    """The cards of each rule, without what differs between calls."""
    by_rule: dict[str, list[CardJson]] = {}
    for card, content in zip(answer.cards, comparable(answer.cards), strict=True):
        by_rule.setdefault(answer.bases[card.uuid].rule, []).append(content)
    return by_rule


def _card_changes(before: Mapping[str, list[CardJson]], after: Mapping[str, list[CardJson]]) -> Iterator[RuleChange]:
    for rule in dict.fromkeys((*before, *after)):
        for old, new in zip_longest(before.get(rule, ()), after.get(rule, ())):
            if old != new:
                yield RuleChange(rule, _shown(old), _shown(new))


def _shown(card: CardJson | None) -> str:
    return NOT_SHOWN if card is None else str(card["indicator"])
