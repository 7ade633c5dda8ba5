"""A record of the steps, queries and decision of one call, for a caller who asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from cds_hooks.protocol.clock import seconds
from fhir_plugin.deciding.decide import Decision
from fhir_plugin.record.record import Query

SCOPE = "tandem.trace"
"""The ASGI scope key for the trace of a call that is shown or sent as spans; it cannot be set over the network."""


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One step of the call, and how long it took."""

    name: str
    milliseconds: float


@dataclass(slots=True)
class Trace:
    """One call: its steps, its queries to the FHIR server, and what was decided. Belongs to that call alone."""

    as_of: date | None = None
    """The day to answer for, if it is not today."""
    decision: Decision | None = None
    silence: tuple[str, ...] = ()
    """Why nothing is said about drafts of a covered drug or treatment."""
    steps: list[TraceStep] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    """Kept here too, because a call that fails has no record."""
    headers: tuple[tuple[str, str], ...] = ()
    """What tells a FHIR server that it is asked for this call: ``traceparent`` and ``tracestate``."""
    clock: Callable[[], float] = seconds
    begun: float = 0.0
    _since: float = 0.0

    def begin(self) -> None:
        """Start measuring."""
        self.begun = self._since = self.clock()

    def mark(self, name: str) -> None:
        """Record that the step ``name`` is completed; its duration is the time since the previous step."""
        now = self.clock()
        self.steps.append(TraceStep(name, (now - self._since) * 1000))
        self._since = now


def discard_mark(_name: str) -> None:
    """The ``mark`` of a call without a trace."""
