"""What happened during one call, written down as it happens, for the one who asked to see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from cds_hooks.protocol.clock import seconds
from fhir_plugin.deciding.decide import Decision
from fhir_plugin.record.record import Query

SCOPE = "tandem.trace"
"""Where a call made within this process carries its trace; nothing that comes over the network can stand there."""


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One step of the line, and how long it took."""

    name: str
    milliseconds: float


@dataclass(slots=True)
class Trace:
    """One call: its steps, its queries to the FHIR server, and what was decided. Belongs to that call alone."""

    as_of: date | None = None
    """The day to answer for, where that is not today."""
    decision: Decision | None = None
    steps: list[TraceStep] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    """Kept here too, because a call that fails has no record to keep them in."""
    clock: Callable[[], float] = seconds
    _since: float = 0.0

    def begin(self) -> None:
        """Start to measure."""
        self._since = self.clock()

    def mark(self, name: str) -> None:
        """Note that the step ``name`` is done: it took the time since the one before it."""
        now = self.clock()
        self.steps.append(TraceStep(name, (now - self._since) * 1000))
        self._since = now


def discard_mark(_name: str) -> None:
    """The mark of a call that nobody watches."""
