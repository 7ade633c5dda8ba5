"""How often: "twice daily", "every 12 hours", "in the morning and at bedtime", "on Monday and Friday"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from fhir_plugin.facts.medications.sigs.doses import DoseParser
from fhir_plugin.facts.medications.sigs.stages import NotUnderstood, SigItem

_WEEK = 7


class FrequencyParser(DoseParser):
    """Parses how often a dose is taken."""

    def _target(self) -> SigItem:
        """The item that a frequency belongs to; after a change without a new dose, the same dose again."""
        if self._shift:
            if not self._stage.items:
                raise NotUnderstood
            again = self._stage.items[-1].dose
            self._close()
            self._stage.items.append(SigItem(again))
        return self._stage.items[-1] if self._stage.items else self._pending

    def _frequency(self, per_day: float) -> None:
        if per_day <= 0:
            raise NotUnderstood
        item = self._target()
        if item.per_day is not None and item.per_day != per_day:
            if item.per_day == 1 or per_day == 1:
                per_day = min(item.per_day, per_day) if min(item.per_day, per_day) < 1 else max(item.per_day, per_day)
            else:
                raise NotUnderstood
        item.per_day = per_day

    def _per_day(self) -> None:
        self._frequency(self._next().value)

    def _is_frequency(self) -> bool:
        ahead = 3 if self._peek(1) in ("dash", "to", "or") and self._peek(2) == "number" else 1
        if self._peek(ahead) == "times":
            return True
        return self._peek(ahead) == "x" and self._peek(ahead + 1) in ("per_day", "period", "per")

    def _counted(self) -> None:
        """``3 times a day``, ``2x daily``, ``3 times weekly``."""
        times = self._quantity()
        self._at += 1
        self._skip("per", "every")
        if self._peek() == "per_day":
            self._frequency(times * self._next().value)
        elif self._peek() == "period":
            self._frequency(times / self._next().value)
        else:
            raise NotUnderstood

    def _every(self) -> None:
        self._at += 1
        if self._peek() == "number":
            first = self._next().value
            if self._peek() in ("dash", "to", "or") and self._peek(1) == "number":
                self._at += 1
                first = max(first, self._next().value)
            if self._peek() != "period" or not first:
                raise NotUnderstood
            self._frequency(1 / (first * self._next().value))
        elif self._peek() == "period":
            self._frequency(1 / self._next().value)
        elif self._peek() == "moment":
            self._moments()
        elif self._peek() == "weekday":
            self._weekdays()
        elif self._peek() == "per_day":
            self._per_day()

    def _moments(self) -> None:
        item = self._target()
        item.moments = (*item.moments, self._next().name)
        while self._peek() in ("and", "comma") and self._names_moment(1):
            self._at += 1
            while self._peek() != "moment":
                self._at += 1
            item.moments = (*item.moments, self._next().name)

    def _names_moment(self, ahead: int) -> bool:
        while self._peek(ahead) in ("every", "at", "per"):
            ahead += 1
        if self._peek(ahead) == "number" and self._peek(ahead - 1) == "at":
            ahead += 1
        return self._peek(ahead) == "moment"

    def _weekdays(self) -> None:
        item = self._target()
        while self._peek() == "weekday" or (self._peek() in ("and", "comma", "dash") and self._peek(1) == "weekday"):
            if self._next().kind == "weekday":
                item.weekdays += 1
        if item.weekdays > _WEEK:
            raise NotUnderstood

    def _clock(self) -> None:
        """``at 8 am``, ``at bedtime``."""
        self._at += 1
        if self._peek() == "number" and self._peek(1) == "moment":
            self._at += 1

    HANDLERS: ClassVar[Mapping[str, Callable[[Any], None]]] = {
        "per_day": _per_day,
        "every": _every,
        "moment": _moments,
        "weekday": _weekdays,
        "at": _clock,
    }
    """The handler by kind of the token that begins a frequency."""
