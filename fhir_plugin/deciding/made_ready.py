"""Rules of one knowledge made ready, each when it is first applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from mappings.schema.load import Knowledge
from mappings.schema.rules.criteria import Criterion
from mappings.schema.rules.protocols import Protocol

RuleT = TypeVar("RuleT", bound=Criterion | Protocol)
ReadyT = TypeVar("ReadyT")


class RulesMadeReady(Generic[RuleT, ReadyT]):
    """What was made of each rule, by its name."""

    def __init__(self, knowledge: Knowledge, make: Callable[[RuleT, Knowledge], ReadyT]) -> None:
        self._knowledge, self._make = knowledge, make
        self._made: dict[str, tuple[RuleT, ReadyT]] = {}

    def of(self, rule: RuleT) -> ReadyT:
        """The rule made ready; another of the same name is made ready anew."""
        known, ready = self._made.get(rule.id, (None, None))
        if ready is None or known is not rule:
            ready = self._make(rule, self._knowledge)
            self._made[rule.id] = rule, ready
        return ready
