"""What stores of used tokens on a server have in common: a server may be away, and then nobody is let in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cds_hooks.clients.replays.store import ReplayStoreUnavailable, StoreState
from cds_hooks.telemetry.logs import fault_fields, log

USE_SECONDS = 2.0
"""How long a use may take; a call must not wait for longer to be let in."""


class ServerReplayStore:
    """The state of a store whose server is connected to at the first use."""

    def __init__(self, clock: Callable[[], float], most: int, faults: tuple[type[Exception], ...]) -> None:
        """``faults``: the exceptions of a server that is away."""
        self.since = float("inf")
        self._clock, self._most, self._faults = clock, most, faults
        self._full: set[str] = set()
        self._away = False

    @property
    def state(self) -> StoreState:
        """See :class:`ReplayStore`."""
        return "away" if self._away else "full" if self._full else "open"

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Turn a fault of the server into :class:`ReplayStoreUnavailable`; the first of several is logged."""
        try:
            yield
        except self._faults as fault:
            if not self._away:
                log.error("the use of tokens cannot be recorded", **fault_fields(fault))
            self._away = True
            raise ReplayStoreUnavailable("store") from fault
        self._away = False
