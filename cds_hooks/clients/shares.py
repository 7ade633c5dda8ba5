"""How much of this process one client may take: calls at a time, and calls a second."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from cds_hooks.settings.clients import Client

Excess = Literal["in_flight", "rate"]
"""More calls at a time, or more calls a second, than the client may make."""
_RETRY_SECONDS = 1.0


class ShareExceeded(Exception):
    """The client makes more calls than it may."""

    def __init__(self, client: str, excess: Excess, seconds: float) -> None:
        super().__init__(excess)
        self.client, self.excess, self.seconds = client, excess, seconds
        """``seconds``: after which another call may be let in."""


class Share:
    """The calls of one client that are in progress, and how many it may begin now.

    What it has not used of its rate is saved up for one second, so that a short burst passes.
    """

    def __init__(self, client: Client) -> None:
        self.refused: Counter[Excess] = Counter()
        self._name = client.name
        self._most, self._rate = client.calls_in_flight, client.calls_per_second
        self._in_flight = 0
        self._saved, self._seen = self._burst, float("-inf")

    @property
    def _burst(self) -> float:
        return max(1.0, self._rate or 0.0)

    def take(self, moment: float) -> None:
        """Begin a call; ``moment``: of a clock that never goes back, in seconds.

        :raises ShareExceeded: it must not begin now.
        """
        if self._most is not None and self._in_flight >= self._most:
            self._refuse("in_flight", _RETRY_SECONDS)
        if self._rate is not None:
            self._save(moment, self._rate)
            if self._saved < 1:
                self._refuse("rate", (1 - self._saved) / self._rate)
            self._saved -= 1
        self._in_flight += 1

    def give_back(self) -> None:
        """End a call that was begun."""
        self._in_flight -= 1

    def undo(self) -> None:
        """End a call that was not let in: it counts for nothing, else copies of a used token would use up the rate."""
        self.give_back()
        self._saved = min(self._burst, self._saved + 1)

    def _save(self, moment: float, rate: float) -> None:
        self._saved = min(self._burst, self._saved + (moment - self._seen) * rate)
        self._seen = moment

    def _refuse(self, excess: Excess, seconds: float) -> None:
        self.refused[excess] += 1
        raise ShareExceeded(self._name, excess, seconds)
