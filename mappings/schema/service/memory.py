"""Rules for what the service remembers about its own cards, as data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mappings.schema.base.entries import Entry, Number, Reviewed
from mappings.schema.base.files import KNOWLEDGE, read_yaml


class QuietRule(Entry):
    """When a card that was overridden is not shown again."""

    reasons: tuple[str, ...]
    """Codes of override reasons."""
    days: Number
    safety_days: Number
    again_seconds: Number


class SilenceRule(Entry):
    """When a rule that has stopped firing is reported."""

    before_days: Number
    recent_days: Number
    expected: Number


class MemoryRules(Reviewed):
    """``memory.yaml``."""

    quiet: QuietRule
    silence: SilenceRule

    @property
    def numbers(self) -> Iterator[tuple[str, Number]]:
        """Every number with its key."""
        for section in (self.quiet, self.silence):
            yield from ((name, value) for name, value in section if isinstance(value, Number))


def load_memory_rules(path: Path = KNOWLEDGE / "memory.yaml") -> MemoryRules:
    """The rules of memory."""
    return read_yaml(path, MemoryRules)
